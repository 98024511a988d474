builtins.fetchurl "http://example.org"
