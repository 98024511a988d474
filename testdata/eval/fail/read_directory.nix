builtins.readFile ./project
