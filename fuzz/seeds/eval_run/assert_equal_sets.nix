let
  expected = { name = "a"; flags = [ "x" "y" ]; };
  found = { name = "a"; flags = [ "x" "z" ]; };
in assert found == expected; found
