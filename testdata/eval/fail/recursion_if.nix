let
  enabled = if mode == "fast" then true else false;
  mode = if enabled then "slow" else "fast";
in enabled
