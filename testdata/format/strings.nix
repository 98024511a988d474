{
  a = "text ${b} ${c.d} ${f (x: y)} ${lib.concatStringsSep ", " (map (x: x.name) (builtins.attrValues xs))}";
  b = ''one line''; c = ''
one line
'';
  d = ''
        deep
          deeper ${x}

        back ''${y} ''' ''\n
    '';
  e = f ''
    text
  '';
  g = "two
lines"; h = ./a/${b}/c.nix; i = <nixpkgs/lib>; j = https://example.org/a?b=c;
}
