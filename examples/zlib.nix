# The same zlib three times: as it is, with a comment more in its source, with an option that changes its bytes; and a program
# that is built against each.
#
#     larder diff examples/zlib.nix#plain examples/zlib.nix#solo
#     larder build examples/zlib.nix#program-plain; larder build examples/zlib.nix#program-comment
let
  recipes = import ../recipes { };
  inherit (recipes) zlib zpipe;
  configure = "./configure --prefix=/usr --libdir=/usr/lib";
  program =
    library:
    zpipe.change {
      buildInputs = [ library ];
      runtime = [
        library
        recipes.libc
      ];
    };
in
rec {
  plain = zlib;
  comment = zlib.change { phases.configure = "echo '/* a comment */' >> deflate.c; ${configure}"; };
  small = zlib.change {
    phases.configure = configure;
    env.CFLAGS = "-Os";
  };
  solo = zlib.change {
    phases.configure = "${configure} --solo";
    tests = {
      policy = "off";
      reason = "they need what --solo leaves out";
    };
    verify = [ "usr/lib/libz.a" ];
  };
  program-plain = program plain;
  program-comment = program comment;
  program-small = program small;
}
