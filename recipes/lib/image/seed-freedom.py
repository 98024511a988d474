"""No program or library of an image is one of the seed's, by content.

Environment: `files` is the tree of the image, `seeds` are trees of the seed. Other files, such as a configuration that
both install from the same source, may be alike: the output lists them.
"""

import hashlib
import os
import pathlib
import sys

LEAST = 64


def digests(root):
    for directory, _, names in os.walk(root):
        for name in names:
            place = pathlib.Path(directory, name)
            if place.is_symlink() or place.stat().st_size < LEAST:
                continue
            with open(place, "rb") as file:
                yield hashlib.file_digest(file, "sha256").digest(), place


def is_code(place):
    with open(place, "rb") as file:
        head = file.read(8)
    return os.access(place, os.X_OK) or head.startswith(b"\x7fELF") or head == b"!<arch>\n"


def main():
    seed = {}
    for root in os.environ["seeds"].split():
        for digest, place in digests(root):
            seed.setdefault(digest, place)
    files = pathlib.Path(os.environ["files"])
    image = list(digests(files))
    alike = [(place, f"/{place.relative_to(files)} is {seed[digest]}\n") for digest, place in image if digest in seed]
    code = sorted(line for place, line in alike if is_code(place))
    if code:
        sys.exit("".join(f"seed-freedom: {line}" for line in code))
    out = pathlib.Path(os.environ["out"])
    out.mkdir()
    summary = f"{len(image)} files, no code among the seed's {len(seed)} files\n"
    (out / "report").write_text(summary + "".join(sorted(f"alike: {line}" for _, line in alike)))


main()
