map (x: [ (builtins.typeOf x) (builtins.isInt x) (builtins.isFloat x) (builtins.isString x) (builtins.isBool x) (builtins.isNull x) (builtins.isList x) (builtins.isAttrs x) (builtins.isFunction x) (builtins.isPath x) ])
  [ 1 1.5 "s" true null [ ] { } (x: x) ./p builtins.map (builtins.map 1) (rec { a = 1; }) "${"x"}" ]
