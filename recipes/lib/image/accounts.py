"""Writes the files of /etc that say who there is.

usage: accounts.py OUT [PACKAGE…]

Reads `users` and `groups` from the environment, as JSON, and `indexed`, programs that are called elsewhere. A PACKAGE may
have /etc/passwd, /etc/group and /etc/shadow, which are what is begun with, and notes of the users and groups that its
installation asked for (usr/share/larder/deferred).
"""

import argparse
import json
import os
import pathlib
import shlex
import sys

SYSTEM_NUMBERS = range(999, 99, -1)
OTHER_NUMBERS = range(1000, 60000)


class AccountError(Exception):
    """Something that the author of a package or of the image can mend; its text says what."""


class Options(argparse.ArgumentParser):
    """The options of useradd and its like: what is said wrong is an error of the package."""

    def error(self, message):
        raise AccountError(message)

    def with_values(self, **names):
        for long, short in names.items():
            self.add_argument(f"-{short}", f"--{long.replace('_', '-')}")
        return self

    def without_values(self, letters):
        for letter in letters:
            self.add_argument(f"-{letter}", action="store_true")
        return self


def options_of(program, letters, **names):
    options = Options(program, add_help=False, allow_abbrev=False).without_values(letters).with_values(**names)
    options.add_argument("--system", dest="r", action="store_true")
    return options


USERADD = options_of(
    "useradd", "rmMNUolD", comment="c", home_dir="d", gid="g", groups="G", shell="s", uid="u", password="p",
    base_dir="b", expiredate="e", inactive="f", skel="k", key="K",
)
USERADD.add_argument("name", nargs="?")
GROUPADD = options_of("groupadd", "rof", gid="g", password="p", users="U", key="K")
GROUPADD.add_argument("name")
USERMOD = options_of(
    "usermod", "aLUom", comment="c", home="d", gid="g", groups="G", shell="s", uid="u", password="p", expiredate="e"
)
USERMOD.add_argument("name")
GPASSWD = options_of("gpasswd", "", add="a", delete="d", members="M")
GPASSWD.add_argument("name")


def free_number(taken, system):
    numbers = SYSTEM_NUMBERS if system else OTHER_NUMBERS
    return next(number for number in numbers if number not in taken)


