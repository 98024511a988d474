"enabled=${true}"
