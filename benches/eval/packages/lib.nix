# What package sets are made with: a fixed point with overlays, recipes that are called with what they ask for, overriding, and a
# wrapper around `derivation` that takes package lists apart.
let
  inherit (builtins) attrNames concatLists concatMap elem filter foldl' functionArgs intersectAttrs isAttrs isFunction isList
    isString mapAttrs removeAttrs stringLength;

  lib = rec {
    fix = f: let x = f x; in x;
    extends = overlay: f: self: let super = f self; in super // overlay self super;
    composeExtensions = overlays: base: foldl' (f: overlay: extends overlay f) base overlays;
    makeExtensible = f: fix f // { extend = overlay: makeExtensible (extends overlay f); };
    optional = condition: value: if condition then [ value ] else [ ];
    optionals = condition: list: if condition then list else [ ];
    optionalAttrs = condition: set: if condition then set else { };
    enableFeature = condition: name: if condition then "--enable-${name}" else "--disable-${name}";
    flatten = value: if isList value then concatMap flatten value else [ value ];
    unique = foldl' (seen: value: if elem value seen then seen else seen ++ [ value ]) [ ];
    isDerivation = value: isAttrs value && value.type or null == "derivation";
    setFunctionArgs = f: args: { __functor = self: f; __functionArgs = args; };
    functionArgsOf = f: if isFunction f then functionArgs f else f.__functionArgs or { };

    # The result of a function, with the means to call it again with other arguments.
    makeOverridable = f: args:
      let
        result = f args;
        changed = new: makeOverridable f (args // (if isFunction new then new args else new));
      in
      if isAttrs result then result // {
        override = setFunctionArgs changed (functionArgsOf f);
        overrideDerivation = g: makeOverridable (args: let old = f args; in old // g old) args;
        ${if result ? overrideAttrs then "overrideAttrs" else null} = g: makeOverridable (args: (f args).overrideAttrs g) args;
      }
      else result;

    callPackageWith = scope: file: args:
      let
        f = if isFunction file then file else import file;
        asked = functionArgs f;
        given = intersectAttrs asked scope // args;
        missing = filter (name: ! asked.${name} && ! given ? ${name}) (attrNames asked);
      in
      if missing == [ ] then makeOverridable f given
      else throw "the recipe ${toString file} asks for `${builtins.head missing}`, which there is not";

    licenses = mapAttrs (name: fullName: { inherit fullName; shortName = name; free = name != "unfree"; }) {
      mit = "MIT License";
      gpl3 = "GNU General Public License v3.0";
      asl20 = "Apache License 2.0";
      unfree = "Unfree";
    };
  };

  outputsOf = package: output: package.${output} or package;

  # All kinds of dependency that a package may name, and which output of them is meant.
  kinds = { nativeBuildInputs = "dev"; buildInputs = "dev"; propagatedBuildInputs = "dev"; checkInputs = "dev"; runtimeInputs = "out"; };

  checkMeta = meta: attrs: name:
    if ! (meta.license or lib.licenses.mit).free && ! (attrs.allowUnfree or false) then throw "${name} is not free"
    else if meta.broken or false then throw "${name} is marked as broken"
    else if ! elem attrs.system (meta.platforms or [ attrs.system ]) then throw "${name} is not for ${attrs.system}"
    else true;

  mkDerivation = { system, shell }: fixedPoint:
    let
      build = f:
        let
          attrs = f attrs' // { };
          attrs' = attrs // { finalPackage = package; };
          name = attrs.name or "${attrs.pname}-${attrs.version}";
          dependencies = mapAttrs (kind: output: map (package: outputsOf package output) (lib.unique (filter (x: x != null) (lib.flatten (attrs.${kind} or [ ]))))) kinds;
          meta = { inherit name; platforms = [ "x86_64-linux" "aarch64-linux" ]; } // attrs.meta or { };
          arguments = removeAttrs attrs [ "meta" "passthru" "pname" "finalPackage" "checkInputs" ] // dependencies // {
            inherit name system;
            builder = shell;
            args = [ "-e" (attrs.builder or "/setup.sh") ];
            outputs = attrs.outputs or [ "out" ];
            configureFlags = lib.optionals (! (attrs.dontConfigure or false)) ([ "--prefix=/usr" ] ++ attrs.configureFlags or [ ]);
            doCheck = attrs.doCheck or true && dependencies.checkInputs != [ ];
            strictDeps = true;
            patches = attrs.patches or [ ];
          };
          package = derivation arguments // {
            inherit meta;
            inherit (attrs) version;
            pname = attrs.pname or name;
            overrideAttrs = g: build (self: let old = f self; in old // g old);
            passthru = attrs.passthru or { };
          } // attrs.passthru or { };
        in if checkMeta meta { inherit system; } name then package else null;
    in build (if isFunction fixedPoint then fixedPoint else _: fixedPoint);

  packageSet = { system, recipes, overlays ? [ ] }:
    let
      base = self: {
        inherit lib;
        callPackage = lib.callPackageWith self;
        stdenv = {
          inherit system;
          shell = "/bin/sh";
          mkDerivation = mkDerivation { inherit system; shell = self.stdenv.shell; };
          isLinux = true;
        };
      };
      all = self: super: mapAttrs (name: file: self.callPackage file { }) recipes;
    in lib.fix (lib.composeExtensions ([ all ] ++ overlays) base);
in { inherit lib packageSet; }
