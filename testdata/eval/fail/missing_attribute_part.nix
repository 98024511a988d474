let lib = { concatStringsSep = 1; concatLists = 2; }; in lib.concatStrings
