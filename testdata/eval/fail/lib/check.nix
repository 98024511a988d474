{
  mkPackage = { name, version }:
    if builtins.match "[a-z]+" name == null
    then throw "mkPackage: bad name ${name}"
    else { inherit name version; };
}