class Accounts:
    """Users and groups by name.

    What packages and the image say as data (`said_users`, `said_groups`) is known before notes are followed, so that these
    may name it and take no number of it; afterwards it has the last word.
    """

    def __init__(self, said_users, said_groups):
        self.users, self.groups = {}, {}
        self.said_users, self.said_groups = said_users, said_groups

    def begin_with(self, package):
        """Takes what a package has in /etc."""
        for name, _, uid, gid, comment, home, shell in fields(package / "etc/passwd", 7):
            self.users[name] = {
                "uid": int(uid), "gid": int(gid), "comment": comment, "home": home, "shell": shell, "password": "*",
            }
        for name, _, gid, members in fields(package / "etc/group", 4):
            self.groups[name] = {"gid": int(gid), "members": [member for member in members.split(",") if member]}
        for name, password, *_ in fields(package / "etc/shadow", 9):
            if name in self.users:
                self.users[name]["password"] = password

    def know_data(self):
        """Takes groups and the numbers of users; the group of a user may be one that a note makes."""
        self.take_said_groups()
        for name, user in self.said_users.items():
            self.users[name] = {"uid": user["uid"]}

    def take_said_groups(self):
        """Members of whom data says nothing are those that packages ask for."""
        for name, said in self.said_groups.items():
            members = self.groups[name]["members"] if name in self.groups else []
            self.groups[name] = {"gid": said["gid"], "members": list(said.get("members", members))}

    def settle(self):
        """Gives data the last word."""
        self.take_said_groups()
        for name, user in self.said_users.items():
            self.users[name] = {
                "uid": user["uid"], "gid": self.number_of_group(user["group"]), "comment": name,
                "home": user.get("home", "/"), "shell": user.get("shell", "/usr/bin/false"),
                "password": user.get("password", "*"),
            }

    def number_of_group(self, name):
        if name in self.groups:
            return self.groups[name]["gid"]
        if name.isdigit():
            return int(name)
        raise AccountError(f"the group {name}, which there is not")

    def useradd(self, words):
        asked = USERADD.parse_args(words)
        # Of a user of data, the note may still bring the group.
        if asked.name is None or (asked.name in self.users and asked.name not in self.said_users):
            return
        uid = self.number_of_user(asked)
        if asked.gid is None and asked.name not in self.groups:
            gids = {group["gid"] for group in self.groups.values()}
            self.groups[asked.name] = {"gid": free_number(gids, asked.r) if uid in gids else uid, "members": []}
        self.users[asked.name] = {
            "uid": uid, "gid": self.number_of_group(asked.gid or asked.name), "comment": asked.comment or "",
            "home": asked.home_dir or f"{asked.base_dir or '/home'}/{asked.name}", "shell": asked.shell or "/bin/sh",
            "password": asked.password or "!",
        }
        self.join(asked.name, asked.groups)

    def number_of_user(self, asked):
        if asked.name in self.said_users:
            return self.said_users[asked.name]["uid"]
        taken = {user["uid"] for user in self.users.values()}
        return int(asked.uid) if asked.uid else free_number(taken, asked.r)

    def groupadd(self, words):
        asked = GROUPADD.parse_args(words)
        taken = {group["gid"] for group in self.groups.values()}
        if asked.name not in self.groups:
            gid = int(asked.gid) if asked.gid else free_number(taken, asked.r)
            self.groups[asked.name] = {"gid": gid, "members": []}
        for user in (asked.users or "").split(","):
            if user:
                self.join(user, asked.name)

    def usermod(self, words):
        asked = USERMOD.parse_args(words)
        if asked.name not in self.users:
            raise AccountError(f"the user {asked.name}, which there is not")
        if asked.name not in self.said_users:
            self.change(self.users[asked.name], asked)
        self.join(asked.name, asked.groups)

    def change(self, user, asked):
        changes = {"comment": asked.comment, "home": asked.home, "shell": asked.shell, "password": asked.password}
        user.update({key: value for key, value in changes.items() if value is not None})
        if asked.uid:
            user["uid"] = int(asked.uid)
        if asked.gid:
            user["gid"] = self.number_of_group(asked.gid)

    def gpasswd(self, words):
        asked = GPASSWD.parse_args(words)
        if asked.add:
            self.join(asked.add, asked.name)

    def join(self, user, names):
        for name in (names or "").split(","):
            if not name:
                continue
            if name not in self.groups:
                raise AccountError(f"the group {name}, which there is not")
            if user not in self.groups[name]["members"]:
                self.groups[name]["members"].append(user)

    def follow(self, note):
        """Does what a package has noted."""
        indexed = os.environ["indexed"].split()
        calls = {"useradd": self.useradd, "groupadd": self.groupadd, "usermod": self.usermod, "gpasswd": self.gpasswd}
        for line in note.read_text().splitlines():
            try:
                kind, command, *words = shlex.split(line)
                if kind == "run" and command in calls:
                    calls[command](words)
                elif kind == "run" and command not in indexed:
                    print(f"{note.name} asks for more than an image does: {shlex.join([command, *words])}")
            except (AccountError, ValueError) as error:
                raise AccountError(f"the package {note.name} asks for `{line}`: {error}") from error

    def refuse_shared_numbers(self):
        for what, entries, number in (("users", self.users, "uid"), ("groups", self.groups, "gid")):
            names = {}
            for name, entry in sorted(entries.items()):
                other = names.setdefault(entry[number], name)
                if other != name:
                    raise AccountError(f"the {what} {other} and {name} have the number {entry[number]}")

    def refuse_separators(self):
        """A field with a separator in it would be several, and somebody else."""
        for name, user in self.users.items():
            for field in (name, user["comment"], user["home"], user["shell"], user["password"]):
                check_field(f"the user {name!r}", field, ":")
        for name, group in self.groups.items():
            for field in (name, *group["members"]):
                check_field(f"the group {name!r}", field, ":,")

    def write(self, directory):
        by_number = lambda entries, number: sorted(entries.items(), key=lambda pair: (pair[1][number], pair[0]))
        users = by_number(self.users, "uid")
        passwd = ["{}:x:{uid}:{gid}:{comment}:{home}:{shell}\n".format(name, **user) for name, user in users]
        shadow = [f"{name}:{user['password']}:3653:0:99999:7:::\n" for name, user in users]
        groups = by_number(self.groups, "gid")
        group = [f"{name}:x:{entry['gid']}:{','.join(entry['members'])}\n" for name, entry in groups]
        directory.mkdir(parents=True)
        for name, lines in (("passwd", passwd), ("shadow", shadow), ("group", group)):
            (directory / name).write_text("".join(lines))


def check_field(whose, field, separators):
    for character in field:
        if character in separators or ord(character) < 32:
            raise AccountError(f"{whose} has {character!r} in {field!r}, which separates fields there")


def fields(path, count):
    """The fields of each line of such a file, if it is there."""
    if not path.is_file():
        return []
    lines = [line.split(":") for line in path.read_text().splitlines() if line and not line.startswith("#")]
    wrong = [line for line in lines if len(line) != count]
    if wrong:
        raise AccountError(f"/etc/{path.name} has a line without {count} fields: {':'.join(wrong[0])}")
    return lines


def main():
    out, *packages = map(pathlib.Path, sys.argv[1:])
    accounts = Accounts(json.loads(os.environ["users"]), json.loads(os.environ["groups"]))
    for package in packages:
        accounts.begin_with(package)
    accounts.know_data()
    for package in packages:
        for note in sorted((package / "usr/share/larder/deferred").glob("*")):
            accounts.follow(note)
    accounts.settle()
    accounts.refuse_shared_numbers()
    accounts.refuse_separators()
    accounts.write(out / "etc")


if __name__ == "__main__":
    try:
        main()
    except AccountError as error:
        sys.exit(f"accounts: {error}")
