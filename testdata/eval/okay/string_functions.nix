let inherit (builtins) substring stringLength replaceStrings concatStringsSep split match splitVersion compareVersions parseDrvName toString hashString; in
[
  (substring 1 2 "abcd") (substring 0 (-1) "abc") (substring 10 5 "abc") (substring 2 100 "abc") (substring 0 0 "abc") (stringLength "abc") (stringLength "")
  (replaceStrings [ "a" "b" ] [ "1" "2" ] "abcab") (replaceStrings [ "" ] [ "-" ] "ab") (replaceStrings [ "ab" "a" ] [ "X" "Y" ] "abaab") (replaceStrings [ "a" ] [ "" ] "aaa") (replaceStrings [ ] [ ] "x") (replaceStrings [ "oo" "" ] [ "u" "." ] "foo") (replaceStrings [ "" "a" ] [ "x" "y" ] "abc")
  (concatStringsSep ", " [ "a" "b" ]) (concatStringsSep "" [ ]) (concatStringsSep "x" [ "a" ])
  (split "," "a,b,,c") (split "(,)" "a,b") (split "x" "abc") (split "" "ab") (split "(a)|b" "xaybz") (split "[[:space:]]+" " a  b ") (split "(o)?x" "axoxb")
  (match "ab" "abc") (match "a(b)c" "abc") (match "(a)(x)?" "a") (match ".*" "any\nthing") (match "[a-z]+" "abc") (match "([[:digit:]]+)-(.*)" "12-xyz") (match "a|b" "b") (match "" "") (match "[]a]+" "]a") (match "a{2}" "aa") (match "a\\.b" "a.b") (match "(foo|foobar)" "foobar") (match "[^/]*/(.*)" "a/b/c")
  (match "[[:upper:]][[:lower:]]*" "Foo") (match "(.*)\\.nix" "x.nix") (match "x*" "") (match "[A-Za-z0-9_.-]+" "a-b.c_d")
  (splitVersion "1.2.3") (splitVersion "1.2pre3-4") (splitVersion "") (compareVersions "1.2" "1.10") (compareVersions "1.0" "1.0") (compareVersions "2.3pre1" "2.3") (compareVersions "" "1") (compareVersions "1.a" "1.1") (parseDrvName "hello-2.12.1") (parseDrvName "a-b") (parseDrvName "nix-js-0.1pre2")
  (toString 1) (toString 1.5) (toString 1.0) (toString true) (toString false) (toString null) (toString [ 1 [ 2 "x" ] [ ] 3 ]) (toString { outPath = "/x"; }) (toString { __toString = self: "s${self.v}"; v = "y"; }) (toString "x") (toString [ ]) (toString [ [ ] ]) (toString [ true false null ])
  (hashString "md5" "") (hashString "sha1" "abc") (hashString "sha256" "abc") (hashString "sha512" "") "${{ outPath = "/o"; }}" "${{ __toString = _: "t"; }}"
]
