{
  a = b // c; d = b // { c = 1; }; e = { b = 1; } // c // f { g = 1; };
  h = i ++ [ j k ]; l = [ m ] ++ n;
  o = aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa && bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb || ccccccccccccccccccccc && d;
  p = q == { r = 1; s = 2; }; t = u ? v.w && !x; y = -z * 2 + 3 - 4 / 5;
  aa = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb" + cc + "ddddddddddddddddddddddddddddddddddddddddddd" + ee;
  ff = gg -> hh -> ii; jj = kk |> ll |> mm;
}
