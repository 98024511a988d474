"""Makes the data that stores are compared on: the same bytes every time."""

import hashlib
import os
import random
import shutil
from pathlib import Path


def tree(top: Path, files: int, seed: int = 1) -> Path:
    """Small files as packages have them: sizes are log-normal with a mean of 2.8 KB, 20 a directory, one in ten equal to an earlier one,
    one in twenty executable, one in fifty a link."""
    rng = random.Random(seed)
    contents: list[bytes] = []
    directory = top
    for number in range(files):
        if number % 20 == 0:
            n = number // 20
            directory = top / f"part-{n % 50}" / f"group-{n}"
            directory.mkdir(parents=True)
        path = directory / f"file-{number}.txt"
        if number % 50 == 7:
            path.symlink_to(f"file-{number - 1}.txt")
            continue
        if contents and rng.random() < 0.1:
            content = rng.choice(contents)
        else:
            content = rng.randbytes(min(int(rng.lognormvariate(7.09, 1.3)), 1 << 20))
            contents.append(content)
        path.write_bytes(content)
        if rng.random() < 0.05:
            path.chmod(0o755)
    return top


def large_file(path: Path, size: int) -> Path:
    """A file of random bytes."""
    rng, piece = random.Random(2), 1 << 24
    with open(path, "wb") as out:
        for begin in range(0, size, piece):
            out.write(rng.randbytes(min(piece, size - begin)))
    return path


def versions(top: Path, count: int, files: int) -> list[Path]:
    """Versions of a package: in each, one file in twenty of the version before it is another one."""
    tree(top / "version-0", files, seed=3)
    rng = random.Random(4)
    made = [top / "version-0"]
    for number in range(1, count):
        made.append(Path(shutil.copytree(made[-1], top / f"version-{number}", symlinks=True)))
        for path in sorted(path for path in made[-1].rglob("file-*") if not path.is_symlink()):
            if rng.random() < 0.05:
                path.write_bytes(rng.randbytes(path.stat().st_size))
    return made


def successors(number: int, count: int) -> list[int]:
    """Those that path `number` of `count` mentions, as in `store/examples/synthetic.rs`."""
    after = 2 * number + 1
    left = max(count - after - 1, 0)
    other = after + number * 2_654_435_761 % left if left else after
    return sorted({at for at in (after, after + 1, other) if at < count})


def nix_store(root: Path, live: int, dead: int) -> str:
    """What `store/examples/synthetic.rs` makes for larder, for Nix: the files below `root`, and as the result what
    `nix-store --load-db` reads. Path 0 of the live graph gets a root."""
    store, registration = root / "nix/store", []
    store.mkdir(parents=True)
    for name, count in (("live", live), ("dead", dead)):
        paths = [path_of(name, number) for number in range(count)]
        for number, path in enumerate(paths):
            needed = [paths[at] for at in successors(number, count)]
            text = f"tree {number} of the {name} graph\n" + "".join(f"{other}/text\n" for other in needed)
            place = store / path.rpartition("/")[2]
            if number % 3 == 0:
                sealed_file(place, text)
            else:
                place.mkdir()
                sealed_file(place / "text", text)
                sealed_file(place / "data", f"{number // 3:>1000}\n")
                place.chmod(0o555)
            hash_ = hashlib.sha256(path.encode()).hexdigest()
            registration.append("\n".join([path, hash_, str(len(text)), "", str(len(needed)), *needed, ""]))
    roots = root / "nix/var/nix/gcroots"
    roots.mkdir(parents=True)
    if live:
        (roots / "live").symlink_to(path_of("live", 0))
    return "".join(registration)


def path_of(name: str, number: int) -> str:
    """A path as Nix names them: 32 characters of its base32."""
    alphabet = "0123456789abcdfghijklmnpqrsvwxyz"
    digest = hashlib.sha256(f"{name}-{number}".encode()).digest()
    return f"/nix/store/{''.join(alphabet[byte % 32] for byte in digest)}-{name}-{number}"


def sealed_file(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o444)
    os.utime(path, (1, 1))
