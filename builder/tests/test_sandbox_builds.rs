//! Build systems run in the sandbox as they do outside, and many layers compose.

use crate::testutil::{Fixture, host, spawner};
use builder::sandbox::{Bind, GuestPath, Status, WritableLayer, unlock_work};
use std::fs;
use std::path::Path;

#[test]
fn make_and_a_compiler_build_a_program() {
    let fixture = Fixture::script(
        "cat > main.c <<'END'\n#include <stdio.h>\n#include <pthread.h>\n\
         static void *say(void *what) { puts(what); return 0; }\n\
         int main(void) { pthread_t t; pthread_create(&t, 0, say, \"hello\"); return pthread_join(t, 0); }\nEND\n\
         printf 'all: main\\nmain: main.o\\n\\tcc -pthread -o $@ $<\\n' > Makefile\n\
         make -s -j4 && install -D main $PWD/stage/usr/bin/main && cp -a stage/usr /larder/out/ && /larder/out/usr/bin/main",
    );
    assert_eq!(fixture.output(), "hello\n");
}

#[test]
fn a_configure_script_finds_its_way() {
    let fixture = Fixture::script(
        "cat > configure.ac <<'END'\nAC_INIT([t],[1])\nAC_PROG_CC\nAC_CHECK_FUNCS([fork mmap openat])\n\
         AC_CONFIG_FILES([out])\nAC_OUTPUT\nEND\necho '@ac_cv_func_fork@' > out.in; \
         if ! command -v autoconf >/dev/null; then echo no autoconf; exit 0; fi; \
         autoconf && ./configure > log 2>&1 || { cat log config.log; exit 1; }; grep -c 'ac_cv_func_.*=yes' config.log",
    );
    let output = fixture.output();
    if output == "no autoconf\n" {
        eprintln!("not tested: this machine has no autoconf");
    } else {
        assert!(output.trim().parse::<u32>().unwrap() >= 3, "{output}");
    }
}

#[test]
fn python_and_meson_build_a_program() {
    let fixture = Fixture::script(
        "command -v meson >/dev/null && command -v ninja >/dev/null || { echo no meson; exit 0; }; \
         echo 'int main(void) { return 0; }' > main.c; \
         printf \"project('p', 'c')\\nexecutable('main', 'main.c', install: true)\\n\" > meson.build; \
         { meson setup --prefix=/usr out . && ninja -C out && DESTDIR=/larder/out meson install -C out; } > log 2>&1 || \
         { cat log; exit 1; }; /larder/out/usr/bin/main && echo built; \
         python3 -c 'import subprocess, threading, multiprocessing, tempfile; print(subprocess.check_output([\"echo\", \"sub\"]).decode(), end=\"\"); \
         print(multiprocessing.get_context(\"fork\").Pool(2).map(abs, [-1, -2]))'",
    );
    let output = fixture.output();
    if output == "no meson\n" {
        eprintln!("not tested: this machine has no meson");
    } else {
        assert_eq!(output, "built\nsub\n[1, 2]\n");
    }
}

#[test]
fn cargo_builds_a_program() {
    let sysroot = std::process::Command::new("rustc").args(["--print", "sysroot"]).current_dir("/").output();
    let Some(sysroot) = sysroot.ok().filter(|output| output.status.success()) else {
        return eprintln!("not tested: this user has no rustc");
    };
    let sysroot = String::from_utf8(sysroot.stdout).unwrap().trim().to_owned();
    let mut fixture = Fixture::script(
        "mkdir src; echo 'fn main() { std::thread::spawn(|| println!(\"hello\")).join().unwrap() }' > src/main.rs; \
         printf '[package]\\nname = \"p\"\\nversion = \"1.0.0\"\\nedition = \"2024\"\\n' > Cargo.toml; cargo run -q --offline",
    )
    .bind(sysroot, "/larder/store/rust");
    fixture.spec.env.insert("PATH".to_owned(), "/larder/store/rust/bin:/usr/bin".to_owned());
    fixture.spec.env.insert("HOME".to_owned(), "/build".to_owned());
    assert_eq!(fixture.output(), "hello\n");
}

#[test]
fn usual_tools_work() {
    let fixture = Fixture::script(
        "set -e; exec 2>&1; tar cf t.tar /usr/include/stdio.h 2>/dev/null; tar xf t.tar; cmp usr/include/stdio.h /usr/include/stdio.h; \
         mktemp -d /tmp/x.XXXX >/dev/null; perl -e 'use POSIX; my ($m) = POSIX::ttyname(0); system(\"true\") == 0 or die'; \
         echo shm > /dev/shm/x; cat /dev/shm/x; cat <(echo fd); echo err >> /dev/stderr; head -c4 /dev/urandom | wc -c; \
         script -qec 'tty' /dev/null </dev/null | tr -d '\\r'; touch -d @1 f; stat -c %Y f; ln f g; mkfifo p; sync; \
         flock g true; timeout 5 true; nice true; test -w /tmp; df / >/dev/null; xargs -n1 -P4 echo < <(echo a) ",
    );
    assert_eq!(fixture.output(), "shm\nfd\nerr\n4\n/dev/pts/0\n1\na\n");
}

