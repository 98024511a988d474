"flags: ${[ "a" "b" ]}"
