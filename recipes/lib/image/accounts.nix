# The files of /etc that say who there is, from data:
#
#   users   name → { uid; group; home ? "/"; shell ? "/usr/bin/false"; password ? "*"; }   (password: crypted, or "")
#   groups  name → { gid; members ? [ ]; }
#
# Packages of other distributions (`deferring`) say what they want when they are built: `accounts.py` adds it, also members
# to a group whose `members` are not said.
{ didYouMean, step }:
{
  deferring,
  groups,
  indexed, # commands that are followed elsewhere
  users,
}:

let
  inherit (builtins)
    attrNames
    concatStringsSep
    filter
    toJSON
    toString
    ;

  # What a deferring package will ask for is not known yet.
  withoutGroup = filter (name: deferring == [ ] && !(groups ? ${users.${name}.group})) (
    attrNames users
  );
  unknownGroup =
    name:
    let
      inherit (users.${name}) group;
    in
    "the user ${name} is in the group `${group}`, which there is not${didYouMean group (attrNames groups)}";

  # Two names for one number would be one user to the kernel.
  clashes =
    what: number: set:
    let
      byNumber = builtins.groupBy (name: toString set.${name}.${number}) (attrNames set);
      shared = filter (key: builtins.length byNumber.${key} > 1) (attrNames byNumber);
    in
    map (key: "the ${what} ${concatStringsSep " and " byNumber.${key}} have the number ${key}") shared;
  problems =
    clashes "users" "uid" users ++ clashes "groups" "gid" groups ++ map unknownGroup withoutGroup;
in
if problems != [ ] then
  throw (builtins.head problems)
else
  step "accounts" ./accounts.sh {
    program = "${./accounts.py}";
    users = toJSON users;
    groups = toJSON groups;
    deferring = concatStringsSep " " deferring;
    inherit indexed;
  }
