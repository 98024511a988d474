fetchTarball "http://example.org"
