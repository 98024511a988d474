"""Starts emulated machines, one after the other, and waits for what they say on the serial line.

Environment: `iso` and `verity` are trees of the image. `starts` is JSON, a list of `{ from, dialogue, ends }`:

    from      `medium`: as a machine does that finds the medium; `disk`: without the medium, from the disk that earlier
              machines wrote; else a kernel image by its name, with the medium beside it
    dialogue  a list of what must come (`expect`) and what is typed then (`say`)
    ends      the machine goes off by itself afterwards, and not because its kernel panics

`kernels` names the kernel images: `name=tree`, a line each. All machines have the same disk, which is empty first. `refuse`
must never come. With `tamper` one byte in the middle of the file system image is another one. The machines' words go to
the log; the output says only what came.
"""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import threading
import time

SECONDS = 300
FIRMWARE = "/usr/share/OVMF/OVMF_CODE.fd"
VARIABLES = "/usr/share/OVMF/OVMF_VARS.fd"
DISK = pathlib.Path("disk.img")
DISK_BYTES = 1 << 30


def medium():
    """The medium to start from; a copy if it is changed."""
    iso = pathlib.Path(os.environ["iso"], "image.iso")
    if not os.environ["tamper"]:
        return iso
    content = bytearray(iso.read_bytes())
    image = pathlib.Path(os.environ["verity"], "root.img").read_bytes()
    place = content.find(image)
    if place < 0:
        sys.exit("boot: the medium does not have the image of the file system")
    content[place + len(image) // 2] ^= 1
    changed = pathlib.Path("tampered.iso")
    changed.write_bytes(content)
    return changed


def system_partition(variant):
    """A directory that the machine sees as a drive, on which its firmware finds this kernel image and no other."""
    kernels = dict(line.split("=", 1) for line in os.environ["kernels"].split("\n") if line)
    directory = pathlib.Path(f"start-{variant}")
    program = directory / "EFI" / "BOOT" / "BOOTX64.EFI"
    program.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(pathlib.Path(kernels[variant], "linux.efi"), program)
    return f"fat:{directory}"


def drives(origin, iso):
    """What the machine has, in the order in which its firmware looks: `(file, may be written)`."""
    if origin not in ("medium", "disk"):
        yield system_partition(origin), False
    if origin != "disk":
        yield iso, False
    yield DISK, True


def start(origin, iso):
    shutil.copyfile(VARIABLES, "variables.fd")
    arguments = ["qemu-system-x86_64", "-accel", "tcg", "-machine", "q35", "-cpu", "max", "-m", "512", "-nodefaults",
                 "-no-reboot", "-display", "none", "-serial", "stdio",
                 "-drive", f"if=pflash,format=raw,readonly=on,file={FIRMWARE}",
                 "-drive", "if=pflash,format=raw,file=variables.fd"]
    for index, (file, writable) in enumerate(drives(origin, iso)):
        readonly = "off" if writable else "on"
        arguments += ["-drive", f"if=none,id=drive{index},format=raw,readonly={readonly},file={file}",
                      "-device", f"virtio-blk-pci,drive=drive{index},bootindex={index}"]
    return subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, bufsize=0)


class Console:
    """What the machine says, read by a thread."""

    def __init__(self, machine):
        self.machine = machine
        self.said = bytearray()
        self.ended = False
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        while chunk := self.machine.stdout.read(4096):
            self.said += chunk
            sys.stdout.write(chunk.decode(errors="replace").replace("\x1b", ""))
            sys.stdout.flush()
        self.ended = True

    def refuse(self, refused):
        if refused in bytes(self.said):
            sys.exit(f"\nboot: the machine said `{refused.decode()}`")

    def wait_for(self, expected, refused, begin=0):
        """Where the text behind `expected` begins."""
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            ended = self.ended
            text = bytes(self.said)
            if refused:
                self.refuse(refused.encode())
            if (place := text.find(expected.encode(), begin)) >= 0:
                return place + len(expected)
            if ended:
                sys.exit(f"\nboot: the machine ended without `{expected}`")
            time.sleep(0.05)
        sys.exit(f"\nboot: no `{expected}` in {SECONDS} s")


def hold(machine, console, dialogue):
    place = 0
    for turn in dialogue:
        place = console.wait_for(turn["expect"], os.environ["refuse"], place)
        if "say" in turn:
            machine.stdin.write(turn["say"].encode() + b"\n")


def wait_for_end(machine, console, refused):
    try:
        machine.wait(SECONDS)
    except subprocess.TimeoutExpired:
        sys.exit(f"\nboot: the machine did not go off in {SECONDS} s")
    console.reader.join()
    # One that panics goes off, too.
    console.refuse(b"Kernel panic")
    if refused:
        console.refuse(refused.encode())


def run(step, iso):
    """Starts a machine, and tells what came, as lines."""
    machine = start(step["from"], iso)
    console = Console(machine)
    try:
        hold(machine, console, step["dialogue"])
        if step["ends"]:
            wait_for_end(machine, console, os.environ["refuse"])
    finally:
        machine.kill()
        machine.wait()
    lines = [f"said `{turn['expect']}`\n" for turn in step["dialogue"]]
    return lines + ["went off\n"] if step["ends"] else lines


def main():
    DISK.touch()
    os.truncate(DISK, DISK_BYTES)
    iso = medium()
    lines = [line for step in json.loads(os.environ["starts"]) for line in run(step, iso)]
    out = pathlib.Path(os.environ["out"])
    out.mkdir()
    (out / "report").write_text("".join(lines))


main()
