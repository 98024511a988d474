"""Starts the medium of an image in an emulated machine, and waits for what it says on the serial line.

Environment: `iso` and `verity` are trees of the image; `dialogue` is JSON: a list of what must come (`expect`) and what
is typed then (`say`); `refuse` must never come. With `tamper` one byte in the middle of the file system image is
another one. The machine's words go to the log; the output says only what came.
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


def start(iso):
    shutil.copyfile(VARIABLES, "variables.fd")
    return subprocess.Popen(
        ["qemu-system-x86_64", "-accel", "tcg", "-machine", "q35", "-cpu", "max", "-m", "512", "-nodefaults",
         "-no-reboot", "-display", "none", "-serial", "stdio",
         "-drive", f"if=pflash,format=raw,readonly=on,file={FIRMWARE}",
         "-drive", "if=pflash,format=raw,file=variables.fd",
         "-drive", f"if=virtio,format=raw,readonly=on,file={iso}"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, bufsize=0)


class Console:
    """What the machine says, read by a thread."""

    def __init__(self, machine):
        self.machine = machine
        self.said = bytearray()
        self.ended = False
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        while chunk := self.machine.stdout.read(4096):
            self.said += chunk
            sys.stdout.write(chunk.decode(errors="replace").replace("\x1b", ""))
            sys.stdout.flush()
        self.ended = True

    def wait_for(self, expected, refused, begin=0):
        """Where the text behind `expected` begins."""
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            ended = self.ended
            text = bytes(self.said)
            if refused and refused.encode() in text:
                sys.exit(f"\nboot: the machine said `{refused}`")
            if (place := text.find(expected.encode(), begin)) >= 0:
                return place + len(expected)
            if ended:
                sys.exit(f"\nboot: the machine ended without `{expected}`")
            time.sleep(0.05)
        sys.exit(f"\nboot: no `{expected}` in {SECONDS} s")


def main():
    dialogue = json.loads(os.environ["dialogue"])
    machine = start(medium())
    try:
        console = Console(machine)
        place = 0
        for turn in dialogue:
            place = console.wait_for(turn["expect"], os.environ["refuse"], place)
            if "say" in turn:
                machine.stdin.write(turn["say"].encode() + b"\n")
    finally:
        machine.kill()
    out = pathlib.Path(os.environ["out"])
    out.mkdir()
    (out / "report").write_text("".join(f"said `{turn['expect']}`\n" for turn in dialogue))


main()
