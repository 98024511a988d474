[
  (builtins.toXML 1) (builtins.toXML [ 1 "a<b>&\"c\"" null true 1.5 ]) (builtins.toXML { b = { x = 1; }; a = [ ]; }) (builtins.toXML (x: x)) (builtins.toXML ({ a, b ? 1 }: a)) (builtins.toXML ({ a, ... }: a)) (builtins.toXML "line\nbreak") (builtins.toXML { })
]
