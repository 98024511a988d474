"""Writes the inputs that are too large to keep: a big file, a configuration of many modules, package sets."""

import random
from pathlib import Path

HERE = Path(__file__).resolve().parent


def big_file(path: Path, size: int) -> None:
    """A file of about `size` bytes with all that syntax has, as generated package lists and hand-written modules mix it."""
    rng = random.Random(1)
    parts, length, n = ["let lib = { }; in (rec {\n"], 0, 0
    while length < size:
        part = f"""
  # The {n}th entry: {"lorem ipsum dolor sit amet " * rng.randrange(3)}
  entry{n} = {{ name ? "entry-{n}", value ? {rng.randrange(10**6)}, flags ? [ "-O2" "-g" ], ... }}@args:
    let
      inherit (lib) concat optional;
      total = value * 3 + {n} / (1 + {rng.randrange(50)}) - (if value > {n} then 1 else -1);
      text = ''
        [Unit]
        Description=${{name}} number ${{toString total}}
          ExecStart=/usr/bin/${{name}} --level=''${{LEVEL}} --config="/etc/${{name}}.conf"
      '';
    in assert total != {rng.randrange(10**9)}; with lib; {{
      inherit name total text; meta.description = "An \\"entry\\" with ${{toString (args.extra or [ ])}}\\n";
      "quoted-{n}" = [ ./some/path{n} (x: y: x + y) {rng.random():.6f} true null ]; nested.a.b.c = args ? extra.deep && !(args ? other) || value >= 3 -> total <= 4;
      list = [ 1 2 3 "four" ] ++ flags ++ (if flags == [ ] then [ ] else [ (builtins.head flags) ]); merged = {{ a = 1; }} // {{ b = -value; }};
    }};
  hash{n} = {{ url = "mirror://example/pool/{n}/file-{n}.tar.gz"; sha256 = "{rng.getrandbits(256):064x}"; }};
"""
        parts.append(part)
        length += len(part)
        n += 1
    parts.append(f"\n  result = (entry{n - 1} {{ }}).total + hash0.sha256.length or 7;\n}}).result\n")
    path.write_text("".join(parts))


