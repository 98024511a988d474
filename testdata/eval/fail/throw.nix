let check = x: if x > 3 then throw "too large: ${toString x}" else x; in { a = check 5; }.a
