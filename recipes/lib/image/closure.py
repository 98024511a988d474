"""Every program, library and script of an image finds its interpreter and its libraries in the image.

Environment: `files` is the tree of the image. The output has one line for each file that needs something.
"""

import os
import pathlib
import struct
import subprocess
import sys

FILES = pathlib.Path(os.environ["files"])
LIBRARIES = ["/usr/lib", "/lib"]


def inside(path):
    """Where a path of the image leads to, links followed within the image; None if nowhere."""
    parts, place, links = path.strip("/").split("/"), pathlib.PurePosixPath("/"), 0
    while parts:
        name = parts.pop(0)
        if name in ("", "."):
            continue
        if name == "..":
            place = place.parent
            continue
        here = FILES / (place / name).relative_to("/")
        if here.is_symlink():
            links += 1
            target = os.readlink(here)
            if links > 40:
                return None
            place = pathlib.PurePosixPath("/") if target.startswith("/") else place
            parts = target.split("/") + parts
            continue
        if not here.exists():
            return None
        place = place / name
    return FILES / place.relative_to("/")


def elf_needs(place):
    """Interpreter and libraries of an ELF file, as readelf tells them."""
    shown = subprocess.run(["readelf", "-ldW", place], capture_output=True, text=True, check=True).stdout
    for line in shown.splitlines():
        if "Requesting program interpreter:" in line:
            yield line.split(": ", 1)[1].rstrip("]")
        elif "(NEEDED)" in line:
            yield line.split("[", 1)[1].rstrip("]")


def script_needs(first_line):
    words = first_line[2:].decode(errors="replace").split()
    if words:
        yield words[0]
        if words[0].endswith("/env") and len(words) > 1:
            yield f"/usr/bin/{words[-1]}"


def needs(place):
    with open(place, "rb") as file:
        head = file.read(4096)
    if head[:4] == b"\x7fELF" and struct.unpack_from("<H", head, 16)[0] in (2, 3):
        return list(elf_needs(place))
    if head[:2] == b"#!" and os.access(place, os.X_OK):
        return list(script_needs(head.split(b"\n", 1)[0]))
    return []


def is_there(need):
    if need.startswith("/"):
        return inside(need) is not None
    return any(inside(f"{directory}/{need}") for directory in LIBRARIES)


def main():
    lines, missing = [], []
    for directory, _, names in os.walk(FILES):
        for name in sorted(names):
            place = pathlib.Path(directory, name)
            path = place.relative_to(FILES)
            if place.is_symlink():
                if inside(str(path)) is None and not os.readlink(place).startswith(("/proc", "../proc")):
                    missing.append(f"/{path} leads to {os.readlink(place)}, which is not there")
                continue
            found = needs(place)
            if found:
                lines.append(f"/{path}: {' '.join(found)}\n")
            missing += [f"/{path} needs {need}, which is not in the image" for need in found if not is_there(need)]
    if missing:
        sys.exit("\n".join(f"closure: {line}" for line in missing))
    out = pathlib.Path(os.environ["out"])
    out.mkdir()
    (out / "report").write_text("".join(sorted(lines)))


main()
