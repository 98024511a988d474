let set = with set; a // { a = 1; }; in set
