builtins.fromJSON ''
  {
    "name": "x",
    "version": 1.
  }
''
