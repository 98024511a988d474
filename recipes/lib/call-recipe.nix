# Calls a recipe with the members of `scope` that its function names.
{ didYouMean }:
scope: label: file:

let
  inherit (builtins)
    addErrorContext
    attrNames
    filter
    functionArgs
    head
    intersectAttrs
    isFunction
    ;
  recipe = import file;
  wanted = functionArgs recipe;
  unknown = filter (name: !(scope ? ${name}) && !wanted.${name}) (attrNames wanted);
in
if !isFunction recipe then
  throw "recipes/${label} is not a function of the packages and words it uses"
else if unknown != [ ] then
  throw (
    "recipes/${label} asks for `${head unknown}`, which is neither a package nor a word of recipes/lib"
    + didYouMean (head unknown) (attrNames scope)
  )
else
  addErrorContext "while evaluating recipes/${label}" (recipe (intersectAttrs wanted scope))