def module(n: int) -> str:
    """A module with 20 options, which uses those of the module before it."""
    before = n - 1 if n % 10 else n
    return f"""{{ config, lib, ... }}:
let
  inherit (lib) mkDefault mkEnableOption mkForce mkIf mkMerge mkOption types;
  cfg = config.services.s{n};
  before = config.services.s{before};
in {{
  imports = [ {"" if n % 10 != 9 else f"./extra{n}.nix"} ];
  options.services.s{n} = {{
    enable = mkEnableOption "service {n}";
    package = mkOption {{ type = types.str; default = "package-{n}"; description = "The package."; }};
    port = mkOption {{ type = types.port; default = {1000 + n}; example = 80; description = "The port."; }};
    workers = mkOption {{ type = types.int; default = 1; description = "How many workers there are."; }};
    level = mkOption {{ type = types.enum [ "debug" "info" "warning" ]; default = "info"; description = "What is logged."; }};
    user = mkOption {{ type = types.str; default = "s{n}"; description = "Who runs it."; }};
    group = mkOption {{ type = types.str; default = cfg.user; description = "The group."; }};
    directory = mkOption {{ type = types.path; default = "/var/lib/s{n}"; description = "Where the state is."; }};
    timeout = mkOption {{ type = types.nullOr types.int; default = null; description = "Seconds."; }};
    listen = mkOption {{ type = types.listOf types.str; default = [ ]; description = "Addresses."; apply = map (a: "${{a}}:${{toString cfg.port}}"); }};
    tags = mkOption {{ type = types.listOf (types.either types.int types.str); default = [ ]; description = "Marks."; }};
    environment = mkOption {{ type = types.attrsOf types.str; default = {{ }}; description = "Variables."; }};
    limits = mkOption {{ type = types.attrsOf (types.nullOr (types.oneOf [ types.bool types.int types.str ])); default = {{ }}; description = "Limits."; }};
    extraConfig = mkOption {{ type = types.lines; default = ""; description = "More configuration."; }};
    after = mkOption {{ type = types.listOf types.str; default = [ ]; description = "What starts first."; }};
    hardening.private = mkOption {{ type = types.bool; default = true; description = "Whether it sees little."; }};
    hardening.calls = mkOption {{ type = types.listOf types.str; default = [ "read" "write" ]; description = "System calls."; }};
    hardening.level = mkOption {{ type = types.between 0 10; default = if cfg.hardening.private then 7 else 2; description = "How hard."; }};
    backup = mkOption {{ type = types.nullOr (types.submodule {{
      options.target = mkOption {{ type = types.str; description = "Where to."; }};
      options.keep = mkOption {{ type = types.int; default = 7; description = "How many."; }};
    }}); default = null; description = "Backups."; }};
    users = mkOption {{ type = types.attrsOf (types.submodule ({{ name, config, ... }}: {{
      options.name = mkOption {{ type = types.str; default = name; description = "The name."; }};
      options.shell = mkOption {{ type = types.path; default = "/bin/sh"; description = "The shell."; }};
      options.home = mkOption {{ type = types.path; default = "/home/${{config.name}}"; description = "The home."; }};
    }})); default = {{ }}; description = "Users."; }};
  }};
  config = mkMerge [
    {{ services.s{n}.enable = mkDefault {"true" if n % 3 else "false"}; }}
    (mkIf cfg.enable {{
      services.s{n} = {{
        environment = {{ NUMBER = "{n}"; PORT = toString cfg.port; PATH = mkForce "/usr/bin"; BEFORE = toString before.port; }};
        tags = [ {n} "service" ];
        users.admin{n} = {{ home = "/srv/admin"; }};
        users.guest = {{ name = mkDefault "guest{n}"; }};
        extraConfig = "listen = ${{lib.concatMapStringsSep "," (x: x) cfg.listen}}";
      }};
      services.s{n}.after = lib.optional before.enable "s{before}.service";
      system.units."s{n}.service" = {{ text = "User=${{cfg.user}}\\n${{cfg.extraConfig}}"; wanted = [ "multi-user" ]; }};
      system.ports = [ cfg.port ];
    }})
    (mkIf (cfg.hardening.level > 5) {{ services.s{n}.limits = {{ open = {n}; core = false; cpu = null; memory = "1G"; }}; services.s{n}.extraConfig = lib.mkBefore "# hardened"; }})
    (mkIf before.hardening.private {{ services.s{n}.backup = {{ target = "/backup/s{n}"; }}; services.s{n}.listen = lib.mkAfter [ "localhost" ]; }})
  ];
}}
"""


def modules(directory: Path, count: int) -> Path:
    """A configuration made of `count` modules with 20 options each."""
    directory.mkdir()
    for n in range(count):
        (directory / f"s{n}.nix").write_text(module(n))
        if n % 10 == 9:
            (directory / f"extra{n}.nix").write_text(
                f"{{ lib, ... }}: {{ services.s{n} = {{ port = lib.mkForce {20000 + n}; listen = lib.mkBefore [ \"::1\" ]; workers = 4; }}; }}\n"
            )
    (directory / "system.nix").write_text("""{ lib, ... }: let inherit (lib) mkOption types; in {
  options.system.ports = mkOption { type = types.listOf types.port; default = [ ]; description = "Open ports."; };
  options.system.units = mkOption { default = { }; description = "Units."; type = types.attrsOf (types.submodule {
    options.text = mkOption { type = types.lines; default = ""; description = "The text."; };
    options.wanted = mkOption { type = types.listOf types.str; default = [ ]; description = "By whom."; };
  }); };
}
""")
    (directory / "configuration.nix").write_text(
        "{ config, lib, ... }: {\n  imports = [ ./system.nix "
        + " ".join(f"./s{n}.nix" for n in range(count))
        + " ];\n"
        + "".join(f"  services.s{n}.workers = lib.mkOverride 90 {n};\n" for n in range(0, count, 7))
        + "  system.ports = lib.mkBefore [ 22 ];\n}\n"
    )
    root = directory / "default.nix"
    root.write_text(f"""# Every value of the configuration, and how many options there are.
let
  lib = import {HERE}/options/lib.nix;
  evaluated = lib.evalModules {{ modules = [ ./configuration.nix ]; }};
  text = builtins.toJSON evaluated.config;
in {{
  options = builtins.length (lib.collectOptions (removeAttrs evaluated.options [ "_module" ]));
  length = builtins.stringLength text;
  hash = builtins.hashString "sha256" text;
}}
""")
    return root


