# The files of /etc that say who there is, from data:
#
#   users   name → { uid; group; home ? "/"; shell ? "/usr/bin/false"; password ? "*"; }   (password: crypted, or "")
#   groups  name → { gid; members ? [ ]; }
{ didYouMean, write }:
{ users, groups }:

let
  inherit (builtins)
    attrNames
    concatStringsSep
    filter
    lessThan
    listToAttrs
    sort
    toString
    ;

  # In the order of their numbers, as such files usually are.
  ordered =
    number: set:
    sort (left: right: lessThan set.${left}.${number} set.${right}.${number}) (attrNames set);
  lines =
    line: number: set:
    concatStringsSep "" (map (name: line name set.${name} + "\n") (ordered number set));

  groupOf =
    name: user:
    groups.${user.group}
      or (throw "the user ${name} is in the group `${user.group}`, which there is not${didYouMean user.group (attrNames groups)}");

  passwd =
    name: user:
    concatStringsSep ":" [
      name
      "x"
      (toString user.uid)
      (toString (groupOf name user).gid)
      name
      (user.home or "/")
      (user.shell or "/usr/bin/false")
    ];
  shadow = name: user: "${name}:${user.password or "*"}:3653:0:99999:7:::";
  group =
    name:
    {
      gid,
      members ? [ ],
    }:
    "${name}:x:${toString gid}:${concatStringsSep "," members}";

  # Two names for one number would be one user to the kernel.
  clashes =
    what: number: set:
    let
      byNumber = builtins.groupBy (name: toString set.${name}.${number}) (attrNames set);
      shared = filter (key: builtins.length byNumber.${key} > 1) (attrNames byNumber);
    in
    map (key: "the ${what} ${concatStringsSep " and " byNumber.${key}} have the number ${key}") shared;
  problems = clashes "users" "uid" users ++ clashes "groups" "gid" groups;
in
if problems != [ ] then
  throw (builtins.head problems)
else
  write {
    name = "accounts";
    entries = listToAttrs [
      {
        name = "etc/group";
        value.text = lines group "gid" groups;
      }
      {
        name = "etc/passwd";
        value.text = lines passwd "uid" users;
      }
      {
        name = "etc/shadow";
        value.text = lines shadow "uid" users;
      }
    ];
  }
