# The kernel's headers for programs.
{
  build-tools,
  linux-parts,
  mkPackage,
}:

mkPackage {
  pname = "linux-headers";
  inherit (linux-parts) source version;

  style = "custom";
  tools = [ build-tools ];

  phases = {
    check = null;
    install = ''
      run_make ARCH=x86 headers
      mkdir -p "$out/usr"
      cp -r usr/include "$out/usr/include"
      find "$out/usr/include" -type f ! -name '*.h' -delete
    '';
  };

  verify = [
    "usr/include/asm/unistd.h"
    "usr/include/linux/limits.h"
  ];

  meta = {
    description = "Headers of the kernel, for programs";
    homepage = "https://www.kernel.org/";
    licence = "GPL-2.0-only WITH Linux-syscall-note";
  };
}
