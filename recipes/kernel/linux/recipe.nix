# A kernel for usual machines: disks, network cards, screens and keyboards of PCs and of virtual machines, all of it in the
# kernel itself, so that the initramfs needs no modules.
{
  build-tools,
  linux-parts,
  mkPackage,
  stdenv,
}:

mkPackage (
  linux-parts.kernel {
    pname = "linux";
    inherit stdenv;
    fragments = [
      ../../compact/linux-small/config
      ./config
    ];
  }
  // {
    tools = [ build-tools ];
  }
)
