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


def fcsv(system):
    to = flip if system == "RAS" else list
    rows = [(p, "") for p in FOREGROUND] + [(p, "-") for p in BACKGROUND]
    lines = ["# Markups fiducial file version = 5.0", f"# CoordinateSystem = {system}",
             "# columns = id,x,y,z,ow,ox,oy,oz,vis,sel,lock,label,desc,associatedNodeID"]
    for number, (point, description) in enumerate(rows, 1):
        lines.append(f"{number},{numbers(to(point))},0,0,0,1,1,1,0,F-{number},{description},,2,0")
    return "\n".join(lines) + "\n"


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


if __name__ == "__main__":
    main()
