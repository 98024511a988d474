# A small module system of the usual shape: modules declare options with types and give definitions, both may look at the
# configuration that comes out; definitions have conditions and priorities, are checked, and merged as their type says.
let
  inherit (builtins) all any attrNames attrValues concatLists concatMap concatStringsSep elem elemAt filter foldl' functionArgs
    genList head intersectAttrs isAttrs isBool isFunction isInt isList isPath isString length listToAttrs mapAttrs removeAttrs
    tail toString typeOf zipAttrsWith;

  inherit (lists) imap optional;
  lists = {
    imap = f: list: genList (i: f (i + 1) (elemAt list i)) (length list);
    optional = condition: value: if condition then [ value ] else [ ];
  };
  filterAttrs = keep: set: removeAttrs set (filter (name: ! keep name set.${name}) (attrNames set));
  showOption = concatStringsSep ".";
  showFiles = defs: concatStringsSep ", " (map (def: def.file) defs);

  # Definitions with a wrapping

  wrapped = kind: value: isAttrs value && value._type or null == kind;
  defaultPriority = 100;
  mkOverride = priority: content: { _type = "override"; inherit priority content; };
  mkDefault = mkOverride 1000;
  mkForce = mkOverride 50;
  mkIf = condition: content: { _type = "if"; inherit condition content; };
  mkMerge = contents: { _type = "merge"; inherit contents; };
  mkOrder = order: content: { _type = "order"; inherit order content; };
  mkBefore = mkOrder 500;
  mkAfter = mkOrder 1500;

  mkOption = { type, ... }@attrs: attrs // { _type = "option"; };
  mkEnableOption = name: mkOption { type = types.bool; default = false; description = "Whether to enable ${name}."; };
  isOption = wrapped "option";

  # Conditions and merges move inwards, so that an attribute can be looked at without forcing its neighbours.
  pushDown = value:
    if wrapped "merge" value then concatMap pushDown value.contents
    else if wrapped "if" value then map (mapAttrs (_: mkIf value.condition)) (pushDown value.content)
    else if wrapped "override" value then map (mapAttrs (_: mkOverride value.priority)) (pushDown value.content)
    else [ value ];

  discharge = value:
    if wrapped "merge" value then concatMap discharge value.contents
    else if wrapped "if" value then
      if isBool value.condition then (if value.condition then discharge value.content else [ ])
      else throw "mkIf needs a condition that is true or false, not a ${typeOf value.condition}"
    else [ value ];

  filterOverrides = defs:
    let
      priority = def: if wrapped "override" def.value then def.value.priority else defaultPriority;
      lowest = foldl' (least: def: let p = priority def; in if p < least then p else least) 9999 defs;
      strip = def: if wrapped "override" def.value then def // { value = def.value.content; } else def;
    in map strip (filter (def: priority def == lowest) defs);

  sortOrders = defs:
    if ! any (def: wrapped "order" def.value) defs then defs
    else
      let
        weighed = map (def: if wrapped "order" def.value then def // { inherit (def.value) order; value = def.value.content; } else def // { order = 1000; }) defs;
      in builtins.sort (a: b: a.order < b.order) weighed;

  mergeDefinitions = loc: type: defs:
    let
      discharged = concatMap (def: map (value: { inherit (def) file; inherit value; }) (discharge def.value)) defs;
      final = sortOrders (filterOverrides discharged);
      wrong = filter (def: ! type.check def.value) final;
    in {
      isDefined = final != [ ];
      value =
        if final == [ ] then throw "the option `${showOption loc}` is used but not defined"
        else if wrong != [ ] then throw "a definition of the option `${showOption loc}` is not of type ${type.description}: ${showFiles wrong}"
        else type.merge loc final;
    };

  # Types

  mergeOne = loc: defs:
    if length defs == 1 then (head defs).value else throw "the option `${showOption loc}` is defined more than once: ${showFiles defs}";
  mergeEqual = loc: defs:
    let first = (head defs).value; in
    if all (def: def.value == first) (tail defs) then first else throw "the option `${showOption loc}` has definitions that contradict each other: ${showFiles defs}";
  mkType = { name, description ? name, check, merge ? mergeEqual, empty ? null, getSubOptions ? _: { } }:
    { _type = "type"; inherit name description check merge empty getSubOptions; };

  types = rec {
    bool = mkType { name = "bool"; check = isBool; };
    int = mkType { name = "int"; check = isInt; };
    between = low: high: mkType { name = "between"; description = "integer from ${toString low} to ${toString high}"; check = x: isInt x && x >= low && x <= high; };
    port = between 0 65535;
    str = mkType { name = "str"; check = isString; };
    path = mkType { name = "path"; check = x: isPath x || isString x && builtins.substring 0 1 x == "/"; merge = mergeOne; };
    lines = mkType { name = "lines"; check = isString; merge = loc: defs: concatStringsSep "\n" (map (def: def.value) defs); };
    anything = mkType { name = "anything"; check = _: true; merge = mergeOne; };
    enum = values: mkType { name = "enum"; description = "one of ${concatStringsSep ", " values}"; check = value: elem value values; };
    listOf = element: mkType {
      name = "listOf";
      description = "list of ${element.description}";
      check = isList;
      empty.value = [ ];
      merge = loc: defs: concatLists (imap (n: def: concatMap (entry: optional entry.isDefined entry.value)
        (imap (m: value: mergeDefinitions (loc ++ [ "[${toString n}-${toString m}]" ]) element [ { inherit (def) file; inherit value; } ]) def.value)) defs);
    };
    attrsOf = element: mkType {
      name = "attrsOf";
      description = "attribute set of ${element.description}";
      check = isAttrs;
      empty.value = { };
      getSubOptions = prefix: element.getSubOptions (prefix ++ [ "<name>" ]);
      merge = loc: defs: mapAttrs (_: merged: merged.value) (filterAttrs (_: merged: merged.isDefined)
        (zipAttrsWith (name: mergeDefinitions (loc ++ [ name ]) element)
          (map (def: mapAttrs (_: value: { inherit (def) file; inherit value; }) def.value) defs)));
    };
    nullOr = element: mkType {
      name = "nullOr";
      description = "null or ${element.description}";
      check = value: value == null || element.check value;
      empty.value = null;
      merge = loc: defs:
        let nulls = filter (def: def.value == null) defs; in
        if length nulls == length defs then null
        else if nulls == [ ] then element.merge loc defs
        else throw "the option `${showOption loc}` is both null and not null: ${showFiles defs}";
    };
    either = a: b: mkType {
      name = "either";
      description = "${a.description} or ${b.description}";
      check = value: a.check value || b.check value;
      merge = loc: defs:
        if all (def: a.check def.value) defs then a.merge loc defs
        else if all (def: b.check def.value) defs then b.merge loc defs
        else mergeOne loc defs;
    };
    oneOf = types: foldl' either (head types) (tail types);
    submodule = module: mkType {
      name = "submodule";
      check = value: isAttrs value || isFunction value;
      empty.value = { };
      getSubOptions = prefix: (evalModules { modules = [ module ]; inherit prefix; }).options;
      merge = loc: defs: (evalModules {
        prefix = loc;
        modules = [ module ] ++ map (def: { _file = def.file; config = def.value; }) defs;
        specialArgs.name = elemAt loc (length loc - 1);
      }).config;
    };
  };

  # Modules

  # A module that is a function gets what it asks for, by name, from the arguments that are known and `config._module.args`.
  applyModule = module: { config, options, lib, specialArgs }@args:
    if isFunction module then
      let
        known = { inherit config options lib; } // specialArgs;
        extra = mapAttrs (name: _: known.${name} or config._module.args.${name}) (functionArgs module);
      in module (known // extra)
    else module;

  unify = file: key: module:
    if module ? config || module ? options then
      let unknown = removeAttrs module [ "_file" "key" "imports" "options" "config" "meta" ]; in
      if unknown != { } then throw "the module ${file} has attributes that no module has: ${concatStringsSep ", " (attrNames unknown)}"
      else { file = module._file or file; key = module.key or key; imports = module.imports or [ ]; options = module.options or { }; config = module.config or { }; }
    else { file = module._file or file; key = module.key or key; imports = module.imports or [ ]; options = { }; config = removeAttrs module [ "_file" "key" "imports" "meta" ]; };

  load = args: parent: n: module:
    let
      isFile = isPath module || isString module;
      file = if isFile then toString module else parent;
    in unify file (if isFile then file else "${parent}:anonymous-${toString n}") (applyModule (if isFile then import module else module) args);

  collect = args: modules:
    let items = parent: list: imap (n: module: let loaded = load args parent n module; in { inherit (loaded) key; module = loaded; }) list; in
    map (item: item.module) (builtins.genericClosure {
      startSet = items "<start>" modules;
      operator = item: items item.module.key item.module.imports;
    });

  # Options and definitions of all modules, brought together name by name.
  mergeModules = prefix: declarations: definitions:
    let
      declared = zipAttrsWith (name: list: list)
        (map (declaration: mapAttrs (_: option: { inherit (declaration) file; inherit option; }) declaration.options) declarations);
      definedIn = definition: concatMap (config: [ (mapAttrs (_: value: { inherit (definition) file; inherit value; }) config) ]) (pushDown definition.config);
      defined = zipAttrsWith (name: list: list) (concatMap definedIn definitions);
      matched = mapAttrs (name: declarations:
        let
          loc = prefix ++ [ name ];
          defs = defined.${name} or [ ];
          options = filter (declaration: isOption declaration.option) declarations;
        in
        if length options == length declarations then evalOption loc (mergeDeclarations loc declarations) defs
        else if options != [ ] then throw "`${showOption loc}` is declared as an option and as a set of options: ${showFiles declarations}"
        else mergeModules loc
          (map (declaration: { inherit (declaration) file; options = declaration.option; }) declarations)
          (map (def: { inherit (def) file; config = def.value; }) defs)) declared;
      unmatched = filter (name: ! declared ? ${name}) (attrNames defined);
    in {
      options = mapAttrs (_: merged: if isOption merged then merged else merged.options) matched;
      config = mapAttrs (_: merged: if isOption merged then merged.value else merged.config) matched;
      unmatched = map (name: { loc = prefix ++ [ name ]; defs = defined.${name}; }) unmatched
        ++ concatMap (name: let merged = matched.${name}; in if isOption merged then [ ] else merged.unmatched) (attrNames matched);
    };

  mergeDeclarations = loc: declarations:
    foldl' (merged: declaration:
      let both = intersectAttrs merged declaration.option; in
      if both ? default || both ? type && both.type.name != merged.type.name then throw "the option `${showOption loc}` is declared more than once: ${showFiles declarations}"
      else merged // declaration.option // { declarations = merged.declarations ++ [ declaration.file ]; })
      { declarations = [ ]; } declarations;

  evalOption = loc: option: defs:
    let
      defaults = optional (option ? default) { file = head option.declarations; value = mkOverride 1500 option.default; };
      merged = mergeDefinitions loc option.type (defs ++ defaults);
      value = if merged.isDefined || option.type.empty == null then merged.value else option.type.empty.value;
      context = "while evaluating the option `${showOption loc}`";
    in option // {
      inherit loc;
      inherit (merged) isDefined;
      value = builtins.addErrorContext context (if option ? apply then option.apply value else value);
      files = map (def: def.file) defs;
      __toString = _: showOption loc;
    };

  evalModules = { modules, prefix ? [ ], specialArgs ? { } }:
    let
      internal = {
        _file = "<internal>";
        options._module.args = mkOption { type = types.attrsOf types.anything; default = { }; };
        options._module.check = mkOption { type = types.bool; default = true; };
      };
      all = collect { inherit config options lib specialArgs; } ([ internal ] ++ modules);
      merged = mergeModules prefix all all;
      options = merged.options;
      complain = map ({ loc, defs }: "`${showOption loc}`, defined in ${showFiles defs}") merged.unmatched;
      config =
        let result = removeAttrs merged.config [ "_module" ]; in
        if merged.config._module.check && merged.unmatched != [ ] then throw "there are no such options: ${concatStringsSep "; " complain}"
        else result // { inherit (merged.config) _module; };
    in { inherit options; config = removeAttrs config [ "_module" ]; };

  lib = {
    inherit evalModules filterAttrs imap isOption mkAfter mkBefore mkDefault mkEnableOption mkForce mkIf mkMerge mkOption mkOverride optional showOption types;
    optionals = condition: list: if condition then list else [ ];
    optionalString = condition: text: if condition then text else "";
    nameValuePair = name: value: { inherit name value; };
    mapAttrsToList = f: set: map (name: f name set.${name}) (attrNames set);
    concatMapStringsSep = separator: f: list: concatStringsSep separator (map f list);
    collectOptions = options: concatMap (option: if isOption option then [ option ] else lib.collectOptions option) (attrValues options);
    inherit listToAttrs;
  };
in lib
