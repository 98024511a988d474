builtins.mapAttrs (name: value: value) [ 1 ]
