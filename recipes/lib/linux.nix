# The source of the kernel, and what its recipes do alike.
{ fetchSource }:

rec {
  version = "6.1.176";

  source = fetchSource {
    name = "linux";
    inherit version;
    # Debian's own archive: upstream's has other bytes.
    urls = [ "mirror://debian/pool/main/l/linux/linux_${version}.orig.tar.xz" ];
    hash = "sha256:9aad4025973feea3f0d978e82ab7db97d8d5ce3f59fcc6b1f316153d66e3a504";
  };

  # Arguments for `mkPackage`: a kernel with what `fragments` (files of CONFIG_… lines) ask for, and else the least.
  kernel =
    {
      pname,
      stdenv,
      fragments,
    }:
    let
      crossPrefix = if stdenv.sysroot == null then "" else "${stdenv.triplet}-";
    in
    {
      inherit pname source version;
      style = "custom";
      makeFlags = [
        "ARCH=x86"
        "CROSS_COMPILE=${crossPrefix}"
        "HOSTCC=gcc"
      ];
      env = {
        KBUILD_BUILD_HOST = "larder";
        KBUILD_BUILD_TIMESTAMP = "Wed Jan  2 00:00:00 UTC 1980";
        KBUILD_BUILD_USER = "build";
        KBUILD_BUILD_VERSION = "1";
        fragments = map (fragment: "${fragment}") fragments;
      };

      phases = {
        # What was asked for and is not there afterwards depends on something that was not asked for.
        configure = ''
          make "''${make_flags[@]}" tinyconfig >/dev/null
          cat $fragments >>.config
          make "''${make_flags[@]}" olddefconfig >/dev/null
          vanished=$(cat $fragments | grep '^CONFIG_' | grep -vxFf .config || true)
          [[ -z $vanished ]] || fail "options vanished, because something that they depend on is off:"$'\n'"$vanished"
        '';
        build = "run_make bzImage";
        install = ''
          install -D -m 644 arch/x86/boot/bzImage "$out/boot/${pname}"
          install -m 644 .config "$out/boot/${pname}.config"
        '';
      };

      tests = {
        policy = "off";
        reason = "the boot check runs it";
      };

      verify = [ "boot/${pname}" ];

      meta = {
        description = "Kernel";
        homepage = "https://www.kernel.org/";
        licence = "GPL-2.0-only WITH Linux-syscall-note";
      };
    };
}
