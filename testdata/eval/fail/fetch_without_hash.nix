fetchTarball "http://example.org/x.tar.gz"
