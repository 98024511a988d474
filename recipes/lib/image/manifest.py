"""Writes the manifest of an image: one line for each path, with type, mode, owner and content.

usage: manifest.py FILES OUT

Reads `owners` (path -> user, group, mode) from the environment, as JSON, and what packages have noted of owners and modes
in usr/share/larder/deferred. Numbers are those of /etc/passwd and /etc/group.
"""

import hashlib
import json
import os
import pathlib
import shlex
import stat
import sys


class ManifestError(Exception):
    """Something that the author of the image can mend; its text says what."""


def read_ownership(root):
    """Who owns what by data, which has the last word, and by notes of packages; then the numbers of users and groups."""
    data = {path.strip("/"): entry for path, entry in json.loads(os.environ["owners"]).items()}
    owners = noted_ownership(root)
    for path, entry in data.items():
        owners[path] = owners.get(path, {}) | entry
    return data, owners, numbers_of(root / "etc/passwd"), numbers_of(root / "etc/group")


def noted_ownership(root):
    owners = {}
    for note in sorted((root / "usr/share/larder/deferred").glob("*")):
        for line in note.read_text().splitlines():
            kind, value, *path = shlex.split(line)
            if kind == "mode":
                owners.setdefault(path[0], {})["mode"] = value
            elif kind == "owner":
                user, _, group = value.partition(":")
                owners.setdefault(path[0], {}).update(user=user, group=group)
    return owners


def numbers_of(table):
    return {name: int(number) for name, _, number, *_ in (line.split(":") for line in table.read_text().splitlines())}


def number_of(kind, name, numbers, path):
    if name == "root":
        return 0
    if name.isdigit():
        return int(name)
    if name not in numbers:
        raise ManifestError(f"/{path} belongs to the {kind} {name}, which the image does not have")
    return numbers[name]


def usual_mode(status):
    """Trees know only whether a file may be executed."""
    if stat.S_ISLNK(status.st_mode):
        return 0o777
    if stat.S_ISDIR(status.st_mode) or status.st_mode & 0o100:
        return 0o755
    return 0o644


def paths_below(root):
    for directory, directories, files in os.walk(root):
        directories.sort()
        for name in sorted(directories + files):
            yield os.path.relpath(os.path.join(directory, name), root)


def describe(root, path, ownership):
    """The mode, owner, group and content of a path."""
    _, owners, users, groups = ownership
    place = os.path.join(root, path)
    status = os.lstat(place)
    entry = owners.get(path, {})
    mode = int(entry["mode"], 8) if "mode" in entry else usual_mode(status)
    user = number_of("user", entry.get("user", "root"), users, path)
    group = number_of("group", entry.get("group", "root"), groups, path)
    return mode, user, group, content(place, status)


def content(place, status):
    if stat.S_ISLNK(status.st_mode):
        return "link", 0, os.readlink(place)
    if stat.S_ISDIR(status.st_mode):
        return "directory", 0, "-"
    with open(place, "rb") as file:
        return "file", status.st_size, hashlib.file_digest(file, "sha256").hexdigest()


def quoted(path):
    return '"' + path.replace("\\", "\\\\").replace('"', '\\"') + '"'


def main():
    root, out = sys.argv[1], pathlib.Path(sys.argv[2])
    ownership = read_ownership(pathlib.Path(root))
    paths = list(paths_below(root))
    absent = sorted(set(ownership[0]) - set(paths))
    if absent:
        raise ManifestError(f"`owners` names /{absent[0]}, which is not in the image")
    manifest, pseudo = ["/ directory 0755 0 0 0 -\n"], []
    for path in paths:
        mode, user, group, (kind, size, what) = describe(root, path, ownership)
        manifest.append(f"/{path} {kind} {mode:04o} {user} {group} {size} {what}\n")
        pseudo.append(f"{quoted(path)} m {mode:o} {user} {group}\n")
    (out / "manifest").write_text("".join(manifest))
    (out / "pseudo").write_text("".join(pseudo))


if __name__ == "__main__":
    try:
        main()
    except ManifestError as error:
        sys.exit(f"manifest: {error}")
