let inherit (builtins) toJSON fromJSON; in
[
  (toJSON null) (toJSON true) (toJSON 1) (toJSON 1.5) (toJSON "a\"b\\c\n\t/é") (toJSON [ 1 [ ] { } ]) (toJSON { b = 1; a = { c = "x"; }; }) (toJSON { outPath = "p"; x = 1; }) (toJSON { __toString = s: "str"; }) (toJSON "") (toJSON 0.1) (toJSON 100000000000000000000.0) (toJSON (-1.5e-8))
  (fromJSON "1") (fromJSON "1.5") (fromJSON "\"x\\u00e9\\n\"") (fromJSON "[1, true, null, {\"a\": [\"b\"]}]") (fromJSON "{\"b\":1,\"a\":2}") (fromJSON "-5") (fromJSON "1e3") (fromJSON " [ ] ") (fromJSON "{}")
  (fromJSON (toJSON { a = [ 1 2 { b = null; } ]; })) (toJSON "\u0001")
]