#[test]
fn two_hundred_layers_compose_in_order() {
    let mut fixture = Fixture::script("cat /top /each; ls /many | wc -l");
    let base = fixture.spec.layers.remove(0);
    for number in 0..200 {
        let layer = fixture.path(&format!("layers/{number}"));
        fs::create_dir_all(layer.join("many")).unwrap();
        fs::write(layer.join("top"), format!("{number}\n")).unwrap();
        fs::write(layer.join(format!("many/{number}")), "").unwrap();
        fixture.spec.layers.push(host(layer));
    }
    fs::write(fixture.path("layers/199/each"), "last\n").unwrap();
    fixture.spec.layers.push(base);
    assert_eq!(fixture.output(), "0\nlast\n200\n");
}

#[test]
fn two_hundred_store_paths_are_shown() {
    let mut fixture = Fixture::script("ls /larder/store | wc -l; cat /larder/store/*/name | sort -u | wc -l");
    for number in 0..200 {
        let path = fixture.path(&format!("store/{number}"));
        fs::create_dir_all(&path).unwrap();
        fs::write(path.join("name"), format!("{number}\n")).unwrap();
        let target = GuestPath::parse(format!("/larder/store/{number}-path")).unwrap();
        fixture.spec.binds.push(Bind { source: host(path), target });
    }
    assert_eq!(fixture.output(), "200\n200\n");
}

#[test]
fn the_root_may_bring_its_own_etc() {
    let fixture = Fixture::script("cat /etc/passwd; cut -d: -f1 /etc/group | head -1");
    fs::create_dir(fixture.path("layer/etc")).unwrap();
    fs::write(fixture.path("layer/etc/passwd"), "own\n").unwrap();
    assert_eq!(fixture.output(), "own\nbuild\n");
}

#[test]
fn tmp_is_private_empty_and_writable() {
    let fixture = Fixture::script("ls -A /tmp; stat -c %a /tmp; echo x > /tmp/file; cat /tmp/file");
    fs::create_dir(fixture.path("layer/tmp")).unwrap();
    fs::write(fixture.path("layer/tmp/old"), "").unwrap();
    assert_eq!(fixture.output(), "1777\nx\n");
    assert!(!Path::new("/tmp/file").exists());
}

#[test]
fn a_command_without_slash_is_found_in_the_path() {
    let mut fixture = Fixture::script("echo found");
    fixture.spec.command = "bash".to_owned();
    assert_eq!(fixture.output(), "found\n");
    let mut fixture = Fixture::script("");
    fixture.spec.command = "no-such-command".to_owned();
    let (outcome, _) = fixture.run();
    let Status::SetupFailed(error) = outcome.status else { panic!("{outcome:?}") };
    assert_eq!(
        error.to_string(),
        "cannot start the command (`no-such-command`): No such file or directory (os error 2)"
    );
}

#[test]
fn what_a_run_used_is_counted_over_all_processes() {
    let fixture =
        Fixture::script("bash -c \"perl -e '\\$x = q(x) x 100_000_000; 1 while (times)[0] < 0.2'; true\"; true");
    let usage = fixture.run().0.usage;
    assert!(usage.user_time.as_millis() >= 200, "{usage:?}");
    assert!((90 << 20..2 << 30).contains(&usage.peak_memory), "{usage:?}");
}

#[test]
fn many_threads_run_sandboxes_at_the_same_time() {
    std::thread::scope(|scope| {
        for number in 0..16 {
            scope.spawn(move || {
                let (outcome, log) = Fixture::script(&format!("echo {number}; exit {number}")).run();
                assert_eq!((outcome.status, log), (Status::Exited(number), format!("{number}\n")));
            });
        }
    });
    assert!(spawner().process_id() > 0);
}

#[test]
fn an_interactive_run_keeps_its_descriptors() {
    use builder::spawner::Terminal;
    let mut fixture = Fixture::script("read line; echo out $line; echo err >&2");
    fixture.spec.interactive = true;
    let (stdin, stdout, stderr) = (
        tempfile::NamedTempFile::new().unwrap(),
        tempfile::NamedTempFile::new().unwrap(),
        tempfile::NamedTempFile::new().unwrap(),
    );
    fs::write(stdin.path(), "typed\n").unwrap();
    let terminal = Terminal {
        stdin: fs::File::open(stdin.path()).unwrap().into(),
        stdout: stdout.reopen().unwrap().into(),
        stderr: stderr.reopen().unwrap().into(),
    };
    let outcome = spawner().start_on_terminal(&fixture.spec, terminal).unwrap().wait().unwrap();
    assert_eq!(outcome.status, Status::Exited(0));
    assert_eq!(fs::read_to_string(stdout.path()).unwrap(), "out typed\n");
    assert_eq!(fs::read_to_string(stderr.path()).unwrap(), "err\n");
}

