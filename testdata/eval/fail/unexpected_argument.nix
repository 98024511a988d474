let build = { name, version ? "1" }: name; in build { name = "x"; versoin = "2"; }
