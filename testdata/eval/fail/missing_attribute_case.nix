{ buildInputs = [ ]; }.buildinputs
