# Builds that show what the phases do, each within a second once the seed is there.
#
#     larder build recipes/lib/tests/builds.nix#good.NAME          must succeed
#     larder build recipes/lib/tests/builds.nix#bad.NAME.package   must fail, and its log must have `says`
{
  system ? builtins.currentSystem or "x86_64-linux",
}:

let
  inherit (import ../../. { inherit system; })
    gcc-libs
    lib
    libc
    zlib
    ;
  inherit (builtins) mapAttrs;

  installTrue = ''install -D /usr/bin/true "$out/usr/bin/tool"'';

  package =
    pname: arguments:
    lib.mkPackage (
      {
        inherit pname;
        version = "1";
        style = "custom";
        runtime = [ libc ];
        verify = [ "usr/bin/tool" ];
        meta = {
          description = "Test of the phases";
          licence = "MIT";
        };
      }
      // arguments
      // {
        phases =
          (
            if arguments.style or "custom" == "custom" then
              {
                check = null;
                install = installTrue;
              }
            else
              { }
          )
          // arguments.phases or { };
      }
    );

  good = mapAttrs package {
    smallest = { };
    patched = {
      inherit (zlib) source;
      patches = [ ./append.patch ];
      phases.build = "grep 'A line from a patch' README";
    };
    several-sources = {
      inherit (zlib) source;
      sources."deep/below" = zlib.source;
      phases.build = "cmp zlib.h deep/below/zlib.h";
    };
    two-outputs = {
      inherit (zlib) source;
      outputs.dev = [ "usr/include" ];
      verify = [
        "usr/bin/tool"
        "/usr/include/zlib.h"
      ];
      phases.afterInstall = ''install -D -m 644 zlib.h "$out/usr/include/zlib.h"'';
    };
    uses-an-output = {
      buildInputs = [ good.two-outputs.dev ];
      phases.build = "test -f /usr/include/zlib.h";
    };
    around-a-phase = {
      phases = {
        beforeBuild = "order=before";
        build = "order+=,during";
        afterBuild = ''order+=,after; test "$order" = before,during,after'';
      };
    };
    known-failures = {
      tests = {
        policy = "known-failures";
        reason = "a test of the tests";
      };
      phases.check = "false; touch /tmp/went-on";
      phases.afterInstall = "test ! -e /tmp/went-on";
    };
    by-cmake = {
      inherit (zlib) source;
      style = "cmake";
      phases.beforeConfigure = ''
        cat > CMakeLists.txt <<'CMAKE'
        cmake_minimum_required(VERSION 3.5)
        project(tool C)
        add_executable(tool tool.c)
        install(TARGETS tool)
        enable_testing()
        add_test(NAME runs COMMAND tool)
        CMAKE
        echo 'int main(void) { return 0; }' > tool.c
      '';
    };
    by-meson = {
      inherit (zlib) source;
      style = "meson";
      phases.beforeConfigure = ''
        cat > meson.build <<'MESON'
        project('tool', 'c')
        test('runs', executable('tool', 'tool.c', install: true))
        MESON
        echo 'int main(void) { return 0; }' > tool.c
      '';
    };
    by-python = {
      inherit (zlib) source;
      style = "python";
      verify = [ "usr/lib/python3/dist-packages/larder_sample.py" ];
      phases.beforeBuild = ''
        printf '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n' > pyproject.toml
        echo 'from setuptools import setup; setup(name="larder-sample", version="1", py_modules=["larder_sample"])' > setup.py
        echo 'value = 42' > larder_sample.py
      '';
      phases.check = "python3 -c 'import larder_sample; assert larder_sample.value == 42'";
    };
    by-cargo = {
      inherit (zlib) source;
      style = "cargo";
      runtime = [
        libc
        gcc-libs
      ];
      cargoLock = ./Cargo.lock;
      phases.beforeBuild = ''
        mkdir src
        printf '[package]\nname = "tool"\nversion = "1.0.0"\nedition = "2021"\n' > Cargo.toml
        echo 'fn main() { println!("tool"); }' > src/main.rs
        cp ${./Cargo.lock} Cargo.lock
      '';
    };
    metapackage = {
      metapackage = true;
      verify = [ ];
      phases.install = "";
    };
    without-a-build = {
      inherit (zlib) source;
      style = "make";
      phases = {
        build = null;
        check = null;
        install = installTrue;
      };
    };
    own-variable = {
      env.GREETING = "hello  you";
      phases.build = ''
        test "$GREETING" = 'hello  you'
        if env | grep ^larder_; then exit 1; fi
      '';
    };
  };

  failures = {
    missing-promise = {
      arguments.verify = [ "usr/bin/tools" ];
      says = "promised, but not installed: usr/bin/tools";
    };
    nothing-installed = {
      arguments.phases.install = "mkdir elsewhere";
      says = "phase finish failed: nothing was installed: the output does not exist";
    };
    only-directories = {
      arguments.phases.install = ''mkdir -p "$out/usr/bin"'';
      says = "phase finish failed: nothing was installed: the output has no file";
    };
    failing-command = {
      arguments.phases.build = "false; true";
      says = "phase build failed: exit status 1 from: false";
    };
    failing-pipe = {
      arguments.phases.build = "cat /nonexistent | cat";
      says = "phase build failed: exit status 1 from: cat";
    };
    failing-test = {
      arguments.phases.check = "exit 3";
      says = "phase check failed: the shell ended with status 3";
    };
    early-exit = {
      arguments.phases.install = "exit 0";
      says = "phase install failed: the shell ended with status 0 before the end";
    };
    unset-variable = {
      arguments.phases.install = ''mkdir -p "$destination/usr"'';
      says = "phase install failed: the shell ended with status 1";
    };
    metapackage-with-files = {
      arguments = {
        metapackage = true;
        verify = [ ];
      };
      says = "phase finish failed: a metapackage installs nothing, but the output has files";
    };
    patch-that-does-not-fit = {
      arguments = {
        inherit (zlib) source;
        patches = [ ./append.patch ];
        phases.beforePatch = "echo other > README";
      };
      says = "phase patch failed: exit status 1 from: patch";
    };
    output-of-nothing = {
      arguments.outputs.dev = [ "usr/include" ];
      says = "phase outputs failed: usr/include cannot move to output dev: it is not installed";
    };
  };
in
{
  inherit good;
  bad = mapAttrs (name: failure: {
    package = package name failure.arguments;
    inherit (failure) says;
  }) failures;
}
