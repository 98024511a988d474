let
  version = "1";
in { inherit verison; }
