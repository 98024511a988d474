# Calls `function` (which takes named arguments) with `arguments`, after saying clearly what is unknown or missing.
{ didYouMean }:
what: function: arguments:

let
  inherit (builtins)
    attrNames
    concatStringsSep
    filter
    functionArgs
    head
    isAttrs
    typeOf
    ;
  formals = functionArgs function;
  unknown = filter (name: !(formals ? ${name})) (attrNames arguments);
  missing = filter (name: !formals.${name} && !(arguments ? ${name})) (attrNames formals);
in
if !isAttrs arguments then
  throw "${what} takes a set of named arguments, not a ${typeOf arguments}"
else if unknown != [ ] then
  throw "${what} has no argument `${head unknown}`${didYouMean (head unknown) (attrNames formals)}"
else if missing != [ ] then
  throw "${what} needs the argument `${concatStringsSep "`, `" missing}`"
else
  function arguments
