# The function that fails is the user's: its line is shown, not that of the library that called it.
let
  lib = import ./library;
in lib.callWith { jobs = 2; } (settings: "make -j" + settings.jobs)
