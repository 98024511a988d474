builtins.readFile ./no_such_file
