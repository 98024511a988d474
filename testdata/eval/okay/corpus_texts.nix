# newer: expressions that were compared with Nix 2.34 one by one
[
  (''
  a
    b
''
  )
  (''
	a
	b
''
  )
  (''
   a
  ${"b"}
 c''
  )
  (''

  a

  b

''
  )
  (''  a
  b''
  )
  (''
  a\n
  ''\n
  '''
  ''${x}
  $$ $${
''
  )
  (''
  ${"a
b"}
    c
''
  )
  (''
  a
 ''
  )
  (''
  a
   ''
  )
  (''   '')
  (''
''
  )
  (''

''
  )
  ('' '')
  (''${"a"}'')
  (''  ${"a"}  '')
  (''
  x ${"a"}
    y
  z''
  )
  (''
    ''${"a"}
  b''
  )
  (''
    ''\t
  b''
  )
  (''
    ''$
  b''
  )
  (''
    $
  b''
  )
  (''a''${b}c'')
  (''a$${b}c'')
  (''a$''${b}c'')
  (''$${"a"}'')
  (''$$${"a"}'')
  (''$''${"a"}'')
  (''''${"a"}'')
  (''\${"a"}'')
  (''''\${"a"}'')
  (''''\a''\b''\"''\''')
  (''''\
b''
  )
  (''
  a
  
  b
''
  )
  (''
  a
	b
''
  )
  (''
  a    
  b  
  ''
  )
  (''"'"'"'')
  (''''''')
  (''a'b'c'')
  (''a' '')
  (''x''''')
  ("a
  b
	c"
  )
  ("\t\n\r\\\"\$\a\z")
  ("$")
  ("$$")
  ("$$$")
  ("$${")
  ("\$${"a"}")
  ("$\{")
  ("a$b")
  ("${"a"}$")
  ("${"a"}$${")
  ("''")
  ("\''")
  ("
"
  )
  ("a\${b} $${c} $ \" \\ \n \r \t")
  (["\${" "$" "$$" "$\${" "\\\${" "\\"])
  ("é ü 😀")
  (1 # comment
  )
  (1 /* comment */)
  (1 /* a /* b */)
  (/** doc */ 1)
  (/**/ 1)
  (/***/ 1)
  (
1
  )
  ({ a = 1; /* x */ b = 2; # y
}
  )
  (let a = 1; in a # c
  )
  ([ (1 - 1) ])
  (let a.b = 1; in [ a.b a . b ])
  (let f = x: x; in [ f 1 (f 1) ])
  ({ a = 1 ; }.a)
  ({ a.b.c = 1; }.a.b.c)
  ({ a."b".${"c"} = 1; })
  ({ a = { b = 1; }; }.a.b or 2)
  ({ a = { b = 1; }; }.a.c or 2)
  ({ }.a or { }.b or 3)
  ({ }.a or 1 + 1)
  (({ }.a or (x: x)) 1)
  ({ }.a or (x: x) 1)
  (let f = x: x; in f { }.a or 1)
  (let f = x: y: x + y; in f 1 { }.a or 2)
  (1 + 2 * 3 - 4 / 2)
  (10 - 3 - 2)
  (8 / 2 / 2)
  ([ 1 ] ++ [ 2 ] ++ [ 3 ])
  ({ a = 1; } // { a = 2; } // { b = 3; })
  (true && false || true)
  (true || false && false)
  (!true || true)
  (!(true && false))
  (! true == false)
  (!{ a = true; }.a)
  (!{ } ? a)
  (- 1 + 2)
  (-(1 + 2))
  (- 2 * 3)
  (1 < 2 == true)
  ((1 < 2) == (2 > 1))
  (true -> false -> true)
  (false -> true && false)
  (true == false -> true)
  ({ a = 1; } ? a && true)
  ({ a = 1; } ? a == true)
  (1 + { a = 1; } . a)
  ("a" + "b" == "ab")
  ([1] ++ [2] == [1 2])
  (if true then 1 else 2 + 3)
  ((if true then 1 else 2) + 3)
  (let x = 1; in x + 2)
  (with { x = 1; }; x + 2)
  (assert true; 1 + 2)
  (x: x + 1)
  ((x: x) 1 + 2)
  ([ (x: x) ])
  (f: f)
  ({ a, b }: a)
  ({ a ? 1, b, ... }@args: a)
  (args@{ a ? 1, b, ... }: a)
  ({ }: 1)
  ({ ... }: 1)
  (let in 1)
  (rec { })
  (1 ? a)
  (1.)
  (00)
  (0.0)
  (let a- = 1; in a-)
  (let a-b = 1; in a-b)
  (let a' = 1; in a')
  (let a'b = 1; in a'b)
  (let A_b-c'9 = 1; in A_b-c'9)
  ([ /a/b ])
  ((x: x)/a)
  (let a = 4; b = 2; in a / b)
  (let a = 4; b = 2; in a/ b)
  (4/ 2)
  (a:b)
  (let b = 1; in (a:b))
  (let b = 1; in (a: b) 2)
  (http://a.b/c?d=e#f
  )
  ([ http://a.b http://c ])
  (a+b:c)
  (a.b:c)
  (x:1)
  ({ or = 1; })
  ({ a.or = 1; })
  ({ or.a = 1; })
  ({ inherit ({ or = 1; }) or; })
  (let or = 2; f = x: x; in f or)
  (let or = 2; f = x: y: x + y; in f 1 or)
  (let or = 2; f = x: x; in [ f or ])
  ({ a = 1; }.or or 3)
  ({ ${"or"} = 1; }.or)
  ({ a = 1; } ? or)
  (let a = { or = 1; }; in a.or)
  (let a = { or = { b = 1; }; }; in a.or.b)
  ({ "if" = 1; }."if")
  ({ inherit (1); })
  (with { a = 1; }; { inherit a; })
  (with { a = 1; }; let inherit a; in a)
  (let a = 1; b = { inherit a; }; in b)
  ({ a = { }; a.b = 1; a.c = 2; })
  ({ a = rec { }; a.b = 1; })
  (rec { a = { b = c; }; a.c = 1; c = 2; })
  (rec { a.b = c; c = 1; a.d = a.b; })
  (let a.b = 1; a.c = a.b; in a)
  ({ a.b.c = 1; a = { b.d = 2; }; })
  ({ a = { inherit ({x=1;}) x; }; a.y = 2; })
  ({ a.y = 2; a = { inherit ({x=1;}) x; }; })
  ({ a = { ${"x"} = 1; }; a.y = 2; })
  ({ a.${"x"} = 1; a.${"y"} = 2; })
  ({ ${"a"}.x = 1; a.y = 2; })
  ({ a = ({ }); a.b = 1; })
  ({ "a".b = 1; a."c" = 2; })
  (let { a = 1; body = a; b.c = 2; })
  ([ let { body = 1; } ])
  ((let { body = { a = 1; }; }).a)
  (let { body = { a = 1; }; }.a)
  (rec { __overrides = { a = 2; c = 3; }; a = 1; b = a; })
  ({ __overrides = { a = 2; }; a = 1; })
  (let __overrides = { a = 2; }; a = 1; in a)
  (rec { __overrides.a = 2; a = 1; b = a; })
  (rec { "__overrides" = { a = 2; }; a = 1; b = a; })
  (rec { ${"__overrides"} = { a = 2; }; a = 1; b = a; })
  (rec { __overrides = { b = a + 1; }; a = 1; b = 5; })
  (let { __overrides = { a = 2; }; a = 1; body = a; })
]
