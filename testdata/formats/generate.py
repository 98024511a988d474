#!/usr/bin/env python3
"""Writes the golden vectors of larder's stored formats, version 1.

An implementation of its own, from the documentation of the formats (the module comments in store/src), so that the vectors are
not a copy of what larder itself puts out. Needs Python 3.9 and the package `blake3`. Run it in this directory; what it writes
changes only together with the version of a format.
"""

import hashlib
import json

from blake3 import blake3

STORE = "/larder/store"


def derive(context, data):
    return blake3(data, derive_key_context=context).digest()


def base32(data):
    """Lower-case base32 without padding."""
    bits = "".join(f"{byte:08b}" for byte in data)
    bits += "0" * (-len(bits) % 5)
    return "".join("abcdefghijklmnopqrstuvwxyz234567"[int(bits[at : at + 5], 2)] for at in range(0, len(bits), 5))


def le(number, size):
    return number.to_bytes(size, "little")


def canonical(value):
    """Canonical JSON: sorted keys, no white space, only what must be escaped is."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


# Trees: a leaf is ("file", executable, content) or ("symlink", target), a directory a dict by name.


def node(tree):
    if isinstance(tree, dict):
        return b"\x04" + tree_digest(tree)
    if tree[0] == "file":
        return b"\x01" + le(int(tree[1]), 1) + le(len(tree[2]), 8) + blake3(tree[2]).digest()
    return b"\x02" + le(len(tree[1]), 4) + tree[1]


def encode_tree(tree):
    if not isinstance(tree, dict):
        return b"\x01" + node(tree)
    entries = b"".join(le(len(name), 1) + name + node(tree[name]) for name in sorted(tree))
    return b"\x01\x03" + le(len(tree), 4) + entries


def tree_digest(tree):
    return derive("larder tree v1", encode_tree(tree))


def listing(tree):
    trees = []

    def collect(tree):
        for name in sorted(tree):
            if isinstance(tree[name], dict):
                collect(tree[name])
        if encode_tree(tree) not in trees:
            trees.append(encode_tree(tree))

    collect(tree) if isinstance(tree, dict) else trees.append(encode_tree(tree))
    return b"\x01" + le(len(trees), 4) + b"".join(le(len(one), 4) + one for one in trees)


def tree_path(tree, name):
    return f"{STORE}/{base32(tree_digest(tree))}-{name}"


def derivation_path(derivation):
    digest = derive("larder derivation v1", canonical(derivation))
    return f"{STORE}/{base32(digest)}-{derivation['name']}.drv"


def placeholder(path, output):
    digest = derive("larder placeholder v1", f"{path}!{output}".encode())
    stem = path[len(STORE) + 1 + 53 :].removesuffix(".drv")
    return f"{STORE}/{base32(digest)}-{stem if output == 'out' else f'{stem}-{output}'}"


def frame(kind, payload):
    checksum = derive("larder record v1", le(kind, 1) + payload)[:16]
    return le(kind, 1) + le(len(payload), 4) + checksum + payload


FILE = ("file", False, b"content\n")
EXECUTABLE = ("file", True, b"#!/bin/sh\n")
SYMLINK = ("symlink", b"../usr/lib")
INNER = {b"x": FILE}
TREES = {
    "file": FILE,
    "empty file": ("file", False, b""),
    "executable": EXECUTABLE,
    "symlink": SYMLINK,
    "symlink with any bytes": ("symlink", b"\xff\x01"),
    "empty directory": {},
    "directory": {b"b": FILE, b"a": EXECUTABLE, b"B": SYMLINK, b"ab": ("file", False, b""), b"\xff": FILE},
    "nested": {b"bin": {b"sh": EXECUTABLE}, b"lib": INNER, b"lib64": INNER, b"z": {b"deep": {b"er": INNER}, b"void": {}}},
}

SEED = tree_path(TREES["nested"], "seed")
SOURCE = tree_path(FILE, "source.txt")

LIBRARY = {
    "args": [],
    "builder": "builtin:fetch",
    "env": {},
    "fixed": {"hash": "sha256:" + hashlib.sha256(b"abc").hexdigest(), "mode": "file"},
    "inputs": [],
    "name": "library-1.0",
    "outputs": ["out"],
    "override": [],
    "root": [],
    "runtime": [],
    "system": "builtin",
    "version": 1,
}
LIBRARY_PATH = derivation_path(LIBRARY)
LIBRARY_OUT = f"{LIBRARY_PATH}!out"

PROGRAM = {
    "args": ["-c", 'echo "hi\\there"\n\t\u0001\u007fäöü \U0001f980 ' + placeholder(LIBRARY_PATH, "out") + "/lib"],
    "builder": "/usr/bin/sh",
    "env": {"B": "2", "a": "", "Z_9": SOURCE, "ä": "kept"},
    "inputs": sorted([SOURCE, LIBRARY_OUT]),
    "name": "program-2.12",
    "outputs": ["dev", "out"],
    "override": [SEED],
    "root": [SEED, LIBRARY_OUT],
    "runtime": [LIBRARY_OUT],
    "system": "x86_64-linux",
    "version": 1,
}
TREE_FIXED = LIBRARY | {
    "name": "tree-fixed",
    "fixed": {"hash": "blake3:" + tree_digest(TREES["nested"]).hex(), "mode": "tree"},
}

LIBRARY_TREE = TREES["executable"]
LIBRARY_REALISED = tree_path(LIBRARY_TREE, "library-1.0")
ACTION = {
    "abi": 1,
    "args": [text.replace(placeholder(LIBRARY_PATH, "out"), LIBRARY_REALISED) for text in PROGRAM["args"]],
    "builder": PROGRAM["builder"],
    "env": PROGRAM["env"],
    "inputs": sorted([SOURCE, LIBRARY_REALISED]),
    "outputs": PROGRAM["outputs"],
    "root": base32(tree_digest(TREES["directory"])),
    "runtime": [LIBRARY_REALISED],
    "system": PROGRAM["system"],
    "version": 1,
}
ACTION_DIGEST = derive("larder action v1", canonical(ACTION))
FIXED_ACTION = {key: LIBRARY[key] for key in ("args", "builder", "env", "fixed", "outputs", "system", "version")} | {
    "abi": 1,
    "inputs": [],
    "root": base32(tree_digest({})),
    "runtime": [],
}


def realisation(tree, references):
    return {
        "action": base32(ACTION_DIGEST),
        "output": "out",
        "references": sorted(base32(reference) for reference in references),
        "runtime": [LIBRARY_REALISED],
        "tree": base32(tree_digest(tree)),
        "version": 1,
    }


# What is built in the test of records: a tree that mentions two others, and one that conflicts with it.
REFERENCES = sorted([tree_digest(FILE), tree_digest(TREES["nested"])])
BUILT = {b"uses": ("file", False, f"{SOURCE}\n{SEED}\n".encode()), b"l": ("symlink", b"uses")}
OTHER = {b"uses": ("file", False, b"nothing")}
COST = [1_700_000_000, 123_456, 2**40, 2**63 - 1]


def tree_payload(tree, references):
    return le(len(references), 4) + b"".join(references) + listing(tree)


DERIVATION_DIGEST = derive("larder derivation v1", canonical(PROGRAM))
BUILD = ACTION_DIGEST + b"".join(le(number, 8) for number in COST)
FRAMES = [
    ("derivation", frame(1, canonical(PROGRAM))),
    ("build", frame(6, BUILD)),
    ("resolution", frame(4, DERIVATION_DIGEST + ACTION_DIGEST)),
    ("realisation", frame(3, canonical(realisation(BUILT, REFERENCES)))),
    ("tree", frame(2, tree_payload(BUILT, REFERENCES))),
    ("build again", frame(6, BUILD)),
    ("resolution again", frame(4, DERIVATION_DIGEST + ACTION_DIGEST)),
    ("conflict", frame(5, canonical(realisation(OTHER, [])))),
    ("tree that lost", frame(2, tree_payload(OTHER, []))),
]


def vectors(encode, digest, values):
    return {name: {"hex": encode(value).hex(), "digest": digest(value)} for name, value in values.items()}


def write(name, value):
    with open(f"{name}.json", "w", encoding="utf-8") as file:
        json.dump(value, file, indent=1, ensure_ascii=True)
        file.write("\n")


def drv_digest(value):
    return base32(derive("larder derivation v1", canonical(value)))


write("trees", vectors(encode_tree, lambda tree: base32(tree_digest(tree)), TREES))
write("listings", vectors(listing, lambda tree: base32(tree_digest(tree)), TREES))
write("derivations", vectors(canonical, drv_digest, {"library": LIBRARY, "program": PROGRAM, "tree-fixed": TREE_FIXED}))
write(
    "actions",
    vectors(
        canonical, lambda value: base32(derive("larder action v1", canonical(value))), {"program": ACTION, "fixed": FIXED_ACTION}
    ),
)


def command(action):
    """What the command of an action sees: all but what its outputs are verified against."""
    return {name: value for name, value in action.items() if name not in ("runtime", "fixed")}


write(
    "commands",
    {
        name: {"digest": base32(derive("larder command v1", canonical(command(action))))}
        for name, action in {"program": ACTION, "fixed": FIXED_ACTION}.items()
    },
)
write("realisations", {name: {"hex": canonical(value).hex()} for name, value in
                       {"built": realisation(BUILT, REFERENCES), "other": realisation(OTHER, [])}.items()})
write("records", {"header": b"larder records 1\n".hex(), "frames": [{"name": name, "hex": one.hex()} for name, one in FRAMES]})
write(
    "paths",
    {
        "tree": SOURCE,
        "derivation": LIBRARY_PATH,
        "blob": blake3(b"content\n").hexdigest(),
        "placeholder out": placeholder(LIBRARY_PATH, "out"),
        "placeholder dev": placeholder(derivation_path(PROGRAM), "dev"),
        "sha256": "sha256:" + hashlib.sha256(b"abc").hexdigest(),
        "sha512": "sha512:" + hashlib.sha512(b"abc").hexdigest(),
        "blake3": "blake3:" + blake3(b"abc").hexdigest(),
    },
)
