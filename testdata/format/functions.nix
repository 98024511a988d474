{
  a = x: y; b = x: y: z: f x; c = x: { d = 1; e = 2; }; f = x: y: [ 1 2 ];
  g = { }: h; i = { ... }: j; k = { l, m }: n; o = { p, q, r }: s; t = { u ? 1 }: v;
  w = args@{ x, ... }: y; z = { a }@b: c;
  aa = { bb, cc }: { dd = 1; ee = 2; };
  ff = {
gg, hh }: ii;
  jj = { kk ? { ll = 1; mm = 2; }, nn ? [ 1 2 ], ... }: oo;
  pp = { qq }:
    rr;
  ss = x: if a then b else c;
}
