let inherit (x) a; f = { b ? 1, ... }@s: s // { "${b}" = [ ./p <n> 1.5 ]; }; in
with f { }; assert a != -1 -> !c; if a ? b.c or d then ''
  text ${a} ''${x}
'' else rec { x = a.b or "\n"; } ++ [ http://example.org/ ] # end
/* comment */
