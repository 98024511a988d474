let
  id = x: x; const = x: y: x; compose = f: g: x: f (g x); add3 = a: b: c: a + b + c;
  even = n: if n == 0 then true else odd (n - 1); odd = n: if n == 0 then false else even (n - 1);
  fix = f: let x = f x; in x; curry = f: a: b: f [ a b ];
in [
  (id 1) (const 1 (throw "lazy")) (compose (x: x * 2) (x: x + 1) 3) (map (add3 1 2) [ 3 4 ]) (even 100) (odd 7) (fix (self: { a = 1; b = self.a + 1; })).b
  (let f = { a ? b, b ? 1 }: a + b; in [ (f { }) (f { a = 5; }) (f { b = 3; }) ]) (({ ... }: 1) { a = 2; }) (({ a ? 1, ... }@all: all) { c = 2; }) (x: x) (x: y: x) ((x: y: x) 1)
  builtins.map (builtins.map id) (builtins.isFunction id) (builtins.isFunction builtins.map) (builtins.typeOf id) (builtins.typeOf (builtins.add 1)) ((builtins.add 1) 2)
  (let a = 1; b = a + 1; c = b + 1; in [ a b c ]) (let x = 1; in let x = 2; in x) (let f = x: let y = x + 1; in z: x + y + z; in f 1 2) (curry (l: l) 1 2) ((x: (x: x) 2 + x) 1)
  ((a: a: a) 1 2) ((_: 1) 2) (let f = a: b: { x, y ? a }: a + b + x + y; in f 1 2 { x = 3; }) (builtins.functionArgs ({ a, b ? 1 }@c: a)) (assert true; 1)
]
