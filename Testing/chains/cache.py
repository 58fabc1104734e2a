"""With --cache the second run encodes nothing and writes the same file."""
import json
import os
import time

from chain import LIVER, Chain, require


def main():
    chain = Chain()
    reports, files, took = [], [], []
    prompts = ["--foreground=-104.7,-25,-127.69", "--roi=-61.5,-19.5,-127.69,113,93,2"]
    for number in (1, 2):
        output, report = chain.path(f"{number}.seg.nrrd"), chain.path(f"{number}.json")
        start = time.monotonic()
        chain.segment(*prompts, "--cache", chain.path("cache"), "--report", report, LIVER, output)
        took.append(time.monotonic() - start)
        with open(report, encoding="utf-8") as stream:
            reports.append(json.load(stream)["embeddings"])
        with open(output, "rb") as stream:
            files.append(stream.read())
    require(reports[0]["encoded"] > 0, "the first run encodes")
    require(reports[1]["encoded"] == 0 and reports[1]["from_cache"] == reports[0]["encoded"],
            f"the second run must encode nothing: {reports[1]}")
    require(files[0] == files[1], "the cache changes the result")
    print(f"first run {took[0]:.2f} s, second {took[1]:.2f} s from start to written file, "
          f"{reports[1]['from_cache']} slices")

    # A damaged entry counts as missing.
    for entry in os.scandir(chain.path("cache")):
        with open(entry.path, "r+b") as stream:
            stream.truncate(entry.stat().st_size // 2)
    chain.segment(*prompts, "--cache", chain.path("cache"), LIVER, chain.path("3.seg.nrrd"))
    with open(chain.path("3.seg.nrrd"), "rb") as stream:
        require(stream.read() == files[0], "a damaged cache changes the result")


if __name__ == "__main__":
    main()
