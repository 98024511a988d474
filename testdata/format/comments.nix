# head
{ lib, # library
  stdenv /* compiler */
  # before
, fetch }: # behind the colon
let # behind let
  a = 1; # one

  # alone

  /* block
     of two */
  b = 2; /* inline */
  /** documentation */
  c = [ # first
    1 # item
    # last
  ];
  d = # value
    x;
  e = /* bash */ ''
    echo
  '';
  f = a # left
    + b; # right
  # before in
in # behind in
{ # opening
  a = 1;
  # closing
} # end
# tail
