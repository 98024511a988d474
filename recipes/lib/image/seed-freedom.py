"""No program or library of a medium is one of the seed's, by content.

Environment: `files` is the tree of the image, `beside` are trees of what starts it (kernel, EFI program, first
program), `seeds` are trees of the seed. Other files, such as a configuration that both install from the same source, may
be alike: the output lists them.

Files of fewer than LEAST bytes are left out: no code is that small, for the header of an ELF file alone has as many,
that of a PE file more, and an archive with a member 68. Those that are alike are archives without members and texts of
a line.
"""

import hashlib
import os
import pathlib
import sys

LEAST = 64
CODE = (b"\x7fELF", b"!<arch>\n", b"!<thin>\n", b"MZ")
UNSEEN = (
    "not seen, for digests are of whole files: what compilers link in (libgcc.a, crtbegin.o), "
    "and what tools write of their own (the boot sector of mkfs.vfat)\n"
)


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
    return os.access(place, os.X_OK) or head.startswith(CODE)


def main():
    seeds = os.environ["seeds"].split()
    seed = {}
    for root in seeds:
        for digest, place in digests(root):
            seed.setdefault(digest, place)
    files = pathlib.Path(os.environ["files"])
    found = [(digest, place, f"/{place.relative_to(files)}") for digest, place in digests(files)]
    for root in os.environ["beside"].split():
        found += [(digest, place, str(place)) for digest, place in digests(root)]
    alike = [(place, f"{shown} is {seed[digest]}\n") for digest, place, shown in found if digest in seed]
    code = sorted(line for place, line in alike if is_code(place))
    if code:
        sys.exit("".join(f"seed-freedom: {line}" for line in code))
    out = pathlib.Path(os.environ["out"])
    out.mkdir()
    summary = f"{len(found)} files, no code among the seed's {len(seed)} files of {len(seeds)} trees\n"
    (out / "report").write_text(summary + UNSEEN + "".join(sorted(f"alike: {line}" for _, line in alike)))


main()
