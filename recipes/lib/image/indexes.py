"""Makes the indexes of a whole system that packages of other distributions ask for, and copies what is new into `out`.

Reads their notes, `run COMMAND WORD…` in /usr/share/larder/deferred, and runs, in `/`, those commands that `programs` in the
environment names; the same one once, when it was asked for last. Whether somebody would have minded that one fails is not noted: it
is told, but for `depmod`, without which the system may not start.
"""

import os
import pathlib
import shlex
import shutil
import stat
import subprocess
import sys

NOTES = pathlib.Path("/usr/share/larder/deferred")
MODULES = pathlib.Path("/usr/lib/modules")
# What ldconfig keeps for its next run has the numbers of files on this disk.
NOT_OF_THE_IMAGE = {"build", "dev", "larder", "proc", "run", "sys", "tmp", "var/cache/ldconfig", "var/tmp"}
# Written in place, if there is one.
WRITABLE = ["usr/share/info/dir"]
# What systemctl does by making links.
UNIT_LINKS = {"disable", "enable", "mask", "preset", "preset-all", "reenable", "set-default", "unmask"}
# Options of depmod with a value.
DEPMOD_VALUES = {"-b", "-C", "-E", "-F", "-m", "-o", "--basedir", "--config", "--filesyms", "--moduledir", "--outdir", "--symvers"}
PATH = "/usr/bin:/usr/sbin:/bin:/sbin"


class NoteError(Exception):
    """Something that the author of a package can mend; its text says what."""


def entries(directory=""):
    """Every path of the image, directories before what is in them, and whether it is one."""
    with os.scandir("/" + directory) as found:
        below = sorted(found, key=lambda entry: entry.name)
    for entry in below:
        path = f"{directory}/{entry.name}".lstrip("/")
        if path not in NOT_OF_THE_IMAGE:
            is_directory = entry.is_dir(follow_symlinks=False)
            yield path, is_directory
            if is_directory:
                yield from entries(path)


def open_directories():
    """Lets programs write where files are; trees of the store let nobody. Indexes have times of directories, which the image will have so."""
    epoch = int(os.environ["SOURCE_DATE_EPOCH"])
    for path in ["", *(path for path, is_directory in entries() if is_directory)]:
        status = os.lstat("/" + path)
        if not status.st_mode & stat.S_IWUSR:
            os.chmod("/" + path, status.st_mode | stat.S_IWUSR)
        if status.st_mtime_ns != epoch * 10**9:
            os.utime("/" + path, (epoch, epoch))


def snapshot():
    """What tells a file from one that was written since; of directories only that they are there."""
    return {path: None if is_directory else identity(os.lstat("/" + path)) for path, is_directory in entries()}


def identity(status):
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def commands():
    """The commands that are asked for, with the package that was the last to do so."""
    programs, asked = os.environ["programs"].split(), {}
    for note in sorted(NOTES.glob("*")):
        for line in note.read_text(errors="surrogateescape").splitlines():
            try:
                kind, command, *words = shlex.split(line)
            except ValueError as error:
                raise NoteError(f"the package {note.name} asks for `{line}`: {error}") from error
            if kind == "run" and command in programs:
                for command in expanded([command, *words]):
                    asked.pop(tuple(command), None)
                    asked[tuple(command)] = note.name
    return asked


def expanded(words):
    """What is to be run for a command that was meant for a running system."""
    command, operands = words[0], [word for word in words[1:] if not word.startswith("-")]
    if command == "depmod" and not has_version(words[1:]):
        # The kernel that runs is not one of the image.
        versions = sorted(entry.name for entry in MODULES.glob("*") if entry.is_dir())
        return [[*words, version] for version in versions]
    if command == "systemctl":
        # Nothing of it is running, but links can be made: for units of other packages, and as presets say.
        words = ["systemctl", "--root=/", *(word for word in words[1:] if word != "--now")]
        return [words] if operands[:1] and operands[0] in UNIT_LINKS else []
    if command == "gdk-pixbuf-query-loaders" and "--update-cache" not in words:
        # What it prints was meant for the file that it writes by itself so.
        return [[command, "--update-cache"]]
    return [words]


def has_version(words):
    before = ""
    for word in words:
        if not word.startswith("-") and before not in DEPMOD_VALUES:
            return True
        before = word
    return False


def run(words, package):
    program = shutil.which(words[0], path=PATH)
    if program is None:
        print(f"{package} asks for {shlex.join(words)}: the image has no {words[0]}", flush=True)
        return
    print(shlex.join(words), flush=True)
    environment = {key: value for key, value in os.environ.items() if key not in ("PYTHONHOME", "programs")}
    environment |= {"PATH": PATH, "LC_ALL": "C.UTF-8", "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        status = subprocess.run([program, *words[1:]], env=environment, stdin=subprocess.DEVNULL, cwd="/", check=False).returncode
    except OSError as error:
        status = error
    if status != 0:
        told = f"{package} asks for {shlex.join(words)}, which ended with {status}"
        if words[0] == "depmod":
            raise NoteError(told)
        print(told, flush=True)


def copy(path, out):
    place, target = pathlib.Path("/" + path), out / path
    if place.is_symlink() or place.is_file():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(place, target, follow_symlinks=False)
    elif place.is_dir():
        target.mkdir(parents=True, exist_ok=True)
    else:
        print(f"{place} is neither a file nor a directory: left out", flush=True)


def main():
    out = pathlib.Path(os.environ["out"])
    out.mkdir()
    asked = commands()
    if not asked:
        return
    open_directories()
    for path in WRITABLE:
        if os.path.isfile("/" + path):
            os.chmod("/" + path, 0o644)
    before = snapshot()
    for words, package in asked.items():
        run(list(words), package)
        open_directories()
    after = snapshot()
    for path in sorted(before.keys() - after.keys()):
        print(f"/{path} was removed, but stays in the image", flush=True)
    for path, seen in after.items():
        if path not in before or before[path] != seen:
            copy(path, out)


if __name__ == "__main__":
    try:
        main()
    except NoteError as error:
        sys.exit(f"indexes: {error}")
