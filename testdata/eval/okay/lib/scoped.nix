x + y + __add x 1
