let pkgs = { hello = 1; help = 2; }; in pkgs.helo
