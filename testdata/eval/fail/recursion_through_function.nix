let
  config = { port = 80 + offset; };
  offset = lookup "offset";
  lookup = key: config.port;
in config.port
