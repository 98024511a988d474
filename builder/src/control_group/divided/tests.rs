//! Dividing a tree of files that looks like a group, and a real group as far as this machine lets us.

use super::*;
use crate::sandbox::linux::{Forked, clone_into_namespaces, wait_for};
use std::process::{Command, Stdio};

/// A directory with the files of a group that this process is in, and its place.
fn pretended(controllers: &str, processes: &str, is_root: bool) -> (tempfile::TempDir, Option<Place>) {
    let top = tempfile::tempdir().expect("a directory");
    let write = |name: &str, text: &str| std::fs::write(top.path().join(name), text).expect("written");
    write("cgroup.controllers", controllers);
    write(PROCESSES, processes);
    write(ENABLED, "");
    if !is_root {
        write("cgroup.type", "domain\n");
    }
    let place = Place { mount: top.path().to_owned(), group: top.path().to_owned() };
    (top, Some(place))
}

fn this() -> String {
    format!("{}\n", std::process::id())
}

#[test]
fn what_cannot_be_divided_is_told() {
    let problem = |own| survey(own, &CONTROLLERS).expect_err("it cannot be divided").to_string();
    assert_eq!(problem(None), "this process is in no control group of version 2");
    let (top, own) = pretended("hugetlb rdma\n", &this(), false);
    let name = top.path().display();
    assert_eq!(problem(own), format!("the control group {name} has none of the controllers cpu, memory, pids"));
    let (top, own) = pretended("memory pids\n", &(this() + "1\n"), false);
    let name = top.path().display();
    assert_eq!(problem(own.clone()), format!("other processes are in the control group {name}, too"));
    std::fs::remove_file(top.path().join(ENABLED)).expect("removed");
    assert_eq!(problem(own.clone()), format!("the control group {name} is not delegated to this user"));
    let told = Lacking::from(&survey(own, &CONTROLLERS).expect_err("not delegated")).to_string();
    assert!(told.ends_with("; start it as `systemd-run --user --scope --property=Delegate=yes larder …`"), "{told}");
}

#[test]
fn the_root_is_divided_with_processes_in_it() {
    let (_top, own) = pretended("memory pids\n", &(this() + "1\n"), true);
    let survey = survey(own, &CONTROLLERS).expect("it can be divided");
    assert_eq!((survey.controllers(), survey.must_leave), (&["memory", "pids"][..], false));
    let told = Lacking::of(survey.group(), survey.controllers()).expect("one is lacking").to_string();
    assert!(told.ends_with(" cannot limit cpu of builds"), "{told}");
}

#[test]
fn larder_leaves_its_group_before_that_is_divided_and_comes_back() {
    let (top, own) = pretended("cpu io memory pids\n", &this(), false);
    let read = |name: &str| std::fs::read_to_string(top.path().join(name)).expect("written");
    let divided = Divided::of(survey(own, &CONTROLLERS).expect("it can be divided")).expect("divided");
    assert!(divided.lacking().is_none());
    let name = format!("larder-{}-0", std::process::id());
    assert_eq!(read(&format!("{name}/self/{PROCESSES}")), "0");
    assert_eq!((read(ENABLED), read(&format!("{name}/{ENABLED}"))), ("+cpu +memory +pids".into(), read(ENABLED)));
    let limits = Limits { memory: Some(5), processes: 301, ..Limits::default() };
    let _group = divided.make(&limits).expect("made");
    let files = ["cpu.weight", "memory.max", "pids.max"].map(|file| read(&format!("{name}/0/{file}")));
    assert_eq!(files, ["100", "5", "302"]);
    drop(divided);
    assert_eq!((read(ENABLED), read(PROCESSES)), ("-cpu -memory -pids".to_owned(), "0".to_owned()));
}

#[test]
fn only_what_the_dead_left_is_removed() {
    let top = tempfile::tempdir().expect("a directory");
    let make = |name: &str| std::fs::create_dir_all(top.path().join(name)).expect("made");
    ["larder-1-0", "larder-2-0", "larder-2-0x", "larder.slice", "other"].into_iter().for_each(make);
    let alive = lock(&top.path().join("larder-1-0")).expect("locked");
    let names = || {
        let mut names: Vec<_> = directories(top.path())
            .filter_map(|path| path.file_name().map(|name| name.to_string_lossy().into_owned()))
            .collect();
        names.sort();
        names
    };
    sweep(top.path());
    assert_eq!(names(), ["larder-1-0", "larder-2-0x", "larder.slice", "other"]);
    drop(alive);
    sweep(top.path());
    assert_eq!(names(), ["larder-2-0x", "larder.slice", "other"]);
}

/// A group of this machine's real hierarchy that can be divided, with a controller of its; removed when dropped.
struct Real {
    group: PathBuf,
    controller: &'static str,
    enabled: Option<PathBuf>,
}

