"""The same prompts give the same file, whichever way they came: flags, markups, fcsv; LPS, RAS."""
import json
import os

from chain import BRAIN, TUMOUR_POINT, Chain, numbers, require

# A box turned by 30 degrees about the patient's axis; the columns are its axes.
C, S = 0.8660254037844387, 0.5
TURN = [C, -S, 0.0, S, C, 0.0, 0.0, 0.0, 1.0]
CENTRE, RADIUS = [45.0, 7.0, 13.0], [18.0, 30.0, 22.0]
FOREGROUND = [list(TUMOUR_POINT), [39.5, 21.5, 26.0]]
BACKGROUND = [[10.0, 10.0, 19.5]]


def flip(point):
    return [-point[0], -point[1], point[2]]


def control_point(position, description):
    # Slicer labels points after their list: the name must not decide about polarity.
    return {"id": "1", "label": "tumour-1", "description": description, "position": position,
            "selected": True, "positionStatus": "defined"}


def markups(system):
    to = flip if system == "RAS" else list
    sign = -1.0 if system == "RAS" else 1.0
    points = ([control_point(to(p), "") for p in FOREGROUND]
              + [control_point(to(p), "-") for p in BACKGROUND]
              + [{"id": "9", "label": "tumour-9", "position": "", "positionStatus": "undefined"},
                 dict(control_point(to([0.0, 0.0, 0.0]), ""), selected=False)])
    # Slicer does not write the node's name: the file names the segment.
    return {"markups": [
        {"type": "Fiducial", "coordinateSystem": system, "controlPoints": points},
        {"type": "ROI", "coordinateSystem": system, "roiType": "Box",
         "center": to(CENTRE), "size": [2 * r for r in RADIUS],
         "orientation": [sign * v for v in TURN[:6]] + TURN[6:]}]}


def fcsv(system, rows=None):
    to = flip if system == "RAS" else list
    rows = rows or [(p, "") for p in FOREGROUND] + [(p, "-") for p in BACKGROUND]
    lines = ["# Markups fiducial file version = 5.0", f"# CoordinateSystem = {system}",
             "# columns = id,x,y,z,ow,ox,oy,oz,vis,sel,lock,label,desc,associatedNodeID"]
    for number, (point, description) in enumerate(rows, 1):
        lines.append(f"{number},{numbers(to(point))},0,0,0,1,1,1,0,F-{number},{description},,2,0")
    return "\n".join(lines) + "\n"


def in_their_order(chain):
    """Clicks are answered in the order of the command line, whatever their kinds, as in a prompt
    file; and a file keeps its place among the options."""
    clicks = [(FOREGROUND[0], ""), ([52.5, 20.5, 6.5], "-"), ([50.0, 15.0, 6.5], "")]
    results = []
    for rows in (clicks, [clicks[0], clicks[2], clicks[1]]):
        name = f"order{len(results)}"
        files = [chain.path(name, folder, "tumour.fcsv") for folder in ("all", "first")]
        for path, part in zip(files, (rows, rows[:1])):
            os.makedirs(os.path.dirname(path))
            with open(path, "w", encoding="utf-8") as stream:
                stream.write(fcsv("LPS", part))
        flags = [x for point, kind in rows
                 for x in ("--background" if kind else "--foreground", numbers(point))]
        found = []
        for arguments in (["--prompts", files[0]], flags, ["--prompts", files[1], *flags[2:]]):
            output = chain.path(name, f"{len(found)}.seg.nrrd")
            chain.segment(*arguments, "--segmentName", "tumour", BRAIN, output)
            with open(output, "rb") as stream:
                found.append(stream.read())
        require(found[1] == found[0], f"{name}: flags do not count in their order")
        require(found[2] == found[0], f"{name}: a file does not keep its place among flags")
        results.append(found[0])
    require(results[0] != results[1], "the order changes nothing: nothing is tested")
    print("clicks count in the order of the command line")


def main():
    chain = Chain()
    flags = [x for p in FOREGROUND for x in ("--foreground", numbers(p))]
    flags += [x for p in BACKGROUND for x in ("--background", numbers(p))]
    box = ["--roi", numbers(CENTRE + RADIUS + TURN)]
    ways = {"points": {"flags": flags}, "box": {"flags": flags + box}}
    for system in ("LPS", "RAS"):
        os.makedirs(chain.path(system))
        for kind, name, text in (
                ("box", "tumour.mrk.json", json.dumps(markups(system))),
                ("points", "tumour.fcsv", fcsv(system)),
                # as Slicer hands a list to a module: --segmentName names it
                ("box", "BCD_vtkMRMLMarkupsFiducialNodeB.mrk.json", json.dumps(markups(system)))):
            path = chain.path(os.path.join(system, name))
            with open(path, "w", encoding="utf-8") as stream:
                stream.write(text)
            ways[kind][f"{system}-{name}"] = ["--prompts", path]
    results = {}
    for kind, commands in ways.items():
        for name, arguments in commands.items():
            output = chain.path(f"{kind}-{name}.seg.nrrd")
            named = [] if "tumour" in name else ["--segmentName", "tumour"]
            chain.segment(*arguments, *named, BRAIN, output)
            with open(output, "rb") as stream:
                results[kind, name] = stream.read()
            require(results[kind, name] == results[kind, "flags"],
                    f"{name} gives another file than the flags ({kind})")
            print(f"{kind}: {name}, {len(results[kind, name])} bytes")
    require(results["box", "flags"] != results["points", "flags"], "the box changes nothing")
    in_their_order(chain)


if __name__ == "__main__":
    main()
