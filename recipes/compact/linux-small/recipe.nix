# A kernel for virtual machines that mounts a verified image and runs programs: compiled in a few minutes.
{
  build-tools,
  linux-parts,
  mkPackage,
  stdenv,
}:

mkPackage (
  linux-parts.kernel {
    pname = "linux-small";
    inherit stdenv;
    fragments = [ ./config ];
  }
  // {
    tools = [ build-tools ];
  }
)
