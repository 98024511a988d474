import ./project
