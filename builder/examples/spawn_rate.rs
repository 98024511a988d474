//! How long a sandboxed run of `/bin/true` takes:
//! `cargo run --release -p builder --example spawn_rate [RUNS [STORE-PATHS [LAYERS [disk]]]]`, the last for a writable layer on disk.
//!
//! Needs `larder-spawner` built in the same profile. Prints milliseconds per run, in sequence and two at a time.
#![allow(clippy::print_stdout, reason = "its results are its purpose")]
#![allow(clippy::unwrap_used, reason = "a measurement that cannot be made may panic")]

use builder::sandbox::{Bind, Circumstances, GuestPath, HostPath, Limits, SandboxSpec, Status, WritableLayer};
use builder::spawner::Spawner;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, Instant};

fn main() {
    let mut numbers = std::env::args().skip(1).take(3).map(|arg| arg.parse().unwrap());
    let mut next = |default| numbers.next().unwrap_or(default);
    let (runs, binds, layers) = (next(1000), next(1), next(1));
    let program = std::env::current_exe().unwrap().ancestors().nth(2).unwrap().join("larder-spawner");
    let spawner = Spawner::start(&program, [""; 0]).unwrap();
    let top = tempfile::tempdir().unwrap();
    for threads in [1, 2] {
        let start = Instant::now();
        let system: Duration = std::thread::scope(|scope| {
            let run = |thread| {
                let (spawner, top) = (&spawner, top.path());
                scope.spawn(move || {
                    run_many(spawner, &top.join(format!("{threads}.{thread}")), runs / threads, binds, layers)
                })
            };
            let handles: Vec<_> = (0..threads).map(run).collect();
            handles.into_iter().map(|handle| handle.join().unwrap()).sum()
        });
        let per_run = |time: Duration| time.as_secs_f64() * 1e3 / runs as f64;
        println!(
            "{runs} runs, {threads} at a time: {:.2} ms per run, of which processor time in the sandbox {:.2} ms",
            per_run(start.elapsed()),
            per_run(system)
        );
    }
}

fn run_many(spawner: &Spawner, top: &Path, runs: usize, binds: usize, layers: usize) -> Duration {
    let further: Vec<_> = (1..layers).map(|number| layer(top, number)).collect();
    let mut used = Duration::ZERO;
    for run in 0..runs {
        let mut spec = specification(&top.join(run.to_string()), binds);
        spec.layers.extend(further.iter().cloned());
        let outcome = spawner.run(&spec, File::create("/dev/null").unwrap().into()).unwrap();
        assert_eq!(outcome.status, Status::Exited(0));
        used += outcome.usage.user_time + outcome.usage.system_time;
    }
    used
}

/// One of the further layers, the same for all runs.
fn layer(top: &Path, number: usize) -> HostPath {
    let place = top.join(format!("layer-{number}"));
    fs::create_dir_all(place.join(format!("share/{number}"))).unwrap();
    HostPath::parse(place).unwrap()
}

fn specification(top: &Path, binds: usize) -> SandboxSpec {
    let in_memory = std::env::args().nth(4).is_none();
    let make = |name: &str| {
        let path = top.join(name);
        fs::create_dir_all(&path).unwrap();
        HostPath::parse(path).unwrap()
    };
    let layer = make("layer");
    for name in ["bin", "lib", "lib64"] {
        std::os::unix::fs::symlink(format!("usr/{name}"), layer.as_path().join(name)).unwrap();
    }
    let usr = Bind { source: HostPath::parse("/usr").unwrap(), target: GuestPath::parse("/usr").unwrap() };
    let store_path = |number| Bind {
        source: layer.clone(),
        target: GuestPath::parse(format!("/larder/store/{number}-input")).unwrap(),
    };
    SandboxSpec {
        layers: vec![layer.clone()],
        writable: if in_memory {
            WritableLayer::Memory
        } else {
            WritableLayer::Directories { upper: make("upper"), work: make("work") }
        },
        binds: [usr].into_iter().chain((0..binds).map(store_path)).collect(),
        build_dir: make("build"),
        out_dir: make("out"),
        command: "/bin/true".to_owned(),
        args: Vec::new(),
        env: BTreeMap::new(),
        limits: Limits::default(),
        job_server: None,
        interactive: false,
        circumstances: Circumstances::default(),
    }
}
