# The EFI program that unified kernel images begin with: that of systemd, with the library it is written for. Its build
# system would ask for all that systemd needs, so what it does for the stub is written down here.
{
  fetchSource,
  mkPackage,
  stdenv,
}:

mkPackage rec {
  pname = "efi-stub";
  version = "252.39";
  source = fetchSource {
    name = "systemd";
    inherit version;
    urls = [ "mirror://debian/pool/main/s/systemd/systemd_${version}.orig.tar.gz" ];
    hash = "sha256:08a54a6c4d4cf969fc025eaa8922a55d6bc458100c242510b56c96e7d72af1c5";
  };
  sources.gnu-efi = fetchSource {
    name = "gnu-efi";
    version = "3.0.15";
    urls = [ "mirror://debian/pool/main/g/gnu-efi/gnu-efi_3.0.15.orig.tar.bz2" ];
    hash = "sha256:931a257b9c5c1ba65ff519f18373c438a26825f2db7866b163e96d1b168f20ea";
  };

  style = "custom";
  env.crossPrefix = if stdenv.sysroot == null then "" else "${stdenv.triplet}-";

  phases = {
    configure = ''
      cat >config.h <<END
      #define EFI_MACHINE_TYPE_NAME "x64"
      #define ENABLE_TPM 0
      #define EFI_TPM_PCR_COMPAT 0
      #define COLOR_NORMAL EFI_TEXT_ATTR(EFI_LIGHTGRAY, EFI_BLACK)
      #define COLOR_ENTRY EFI_TEXT_ATTR(EFI_LIGHTGRAY, EFI_BLACK)
      #define COLOR_HIGHLIGHT EFI_TEXT_ATTR(EFI_BLACK, EFI_LIGHTGRAY)
      #define COLOR_EDIT EFI_TEXT_ATTR(EFI_BLACK, EFI_LIGHTGRAY)
      #define GIT_VERSION "${version}"
      END
    '';
    build = ''
      make -C gnu-efi CROSS_COMPILE="$crossPrefix" ARCH=x86_64 lib gnuefi

      compile_flags=(
          -DGNU_EFI_USE_MS_ABI -DSD_BOOT -ffreestanding -fshort-wchar -fvisibility=hidden -std=gnu11 -O2
          -fno-stack-protector -fno-strict-aliasing -fpic -fwide-exec-charset=UTF-16LE -mno-red-zone -mno-sse -mno-mmx
          -I src/fundamental -I src/boot/efi -include config.h
          -I gnu-efi/inc/x86_64 -isystem gnu-efi/inc
      )
      objects=()
      for file in src/fundamental/*.c \
          src/boot/efi/{assert,console,cpio,devicetree,disk,efi-string,graphics,initrd,linux,linux_x86,measure,pe}.c \
          src/boot/efi/{secure-boot,splash,stub,ticks,util}.c; do
          object=$(basename "$file" .c).o
          "''${CC:-gcc}" "''${compile_flags[@]}" -c "$file" -o "$object"
          objects+=("$object")
      done

      "''${crossPrefix}ld" -nostdlib -pie --no-dynamic-linker -Bsymbolic -z nocombreloc -z noexecstack \
          --no-undefined --no-warn-rwx-segments --build-id=sha1 -T gnu-efi/gnuefi/elf_x86_64_efi.lds \
          gnu-efi/x86_64/gnuefi/crt0-efi-x86_64.o "''${objects[@]}" \
          gnu-efi/x86_64/lib/libefi.a gnu-efi/x86_64/gnuefi/libgnuefi.a "$("''${CC:-gcc}" -print-libgcc-file-name)" \
          -o stub.elf
      "''${OBJCOPY:-objcopy}" -j '.bss*' -j .data -j .dynamic -j .dynsym -j '.rel*' -j .sbat -j .sdata -j .sdmagic \
          -j .text --section-alignment=512 --target=efi-app-x86_64 stub.elf linuxx64.efi.stub
      source ${../../lib/pe-time.sh}
      clear_pe_time linuxx64.efi.stub
    '';
    install = ''install -D -m 644 linuxx64.efi.stub "$out/usr/lib/systemd/boot/efi/linuxx64.efi.stub"'';
  };

  tests = {
    policy = "off";
    reason = "the boot check runs it";
  };

  verify = [ "usr/lib/systemd/boot/efi/linuxx64.efi.stub" ];

  meta = {
    description = "EFI program that starts the kernel it carries";
    homepage = "https://systemd.io/";
    licence = "LGPL-2.1-or-later";
  };
}
