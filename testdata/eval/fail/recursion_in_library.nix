let
  lib = import ./library;
in lib.fix (self: {
  tools = [ self.compiler ];
  compiler = builtins.head self.tools;
})
