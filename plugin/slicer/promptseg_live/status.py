"""What a front end shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Tuple


@dataclass
class Status:
    text: str = "Choose a volume."
    error: str = ""
    busy: bool = False
    progress: float = 0.0
    device: str = ""
    quality: float = 0.0
    warnings: Tuple[str, ...] = ()

    def clear(self) -> None:
        """As at the start; the device is still the same."""
        vars(self).update(vars(Status(device=self.device)))
