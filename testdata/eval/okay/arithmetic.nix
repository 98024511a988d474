[
  (1 + 2 * 3 - 4) (7 / 2) ((-7) / 2) (7.0 / 2) (1 + 0.5) (2 * 1.5) (-3) (-2.5) (- (1 + 2))
  (builtins.add 1 2) (builtins.sub 1 2) (builtins.mul 3 4) (builtins.div 9 4)
  (builtins.bitAnd 12 10) (builtins.bitOr 12 10) (builtins.bitXor 12 10)
  (builtins.floor 1.5) (builtins.ceil 1.5) (builtins.floor (-1.5)) (builtins.ceil (-1.5)) (builtins.floor 3)
  1.0 100000.0 1000000.0 1.0e10 123456.789 0.1 0.0001 0.00001 .5 1.e3
  (1 == 1.0) (1 < 1.5) (2 > 1.5) (1 <= 1) (1 >= 2) (9007199254740993 == 9007199254740993)
  (-1 - -1) (2 - 1 - 1) (8 / 2 / 2) (1 - 2 - 3 * 4)
]
