"version " + 5
