fetchTree "http://example.org"
