builtins.fetchGit "http://example.org"
