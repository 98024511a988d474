# Names found through `with`, in large sets, nested ones too, of which little is ever needed.
{ n }:
let
  inherit (builtins) foldl' genList listToAttrs;
  scope = prefix: size: listToAttrs (genList (i: { name = "${prefix}${toString i}"; value = { size = i; lazy = throw "not needed"; }; }) size);
  pkgs = scope "p" 5000 // { inherit lib; };
  lib = scope "l" 500 // { add = a: b: a + b; double = x: x * 2; inherit strings; };
  strings = scope "s" 300 // { text = i: "t${toString i}"; length = builtins.stringLength; };
  step = with pkgs; with lib; sum: i:
    with strings; add (double sum) (p17.size + l3.size + s8.size + length (text i) - sum + (with { p4999 = p4999; p1 = p2; }; p1.size));
  list = with pkgs; _: [ p1 p2 p3 p4 p5 p4000 p4001 p4002 ];
in [
  (foldl' (sum: i: let next = step sum i; in next - next / 1000003 * 1000003) 1 (genList (i: i) n))
  (foldl' (sum: i: sum + builtins.length (list i)) 0 (genList (i: i) n))
]
