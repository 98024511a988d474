//! Machines that forbid the sandbox: there is an error that names the remedy, and never a run without the sandbox.

use crate::testutil::{Fixture, start_spawner};
use builder::sandbox::{Remedy, Status, probe};
use std::process::Command;

/// Run by the other tests where the sandbox is forbidden: prints what it is told.
#[test]
#[ignore = "only run by other tests, in a process of its own"]
fn a_larder_that_may_not() {
    let fixture = Fixture::script("echo ran > /larder/out/ran");
    let (outcome, log) = fixture.run_in(&start_spawner());
    let Status::SetupFailed(error) = outcome.status else { panic!("{outcome:?} {log}") };
    assert!(!fixture.path("out/ran").exists());
    eprintln!("error: {error}");
    match error.remedy {
        Some(remedy) => eprintln!("remedy: {remedy}"),
        None => eprintln!("no remedy"),
    }
    eprintln!("probe: {:?}", probe().map_err(|error| error.remedy));
}

/// What the test above prints if it is run after `preparation` in a user and mount namespace.
fn told_after(preparation: &str) -> String {
    let this = std::env::current_exe().unwrap();
    let script = format!(
        "{preparation} {} --ignored --exact --nocapture test_sandbox_unavailable::a_larder_that_may_not",
        this.display()
    );
    let output = Command::new("unshare").args(["-Urmpf", "--mount-proc", "sh", "-ec", &script]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stdout));
    text
}

#[test]
fn user_namespaces_switched_off() {
    let text = told_after("echo 0 > /proc/sys/user/max_user_namespaces;");
    assert!(text.contains("error: cannot make the sandbox's namespaces: No space left on device"), "{text}");
    assert!(text.contains("remedy: too few namespaces are allowed"), "{text}");
    assert!(text.contains("sysctl user.max_user_namespaces=15000"), "{text}");
    assert!(text.contains("probe: Err(Some(Limit("), "{text}");
}

#[test]
fn one_kind_of_namespace_switched_off() {
    let text = told_after("echo 0 > /proc/sys/user/max_net_namespaces;");
    assert!(text.contains("sysctl user.max_net_namespaces=15000"), "{text}");
}

#[test]
fn a_chroot() {
    let text = told_after("PATH=$PATH:/usr/sbin:/sbin; top=$(mktemp -d); mount --rbind / $top; exec chroot $top");
    assert!(text.contains(&Remedy::Chroot.to_string()), "{text}");
}

#[test]
fn a_masked_proc() {
    let text = told_after("mount -t tmpfs none /proc/irq;");
    assert!(text.contains("error: cannot mount the sandbox's /proc"), "{text}");
    assert!(text.contains(&Remedy::MaskedProc.to_string()), "{text}");
}
