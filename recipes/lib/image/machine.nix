# An emulated machine with the medium of an image in it: `larder run recipes#small.machine`. Its serial line is the
# terminal.
{
  emulator,
  lib,
  seed,
}:
image:

let
  program = lib.write {
    name = "start-machine";
    entries."usr/bin/start-machine" = {
      executable = true;
      text = ''
        #!/usr/bin/sh
        # C-a x ends it.
        cp /usr/share/OVMF/OVMF_VARS.fd /tmp/variables.fd
        chmod u+w /tmp/variables.fd
        exec qemu-system-x86_64 -accel tcg -machine q35 -cpu max -m 1024 -no-reboot -nodefaults -nographic \
            -serial mon:stdio \
            -drive if=pflash,format=raw,readonly=on,file=/usr/share/OVMF/OVMF_CODE.fd \
            -drive if=pflash,format=raw,file=/tmp/variables.fd \
            -drive if=virtio,format=raw,readonly=on,file=/medium/image.iso "$@"
      '';
    };
  };
in
lib.compose {
  name = "${image.name}-machine";
  root = [
    program
    (lib.compose {
      name = "${image.name}-medium";
      root = [ image.iso ];
      at = "medium";
    })
  ];
  runtime = [
    seed
    emulator
  ];
}