impl Real {
    /// `None` where this user may not make one, or there is no controller.
    fn make() -> Option<Self> {
        let Place { mount, .. } = hierarchy::own()?;
        let offered = std::fs::read_to_string(mount.join("cgroup.controllers")).ok()?;
        let controller = ["pids", "memory", "hugetlb"].into_iter().find(|name| offered.contains(name))?;
        let group = mount.join(format!("larder-test-{}", std::process::id()));
        std::fs::create_dir(&group).ok()?;
        let mut real = Self { group, controller, enabled: None };
        let enabled = mount.join(ENABLED);
        if !std::fs::read_to_string(&enabled).ok()?.contains(controller) {
            std::fs::write(&enabled, signed('+', &[controller])).ok()?;
            real.enabled = Some(enabled);
        }
        Some(real)
    }

    /// Whether the ignored test of this file succeeds in a process of its own in the group. Nobody waits for what it leaves.
    fn runs(&self, what: &str) -> bool {
        let test = "control_group::divided::tests::larder_in_a_group_of_its_own";
        Command::new("/bin/sh")
            .args(["-c", "echo $$ >\"$0/cgroup.procs\" && exec \"$@\""])
            .arg(&self.group)
            .arg(std::env::current_exe().expect("known"))
            .args(["--ignored", "--exact", test, "--nocapture"])
            .env("LARDER_TEST_GROUP", &self.group)
            .env("LARDER_TEST_CONTROLLER", self.controller)
            .env("LARDER_TEST_WHAT", what)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .status()
            .expect("started")
            .success()
    }
}

impl Drop for Real {
    fn drop(&mut self) {
        for _ in 0..100 {
            if std::fs::remove_dir(&self.group).is_ok() {
                break;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        if let Some(enabled) = &self.enabled {
            let _ = std::fs::write(enabled, signed('-', &[self.controller]));
        }
    }
}

/// What [`a_real_group_is_divided_used_and_left_as_it_was`] runs in a group.
#[test]
#[ignore = "only run by another test, in a process of its own"]
fn larder_in_a_group_of_its_own() {
    let group = PathBuf::from(std::env::var_os("LARDER_TEST_GROUP").expect("set"));
    let controller = std::env::var("LARDER_TEST_CONTROLLER").expect("set");
    let wanted = ["pids", "memory", "hugetlb"].into_iter().find(|name| *name == controller).expect("known");
    let own = hierarchy::own().expect("a group");
    assert_eq!(own.group, group);
    let survey = survey(Some(own.clone()), &[wanted]).expect("it can be divided");
    assert!(survey.must_leave);
    let divided = Divided::of(survey).expect("divided");
    let enabled = |group: &Path| std::fs::read_to_string(group.join(ENABLED)).expect("read");
    assert_eq!((enabled(&group), enabled(&divided.top)), (format!("{wanted}\n"), format!("{wanted}\n")));
    assert_eq!(hierarchy::own().expect("a group").group, divided.top.join(SELF));
    let sandbox = divided.make(&Limits::default()).expect("made");
    if std::env::var("LARDER_TEST_WHAT").is_ok_and(|what| what == "die") {
        let quiet = Stdio::null;
        let left = Command::new("sleep").arg("1000").stdout(quiet()).stderr(quiet()).spawn().expect("started");
        std::fs::write(divided.top.join("0").join(PROCESSES), left.id().to_string()).expect("moved");
        // As when it is killed: nothing is undone.
        std::process::abort();
    }
    // The child makes system calls only, so that other threads are no matter.
    let Forked::Parent { pid, .. } = clone_into_namespaces(Some(sandbox.handle())).expect("forked") else {
        loop {
            nix::unistd::pause();
        }
    };
    let groups = std::fs::read_to_string(format!("/proc/{pid}/cgroup")).expect("it lives");
    let born = divided.top.join("0");
    assert!(groups.lines().any(|line| line.starts_with("0::") && born.ends_with(&line[4..])), "{groups}");
    divided.take_back(sandbox);
    let (status, _) = wait_for(pid).expect("ended");
    assert!(libc::WIFSIGNALED(status) && libc::WTERMSIG(status) == libc::SIGKILL, "{status}");
    drop(divided);
    assert_eq!(directories(&group).count(), 0);
    assert_eq!((hierarchy::own(), enabled(&group)), (Some(own), String::new()));
}

#[test]
#[allow(clippy::print_stderr, reason = "a test that cannot run says so")]
fn a_real_group_is_divided_used_and_left_as_it_was() {
    let Some(real) = Real::make() else {
        eprintln!("not tested: no control group of version 2 with a controller can be made here");
        return;
    };
    assert!(!real.runs("die"));
    let left = || directories(&real.group).flat_map(|top| directories(&top).collect::<Vec<_>>()).count();
    assert_eq!(left(), 2, "itself and one sandbox");
    sweep(&real.group);
    std::thread::sleep(Duration::from_millis(100));
    sweep(&real.group);
    assert_eq!(left(), 0);
    let enabled = real.group.join(ENABLED);
    std::fs::write(&enabled, signed('-', &[real.controller])).expect("as a new group is");
    assert!(real.runs("live"));
}
