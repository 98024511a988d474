[
  "a\nb\tc\rd\\e\"f\$g" "\${x}" "$" "$$" "$x" "$${x}" "\$\${" "\a" "a''b" "${"x"}" "${"x"}y${"z"}" "a${toString 1}b"
  ("a" + "b") ("a" + "b" + "c") "multi
line" ''indented'' ''
    two
      spaces
    done
  '' ''
    ${"interpolated"} at the start
      deeper ${toString 12}
  '' ''  same line'' ''

    leading empty line
  '' ''
    escapes ''${x} ''' ''\n ''\t $x $$ $${y} '$' ''$
  '' ''
	tab is no indentation
      x
  '' ''
    trailing spaces   
      '' ''a
    b'' ''    '' ''
    '' ''
  '' "" '''' ''
    x

    y
      
    z'' ''
      a ''\n  b
        c
    '' (''
    ${"a"}
      b'') ''$'' ''$$'' '''' "é ü 漢字" ''é''
  http://example.org/a?b=c&d=%20 a:b x-y+z.w:foo
]
