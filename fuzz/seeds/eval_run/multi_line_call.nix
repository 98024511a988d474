let
  mkPackage = { name, version, src }: name;
in mkPackage {
  name = "hello";
  version = "1.0";
  source = ./.;
}