#[test]
fn the_machine_is_found_able() {
    builder::sandbox::probe().unwrap();
}

#[test]
fn a_writable_layer_in_memory_does_the_same() {
    let mut fixture = Fixture::script("echo new > /data/file; echo x > /tmp/x; cat /data/file /tmp/x; ls -A / | wc -l");
    let on_disk = fixture.output();
    fixture.use_memory();
    assert_eq!(fixture.output(), on_disk);
    assert_eq!(fs::read_to_string(fixture.path("layer/data/file")).unwrap(), "layer\n");
}

#[test]
fn a_writable_layer_can_be_entered_again() {
    let mut fixture = Fixture::script("echo changed > /data/file; echo kept > /tmp/file; exit 1");
    assert_eq!(fixture.run().0.status, Status::Exited(1));
    unlock_work(&fixture.spec.writable).unwrap();
    let upper = fixture.spec.writable.upper().unwrap().clone();
    fs::create_dir(fixture.path("again")).unwrap();
    fixture.spec.writable = WritableLayer::Directories { upper, work: host(fixture.path("again")) };
    fixture.spec.args[1] = "cat /data/file /tmp/file".to_owned();
    assert_eq!(fixture.output(), "changed\nkept\n");
}

/// A sandbox whose root a failure leaves, and the place where it does.
fn leaving(script: &str) -> (Fixture, std::path::PathBuf) {
    let mut fixture = Fixture::script(script);
    let place = fixture.path("left");
    fs::create_dir(&place).unwrap();
    fixture.spec.writable = WritableLayer::LeftByFailure(host(place.clone()));
    (fixture, place)
}

#[test]
fn a_failure_leaves_the_root_as_it_was_then() {
    let (mut fixture, place) = leaving(
        "mkdir -p /new/deep /tmp/closed; echo changed > /data/file; echo kept > /tmp/file; touch -d @1000000000 /tmp/file; \
         ln -s /data/file /new/link; mkfifo /new/pipe; rm /bin; echo x > /tmp/closed/file; chmod 0 /tmp/closed/file /tmp/closed; \
         touch /new/set; chmod 755 /new/set; mv /data /moved; mkdir /data; exit 3",
    );
    fixture.spec.layers.push(host(fixture.path("second")));
    fs::create_dir_all(fixture.path("second/data")).unwrap();
    fs::write(fixture.path("second/data/other"), "other\n").unwrap();
    assert_eq!(fixture.run().0.status, Status::Exited(3));
    assert_eq!(fs::read_dir(&place).unwrap().count(), 1, "what is not complete is not there");
    let work = fixture.path("again");
    fs::create_dir(&work).unwrap();
    fixture.spec.writable = WritableLayer::Directories { upper: host(place.join("root")), work: host(work) };
    fixture.spec.args[1] = "cat /moved/file /moved/other /tmp/file; stat -c '%Y %a' /tmp/file; readlink /new/link; ls -A /data; \
                            [[ -e /bin ]] || echo no bin; [[ -p /new/pipe && -d /new/deep ]] && stat -c %a /new/set /tmp/closed; \
                            chmod 700 /tmp/closed; chmod 600 /tmp/closed/file; cat /tmp/closed/file"
        .to_owned();
    fixture.spec.command = "/usr/bin/bash".to_owned();
    let expected = "changed\nother\nkept\n1000000000 644\n/data/file\nno bin\n755\n0\nx\n";
    assert_eq!(fixture.output(), expected);
    unlock_work(&fixture.spec.writable).unwrap();
}

#[test]
fn only_failures_leave_a_root_and_no_large_or_deep_one() {
    let (fixture, place) = leaving("echo x > /tmp/x");
    fixture.output();
    assert_eq!(fs::read_dir(&place).unwrap().count(), 0);
    let deep = "perl -e 'chdir q(/tmp); for (1..3000) { mkdir q(d); chdir q(d) or die }'; exit 1";
    for script in ["truncate -s 1T /tmp/big; exit 1", deep] {
        let (fixture, place) = leaving(script);
        assert_eq!(fixture.run().0.status, Status::Exited(1), "{script}");
        assert_eq!(fs::read_dir(&place).unwrap().count(), 0, "nothing was begun: {script}");
    }
}

#[test]
fn what_is_read_and_written_is_counted_with_the_time_it_took() {
    const MIB: u64 = 1 << 20;
    let script =
        "(head -c 8M /dev/zero >f); cat f f >/dev/null & wait; i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done";
    let (outcome, log) = Fixture::script(script).run();
    assert_eq!(outcome.status, Status::Exited(0), "{log}");
    let transfer = outcome.usage.transfer.expect("this kernel counts");
    // `head` reads and writes 8 MiB, `cat` twice that; what else there is, is little.
    assert!((24 * MIB..30 * MIB).contains(&transfer.read), "{transfer:?}");
    assert!((24 * MIB..25 * MIB).contains(&transfer.written), "{transfer:?}");
    assert!(outcome.usage.user_time > std::time::Duration::ZERO && outcome.usage.peak_memory > MIB);
}
