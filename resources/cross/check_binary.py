"""usage: check_binary.py TARGET LIBRARY PROGRAM

What the two files say of themselves to the system that loads them: processor, the oldest system they
run on, the libraries they want (the system's own alone), what the library shows (sgm_ alone), and the
protections that the system is asked for."""
import re
import sys

from elftools.elf.dynamic import DynamicSection
from elftools.elf.elffile import ELFFile
from elftools.elf.gnuversions import GNUVerNeedSection
from macholib import mach_o
from macholib.MachO import MachO
import pefile

PREFIX = "sgm_"


def check(true, what):
    if not true:
        sys.exit(f"check_binary: {what}")


def check_elf(path, processor, shared):
    elf = ELFFile(open(path, "rb"))
    machine = {"x86_64": "EM_X86_64", "aarch64": "EM_AARCH64"}[processor]
    check(elf["e_machine"] == machine, f"{path}: made for {elf['e_machine']}")
    dynamic = next(s for s in elf.iter_sections() if isinstance(s, DynamicSection))
    tags = list(dynamic.iter_tags())
    wanted = {t.needed for t in tags if t.entry.d_tag == "DT_NEEDED"}
    strange = {n for n in wanted if not re.fullmatch(r"(libc|libm|libdl|libpthread|ld-linux-.*)\.so\.[0-9]", n)}
    check(not strange, f"{path}: wants {strange}")
    versions = {a.name for s in elf.iter_sections() if isinstance(s, GNUVerNeedSection)
                for _, auxiliaries in s.iter_versions() for a in auxiliaries}
    glibc = max(tuple(map(int, v[6:].split("."))) for v in versions if v.startswith("GLIBC_"))
    check(glibc <= (2, 17), f"{path}: wants glibc {glibc}")
    check(not any(t.entry.d_tag == "DT_TEXTREL" for t in tags), f"{path}: its code is written to")
    segments = {s["p_type"]: s for s in elf.iter_segments()}
    check("PT_GNU_RELRO" in segments and not segments["PT_GNU_STACK"]["p_flags"] & 1,
          f"{path}: stack or tables are not protected")
    if shared:
        shown = {s.name for s in elf.get_section_by_name(".dynsym").iter_symbols()
                 if s["st_shndx"] != "SHN_UNDEF" and s["st_info"]["type"] != "STT_OBJECT" or
                 s["st_shndx"] not in ("SHN_UNDEF", "SHN_ABS")}
        check_shown(path, shown)
    return f"glibc {'.'.join(map(str, glibc))}, {', '.join(sorted(wanted))}"


def check_shown(path, names):
    names = {n for n in names if n}
    strange = sorted(n for n in names if not n.startswith(PREFIX))
    check(len(names) > 50, f"{path}: shows only {len(names)} functions")
    check(not strange, f"{path}: shows {strange[:5]}")


LINKERS_OWN = {"__dso_handle", "_mh_dylib_header"}  # less the underscore that every name has


def macho_export_names(path, header):
    """Names in the table of symbols that others may see and that are defined here."""
    with open(path, "rb") as file:
        data = file.read()[header.offset:]
    table = next(c for load, c, _ in header.commands if load.cmd == mach_o.LC_SYMTAB)
    names = []
    for i in range(table.nsyms):
        at = table.symoff + 16 * i
        name = int.from_bytes(data[at:at + 4], "little")
        kind = data[at + 4]
        if kind & 0xe0 == 0 and kind & 1 and not kind & 0x10 and kind & 0x0e:  # external, not private
            start = table.stroff + name
            names.append(data[start:data.index(b"\0", start)].decode())
    return names


def check_macho(path, processor, shared):
    header, = MachO(path).headers
    cpu = {"x86_64": 0x01000007, "aarch64": 0x0100000c}[processor]
    check(header.header.cputype == cpu, f"{path}: made for {header.header.cputype:#x}")
    libraries, oldest, signed, install = [], None, False, None
    for load, command, data in header.commands:
        if load.cmd in (mach_o.LC_LOAD_DYLIB, mach_o.LC_LOAD_WEAK_DYLIB, mach_o.LC_REEXPORT_DYLIB):
            libraries.append(data.rstrip(b"\0").decode())
        elif load.cmd == mach_o.LC_ID_DYLIB:
            install = data.rstrip(b"\0").decode()
        elif load.cmd == 0x32:  # LC_BUILD_VERSION: platform, minos, sdk, ntools
            version = int(command.minos)
            oldest = (version >> 16, version >> 8 & 255)
        elif load.cmd == mach_o.LC_CODE_SIGNATURE:
            signed = True
    check(libraries == ["/usr/lib/libSystem.B.dylib"], f"{path}: wants {libraries}")
    check(oldest == (11, 0), f"{path}: for macOS {oldest}")
    check(signed or processor == "x86_64", f"{path}: is not signed, Apple's processors refuse it")
    check(header.header.flags & 0x200000 or shared, f"{path}: is always loaded at one address")
    if shared:
        check(install and install.startswith("@rpath/"), f"{path}: its name is {install}")
        check_shown(path, {n[1:] for n in macho_export_names(path, header)} - LINKERS_OWN)
    return f"macOS 11.0, {', '.join(libraries)}{', signed' if signed else ''}"


RUN_TIME = {"_CRT_INIT", "__mingw_module_is_dll", "atexit"}  # mingw's start of a DLL shows them itself
SYSTEM_DLLS = re.compile(r"(kernel32|ntdll|psapi|msvcrt|ucrtbase|advapi32|api-ms-win-crt-.*)\.dll", re.I)


def check_pe(path, processor, shared):
    image = pefile.PE(path)
    check(image.FILE_HEADER.Machine == 0x8664 and processor == "x86_64", f"{path}: made for another processor")
    wanted = sorted({d.dll.decode() for d in image.DIRECTORY_ENTRY_IMPORT})
    strange = [n for n in wanted if not SYSTEM_DLLS.fullmatch(n)]
    check(not strange, f"{path}: wants {strange}")
    flags = image.OPTIONAL_HEADER.DllCharacteristics
    check(flags & 0x40 and flags & 0x100, f"{path}: address or data are not protected ({flags:#x})")
    if shared:
        shown = {s.name.decode() for s in image.DIRECTORY_ENTRY_EXPORT.symbols}
        check_shown(path, shown - RUN_TIME)
    return f"Windows {image.OPTIONAL_HEADER.MajorSubsystemVersion}.{image.OPTIONAL_HEADER.MinorSubsystemVersion}, " \
           f"{', '.join(wanted)}"


def main():
    target, library, program = sys.argv[1:]
    system, processor = target.split("-")
    look = {"linux": check_elf, "macos": check_macho, "windows": check_pe}[system]
    for path, shared in ((library, True), (program, False)):
        print(f"{path.rsplit('/', 1)[-1]}: {look(path, processor, shared)}")


if __name__ == "__main__":
    main()
