# What init starts, from data; and the few files of /etc that an image has of itself.
#
#   services  name → { command; when ? "respawn"; terminal ? ""; }   (when: sysinit, wait, once, respawn or shutdown)
{ write }:
{
  hostName,
  init,
  name,
  services,
}:

let
  inherit (builtins)
    attrNames
    concatMap
    concatStringsSep
    elem
    elemAt
    filter
    genList
    length
    toString
    ;
  moments = [
    "sysinit"
    "wait"
    "once"
    "respawn"
    "shutdown"
  ];
  momentOf =
    service:
    let
      moment = services.${service}.when or "respawn";
    in
    if elem moment moments then
      moment
    else
      throw "the service ${service} starts at `${moment}`; known are ${concatStringsSep ", " moments}";
  commandOf = service: services.${service}.command;
  at = moment: filter (service: momentOf service == moment) (attrNames services);
  ordered = concatMap at moments;

  # busybox: terminal, nothing, moment, command.
  busybox = concatStringsSep "" (
    map (
      service: "${services.${service}.terminal or ""}::${momentOf service}:${commandOf service}\n"
    ) ordered
  );

  # sysvinit: a short name, the levels, moment, command. Level 3 is the system at work, 0 and 6 are its end.
  sysvinit = concatStringsSep "" (
    [ "id:3:initdefault:\n" ]
    ++ genList (index: sysvinitLine index (elemAt ordered index)) (length ordered)
  );
  sysvinitLine =
    index: service:
    let
      moment = momentOf service;
      levels = {
        sysinit = "";
        shutdown = "06";
      };
      action = if moment == "shutdown" then "wait" else moment;
    in
    "s${toString index}:${levels.${moment} or "3"}:${action}:${commandOf service}\n";

  tables = { inherit busybox sysvinit; };
in
write {
  name = "${name}-etc";
  entries = {
    "etc/hostname".text = "${hostName}\n";
    "etc/hosts".text = "127.0.0.1 localhost ${hostName}\n::1 localhost\n";
    "etc/inittab".text =
      tables.${init}
        or (throw "the init `${init}` is not known; known are ${concatStringsSep ", " (attrNames tables)}");
    "etc/os-release".text = "ID=${name}\nNAME=${name}\nPRETTY_NAME=${name}\n";
  };
}
