let check = x: if x then 1 else abort "unreachable: ${toString x}"; in 1 + check false
