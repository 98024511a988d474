{
  "name": "x",
  "list": [1, 2, {"a": true}],
  "more": {"b": null}
}
