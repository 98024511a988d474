[
  (builtins.fromTOML "a = 1\nb = \"x\"\n[c]\nd = [1, 2]\ne = { f = true }\n[[g]]\nh = 1.5\n[[g]]\nh = 2.5\n")
  (builtins.fromTOML "") (builtins.fromTOML "x.y.z = 1\n\"quoted key\" = 'lit'\nhex = 0xff\nmulti = \"\"\"\na\nb\"\"\"")
]
