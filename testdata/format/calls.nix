{
  last = f { a = 1; b = 2; };
  inner = f { a = 1; b = 2; } x;
  both = f { a = 1; b = 2; } { c = 1; d = 2; };
  lists = f [ 1 2 3 ] [ 4 5 6 ];
  simple = aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb;
  long = aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb ccccccccccccccccccccccc ddd;
  function = map (x: { a = x; }) xs;
  body = map (x: let y = x; in y) xs;
  wrapped = f (g { a = 1; b = 2; });
  paren = f (a + b) (c d) (e: g);
  concat = lib.concatMapStringsSep "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" (x: "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb" + x) xs;
}
