let
  system = "mips-linux";
  hash = {
    x86_64-linux = "a";
  }.${system} or (throw "unsupported system: ${system}");
in { inherit hash; }
