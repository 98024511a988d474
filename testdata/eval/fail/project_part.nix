# A file beside or below the one that evaluation began with is the user's, too.
import ./project/part.nix { name = "x"; }
