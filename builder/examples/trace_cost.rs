//! What it costs to note which files a build uses:
//! `cargo run --release -p builder --example trace_cost SOURCE [SCRIPT [ROUNDS]]`, where SOURCE is the unpacked source of a package.
//!
//! Needs `larder-spawner` built in the same profile, and the machine's own compiler, which is shown to the build. Prints wall and
//! processor time with and without, in turns, for the machine may have other work.
#![allow(clippy::print_stdout, reason = "its results are its purpose")]
#![allow(clippy::unwrap_used, reason = "a measurement that cannot be made may panic")]

use builder::sandbox::{Bind, Circumstances, GuestPath, HostPath, Limits, SandboxSpec, Status, WritableLayer};
use builder::spawner::Spawner;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::Instant;

const SCRIPT: &str = "cp -r /src/. . && chmod -R u+w . && ./configure && make";

fn main() {
    let mut arguments = std::env::args().skip(1);
    let source = arguments.next().unwrap();
    let script = arguments.next().unwrap_or_else(|| SCRIPT.to_owned());
    let rounds: usize = arguments.next().map_or(2, |rounds| rounds.parse().unwrap());
    let program = std::env::current_exe().unwrap().ancestors().nth(2).unwrap().join("larder-spawner");
    let spawner = Spawner::start(&program, [""; 0]).unwrap();
    for traced in (0..rounds).flat_map(|_| [false, true]) {
        run(&spawner, &source, &script, traced);
    }
}

fn run(spawner: &Spawner, source: &str, script: &str, traced: bool) {
    let top = tempfile::tempdir().unwrap();
    let spec = specification(top.path(), source, script);
    let (log, notes) = (File::create(top.path().join("log")).unwrap(), top.path().join("notes"));
    let started = Instant::now();
    let running = if traced {
        spawner.start_traced_run(&spec, log.into(), File::create(&notes).unwrap())
    } else {
        spawner.start_run(&spec, log.into())
    };
    let outcome = running.unwrap().wait().unwrap();
    let log = fs::read_to_string(top.path().join("log")).unwrap();
    assert_eq!(outcome.status, Status::Exited(0), "{}", &log[log.len().saturating_sub(2000)..]);
    let noted = fs::read(&notes).map_or(0, |notes| notes.iter().filter(|byte| **byte == 0).count());
    let usage = outcome.usage;
    println!(
        "{:9} {:.2} s, user {:.2} s, system {:.2} s, {noted} paths noted",
        if traced { "traced" } else { "plain" },
        started.elapsed().as_secs_f64(),
        usage.user_time.as_secs_f64(),
        usage.system_time.as_secs_f64(),
    );
}

fn specification(top: &Path, source: &str, script: &str) -> SandboxSpec {
    let host = |path: &Path| HostPath::parse(path).unwrap();
    let make = |name: &str| {
        fs::create_dir(top.join(name)).unwrap();
        host(&top.join(name))
    };
    let layer = make("layer");
    for name in ["bin", "lib", "lib64", "sbin"].into_iter().filter(|name| Path::new("/usr").join(name).exists()) {
        symlink(format!("usr/{name}"), layer.as_path().join(name)).unwrap();
    }
    let bind = |source: &str, target: &str| Bind {
        source: host(Path::new(source)),
        target: GuestPath::parse(target).unwrap(),
    };
    let shown = ["/usr", "/etc/alternatives", "/etc/ld.so.cache"].into_iter().filter(|path| Path::new(path).exists());
    SandboxSpec {
        layers: vec![layer],
        writable: WritableLayer::Memory,
        binds: shown.map(|path| bind(path, path)).chain([bind(source, "/src")]).collect(),
        build_dir: make("build"),
        out_dir: make("out"),
        command: "/bin/bash".to_owned(),
        args: vec!["-c".to_owned(), script.to_owned()],
        env: BTreeMap::from([("PATH".to_owned(), "/usr/bin:/usr/sbin".to_owned())]),
        limits: Limits::default(),
        job_server: None,
        interactive: false,
        circumstances: Circumstances::default(),
    }
}
