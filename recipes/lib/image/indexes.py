"""Makes the indexes of a whole system that packages of other distributions ask for, and copies what is new into `out`.

Reads their notes, `run COMMAND WORD…` in /usr/share/larder/deferred, and runs, in `/`, those commands that `programs` in the
environment names; the same one once. Whether somebody would have minded that one fails is not noted: it is told.
"""

import os
import pathlib
import shlex
import shutil
import stat
import subprocess

NOTES = pathlib.Path("/usr/share/larder/deferred")
MODULES = pathlib.Path("/usr/lib/modules")
# What ldconfig keeps for its next run has the numbers of files on this disk.
NOT_OF_THE_IMAGE = {"build", "dev", "larder", "proc", "run", "sys", "tmp", "var/cache/ldconfig", "var/tmp"}
# What systemctl does by making links.
UNIT_LINKS = {"disable", "enable", "mask", "preset", "preset-all", "reenable", "set-default", "unmask"}
PATH = "/usr/bin:/usr/sbin:/bin:/sbin"


def entries(directory=""):
    """Every path of the image with its status, directories before what is in them."""
    with os.scandir("/" + directory) as found:
        below = sorted(found, key=lambda entry: entry.name)
    for entry in below:
        path = f"{directory}/{entry.name}".lstrip("/")
        if path in NOT_OF_THE_IMAGE:
            continue
        yield path, entry.stat(follow_symlinks=False)
        if entry.is_dir(follow_symlinks=False):
            yield from entries(path)


def open_directories():
    """Lets programs write where files are; trees of the store let nobody."""
    for path, status in [("", os.stat("/")), *entries()]:
        if stat.S_ISDIR(status.st_mode) and not status.st_mode & stat.S_IWUSR:
            os.chmod("/" + path, status.st_mode | stat.S_IWUSR)


def snapshot():
    """What tells a file from one that was written since; of directories only that they are there."""
    return {
        path: None if stat.S_ISDIR(status.st_mode) else (status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
        for path, status in entries()
    }


def commands():
    """The commands that are asked for, with the package that was the first to do so."""
    programs, asked = os.environ["programs"].split(), {}
    for note in sorted(NOTES.glob("*")):
        for line in note.read_text().splitlines():
            kind, *words = shlex.split(line)
            if kind == "run" and words[0] in programs:
                for command in expanded(words):
                    asked.setdefault(tuple(command), note.name)
    return asked


def expanded(words):
    """What is to be run for a command that was meant for a running system."""
    operands = [word for word in words[1:] if not word.startswith("-")]
    if words[0] == "depmod" and not operands:
        # The kernel that runs is not one of the image.
        versions = sorted(entry.name for entry in MODULES.glob("*") if entry.is_dir())
        return [[*words, version] for version in versions]
    if words[0] == "systemctl":
        # Nothing of it is running, but links can be made: for units of other packages, and as presets say.
        words = ["systemctl", "--root=/", *(word for word in words[1:] if word != "--now")]
        return [words] if operands[:1] and operands[0] in UNIT_LINKS else []
    return [words]


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
        print(f"{package} asks for {shlex.join(words)}, which ended with {status}", flush=True)


def copy(path, out):
    target = out / path
    if pathlib.Path("/" + path).is_dir() and not os.path.islink("/" + path):
        target.mkdir(parents=True, exist_ok=True)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy("/" + path, target, follow_symlinks=False)


def main():
    out = pathlib.Path(os.environ["out"])
    out.mkdir()
    asked = commands()
    if not asked:
        return
    open_directories()
    before = snapshot()
    for words, package in asked.items():
        run(list(words), package)
    after = snapshot()
    for path in sorted(before.keys() - after.keys()):
        print(f"/{path} was removed, but stays in the image", flush=True)
    for path, seen in after.items():
        if path not in before or before[path] != seen:
            copy(path, out)


if __name__ == "__main__":
    main()
