# The seed's C compiler under the names of a cross compiler, taught to use musl in /sysroot. Its libgcc is linked
# statically into what it makes.
{ target, write }:

let
  # Nothing of the seed's C library is looked for: neither headers nor start files nor libraries.
  specs = ''
    %rename cpp_options old_cpp_options

    *cpp_options:
    -nostdinc -isystem /sysroot/usr/include -isystem include%s %(old_cpp_options)

    *cc1:
    %(cc1_cpu) -nostdinc -isystem /sysroot/usr/include -isystem include%s

    *link_libgcc:
    -L/sysroot/usr/lib -L .%s

    *libgcc:
    libgcc.a%s %:if-exists(libgcc_eh.a%s)

    *startfile:
    %{!shared:/sysroot/usr/lib/Scrt1.o} /sysroot/usr/lib/crti.o crtbeginS.o%s

    *endfile:
    crtendS.o%s /sysroot/usr/lib/crtn.o

    *link:
    -dynamic-linker /lib/ld-musl-x86_64.so.1 -nostdlib --hash-style=gnu %{shared:-shared} %{static:-static} %{rdynamic:-export-dynamic}

    *esp_link:


    *esp_options:


    *esp_cpp_options:


  '';
  same = [
    "ar"
    "as"
    "ld"
    "nm"
    "objcopy"
    "objdump"
    "ranlib"
    "readelf"
    "strip"
  ];
in
write {
  name = "seed-compiler";
  entries = {
    "cross/lib/musl.specs".text = specs;
    "cross/bin/${target}-gcc" = {
      executable = true;
      text = ''
        #!/bin/sh
        exec /usr/bin/gcc "$@" -specs /cross/lib/musl.specs
      '';
    };
  }
  // builtins.listToAttrs (
    map (tool: {
      name = "cross/bin/${target}-${tool}";
      value.symlink = "../../usr/bin/${tool}";
    }) same
  );
}
