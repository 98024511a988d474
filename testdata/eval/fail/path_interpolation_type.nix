let version = 2; in ./files/${version}/src
