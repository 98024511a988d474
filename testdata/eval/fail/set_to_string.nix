"name: " + { name = "x"; }
