let name = "x"; in name 1