def recipe(rng: random.Random, n: int) -> str:
    """A package that needs 5 to 10 of those before it."""
    count = min(n, rng.randrange(5, 11))
    inputs = [f"p{m}" for m in rng.sample(range(n), count)]
    native, build, propagated = inputs[: count // 3], inputs[count // 3 : -1], inputs[-1:]
    checks = f" ++ lib.optionals doCheck [ {build[0]} ]" if build else ""
    arguments = ", ".join(["lib", "stdenv", *inputs, "doCheck ? false", "withExtra ? true"])
    outputs = '  outputs = [ "out" "dev" ];\n' if n % 8 == 0 else ""
    return f"""{{ {arguments} }}:

stdenv.mkDerivation rec {{
  pname = "package-{n}";
  version = "{n % 7}.{n % 11}.{n % 13}";
{outputs}
  src = "mirror://example/${{pname}}/${{pname}}-${{version}}.tar.gz";
  sourceHash = "{rng.getrandbits(256):064x}";

  nativeBuildInputs = [ {" ".join(native)} ];
  buildInputs = [ {" ".join(build)} ]{checks};
  propagatedBuildInputs = [ {" ".join(propagated)} ];

  configureFlags = [ "--sysconfdir=/etc" (lib.enableFeature withExtra "extra") ] ++ lib.optional stdenv.isLinux "--with-linux";
  postPatch = ''
    substituteInPlace Makefile --replace-fail /usr/local /usr
  '' + (if withExtra then "echo ${{version}} > VERSION\\n" else "");

  meta = {{
    description = "Package number {n}";
    homepage = "mirror://example/${{pname}}";
    license = lib.licenses.{"mit" if n % 2 else "gpl3"};
  }};
}}
"""


def packages(directory: Path, count: int) -> Path:
    """A set of `count` packages, a file each. `names.nix` gives the set; `default.nix` reads all that is to be read."""
    rng = random.Random(2)
    for shard in range(0, count, 500):
        (directory / str(shard // 500)).mkdir(parents=True)
    for n in range(count):
        (directory / str(n // 500) / f"p{n}.nix").write_text(recipe(rng, n))
    (directory / "set.nix").write_text(f"""{{ salt ? "" }}:
let
  sets = import {HERE}/packages/lib.nix;
  inherit (sets) lib;
  recipes = builtins.listToAttrs (builtins.genList (n: {{ name = "p${{toString n}}"; value = ./. + "/${{toString (n / 500)}}/p${{toString n}}.nix"; }}) {count});
  salted = self: super: lib.optionalAttrs (salt != "") {{ p0 = super.p0.overrideAttrs (old: {{ inherit salt; }}); }};
  patched = self: super: {{
    p3 = super.p3.override {{ withExtra = false; }};
    p5 = super.p5.overrideAttrs (old: {{ configureFlags = old.configureFlags ++ [ "--with-patches" ]; }});
  }};
  all = sets.packageSet {{ system = "x86_64-linux"; inherit recipes; overlays = [ patched salted ]; }};
in builtins.mapAttrs (name: _: all.${{name}}) recipes
""")
    root = directory / "default.nix"
    root.write_text("""# Reads all `drvPath`s; what is printed says how many there are, since the paths are each program's own.
let
  packages = builtins.attrValues (import ./set.nix { });
in builtins.foldl' (count: package: if builtins.match ".*-package-[0-9.-]*[.]drv" package.drvPath != null then count + 1 else throw package.drvPath) 0 packages
""")
    (directory / "all.nix").write_text("""# One derivation that needs all.
derivation {
  name = "all";
  system = "x86_64-linux";
  builder = "/bin/sh";
  packages = builtins.attrValues (import ./set.nix { });
}
""")
    return root
