# What an image's own programs make of all its files together: indexes, caches and the links of units, which packages of other distributions ask for in
# their notes (`indexes.py`). The root is the image's, in which nothing of ours is; the tools are called where they lie in the store.
{
  image-tools,
  seed,
  system,
}:
rec {
  # Programs that make the same of the same files. Those that make what every machine has for itself (its keys, its identifier) are
  # left to it.
  programs = builtins.concatStringsSep " " [
    "depmod"
    "fc-cache"
    "gdk-pixbuf-query-loaders"
    "gio-querymodules"
    "glib-compile-schemas"
    "gtk-update-icon-cache"
    "gtk4-update-icon-cache"
    "install-info"
    "ldconfig"
    "mkfontdir"
    "mkfontscale"
    "systemctl"
    "systemd-hwdb"
    "update-desktop-database"
    "update-mime-database"
  ];

  make =
    {
      name,
      root,
      override,
      run, # as of the other steps
    }:
    derivation (
      (if run == "" then { } else { inherit run; })
      // {
        inherit
          name
          override
          programs
          root
          system
          ;
        builder = "${seed}/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2";
        args = [
          "--library-path"
          "${seed}/usr/lib/x86_64-linux-gnu:${image-tools}/usr/lib/x86_64-linux-gnu"
          "${image-tools}/usr/bin/python3"
          "-B"
          "${./indexes.py}"
        ];
        PYTHONHOME = "${image-tools}/usr";
      }
    );
}
