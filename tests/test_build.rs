//! Building: what derivations see, what comes out, links, and doing nothing when nothing is to be done.

use crate::harness::{Ran, Scratch};
use std::os::unix::fs::PermissionsExt;

/// Derivations of every kind that depend on each other.
const GRAPH: &str = r#"rec {
  greeting = write "greeting" { "share/greeting" = { text = "hello\n"; }; "bin/tool" = { text = "text"; executable = true; };
    "empty" = { directory = true; }; "link" = { symlink = "share/greeting"; }; };
  upper = mini "upper" "mkdir $out\nmkdir $out/share\nwrite $out/share/upper HELLO" { };
  both = derivation { name = "both"; inherit system; builder = "builtin:compose"; root = [ greeting upper ]; };
  placed = derivation { name = "placed"; inherit system; builder = "builtin:compose"; root = [ both ]; at = "sys/root"; };
  misplaced = derivation { name = "misplaced"; inherit system; builder = "builtin:compose"; root = [ both ]; at = "../up"; };
  split = mini "split" ''
    mkdir $out
    copy ${greeting}/share/greeting $out/all
    add /share/upper $out/all
    write $dev names $out and $dev
    write $doc in $HOME as $USER with $colour
  '' { outputs = [ "out" "dev" "doc" ]; root = [ seed both ]; colour = "blue"; };
  other = write "other" { "share/greeting" = { text = "good day\n"; }; };
  overridden = mini "overridden" "copy /share/greeting $out" { root = [ seed greeting other ]; override = [ other ]; };
  mentions = mini "mentions" "write $out see ${split.dev}" { };
  needs = mini "needs" "write $out nothing" { runtime = [ mentions ]; };
  fixed = mini "fixed" "write $out fixed" {
    outputHash = "sha256:0c3071418e6356e614898c84ed064ca95e88551bc0811b534bdf1952ecdae534"; outputHashMode = "flat"; };
}"#;

fn scratch() -> Scratch {
    Scratch::new(GRAPH)
}

#[test]
fn a_graph_is_built_once() {
    let scratch = scratch();
    let first = scratch.larder("build .#split").ok();
    assert_eq!(first.done(), ["built split", "built upper", "made both", "made greeting"]);
    let path = first.line();
    assert!(path.starts_with("/larder/store/") && path.ends_with("-split"), "{path}");
    assert_eq!(std::fs::read_to_string(scratch.physical(&path).join("all")).unwrap(), "hello\nHELLO\n");

    let second = scratch.larder("build .#split").ok();
    assert_eq!((second.line(), second.stderr.as_str()), (path, ""), "nothing is left to do or to tell");
    scratch.assert_sound();
    assert_eq!(scratch.entries("tmp"), [""; 0], "nothing is left over");
}

#[test]
fn outputs_are_separate_and_named() {
    let scratch = scratch();
    let [out, dev, doc] = ["", ".dev", ".doc"].map(|output| scratch.line(&format!("build .#split{output}")));
    assert!(dev.ends_with("-split-dev") && doc.ends_with("-split-doc"));
    assert_eq!(scratch.larder("cat .#split.dev").ok().stdout, "names /larder/out/out and /larder/out/dev\n");
    assert_eq!(scratch.larder("cat .#split.doc").ok().stdout, "in /build as build with blue\n");
    let drv = scratch.line("instantiate .#split");
    assert_eq!(scratch.larder(&format!("query outputs {drv}")).ok().lines().len(), 3);
    let mut all = vec![out, dev, doc];
    all.sort_unstable();
    let realised = scratch.larder(&format!("realise {drv}")).ok();
    let mut lines = realised.lines();
    lines.sort_unstable();
    assert_eq!(lines, all, "a derivation without `!output` is all its outputs");
    assert_eq!(
        scratch.line(&format!("realise {drv}!dev")),
        all[all.iter().position(|path| path.ends_with("-dev")).unwrap()]
    );
}

#[test]
fn an_owner_in_override_wins() {
    let scratch = scratch();
    scratch.larder("build .#overridden").ok();
    assert_eq!(std::fs::read_to_string(scratch.path("result")).unwrap(), "good day\n");
}

#[test]
fn written_and_composed_trees_are_as_their_entries_say() {
    let scratch = scratch();
    let listed = scratch.larder("ls -R .#both").ok();
    assert_eq!(
        listed.lines(),
        ["bin/", "bin/tool", "empty/", "link -> share/greeting", "share/", "share/greeting", "share/upper"]
    );
    let json = scratch.larder("ls --json .#both bin").ok().json("ls");
    assert_eq!(json["entries"][0]["path"], "bin/tool");
    assert_eq!((&json["entries"][0]["executable"], &json["entries"][0]["size"]), (&true.into(), &4.into()));
}

#[test]
fn a_composition_may_stand_below_a_path() {
    let scratch = scratch();
    let at_root = scratch.larder("ls -R .#both").ok();
    let placed = scratch.larder("ls -R .#placed").ok();
    let expected: Vec<_> = ["sys/".to_owned(), "sys/root/".to_owned()]
        .into_iter()
        .chain(at_root.lines().iter().map(|line| format!("sys/root/{line}")))
        .collect();
    assert_eq!(placed.lines(), expected);
    scratch.larder("build .#misplaced").fails(1, &["`at`"]);
}

#[test]
fn links_are_numbered_and_keep_what_they_name() {
    let scratch = scratch();
    let built = scratch.larder("build .#greeting .#split.dev .#upper").ok();
    let paths = built.lines();
    assert_eq!(paths.len(), 3);
    for (link, path) in [("result", paths[0]), ("result-dev", paths[1]), ("result-2", paths[2])] {
        assert_eq!(std::fs::read_link(scratch.path(link)).unwrap(), scratch.physical(path), "{link}");
    }
    scratch.larder("gc").ok();
    for path in &paths {
        assert!(scratch.physical(path).exists(), "{path} is kept by its link");
    }
    assert_eq!(scratch.larder("roots").ok().lines().len(), 3);
    std::fs::remove_file(scratch.path("result-2")).unwrap();
    scratch.larder("gc").ok();
    assert!(!scratch.physical(paths[2]).exists(), "the link was what kept it");
    assert_eq!(scratch.larder("roots").ok().lines().len(), 2, "a root whose link is gone is forgotten");
}

#[test]
fn a_link_has_the_name_that_is_asked_for_and_replaces_only_links() {
    let scratch = scratch();
    let path = scratch.line("build .#upper --out-link here");
    assert_eq!(std::fs::read_link(scratch.path("here")).unwrap(), scratch.physical(&path));
    let path = scratch.line("build .#greeting --out-link here");
    assert_eq!(std::fs::read_link(scratch.path("here")).unwrap(), scratch.physical(&path));
    scratch.write("mine", "precious");
    scratch.larder("build .#split --out-link mine").fails(1, &["mine"]);
    scratch.larder("build .#split --out-link nowhere/link").fails(1, &["nowhere is no directory"]);
    assert_eq!(
        scratch.entries("store").iter().filter(|name| name.ends_with("-split")).count(),
        0,
        "nothing is built for it"
    );
    assert_eq!(std::fs::read_to_string(scratch.path("mine")).unwrap(), "precious");
    scratch.larder("build .#upper --no-link").ok();
    assert!(!scratch.path("result").exists());
}

#[test]
fn what_cannot_be_done_with_a_build_is_told_before_it() {
    let scratch = Scratch::new(
        r#"{
      one = mini "one" "write $out one" { };
      two = mini "two" "write $out a\nwrite $dev b" { outputs = [ "out" "dev" ]; };
    }"#,
    );
    scratch.write("mine", "precious");
    scratch.write("mine-dev", "precious");
    std::os::unix::fs::symlink("mine", scratch.path("elsewhere")).unwrap();
    std::os::unix::fs::symlink("loop", scratch.path("loop")).unwrap();
    let two = scratch.line("instantiate .#two");
    let two = two.as_str();
    for (words, code, message) in [
        ("build .#one --profile a/b", 1, "`a/b` cannot be the name of a root"),
        ("build .#one --profile web-7-link", 1, "a generation of the profile `web`"),
        ("build .#one .#two --profile web", 2, "a generation is one path, but 2 would be built"),
        (&format!("build {two} --profile web"), 2, "a generation is one path, but 2 would be built"),
        ("build .#two.dev --out-link mine", 1, "mine-dev exists and is not a link into the store"),
        (&format!("build {two} --out-link mine"), 1, "exists and is not a link into the store"),
        ("build .#one --out-link elsewhere", 1, "elsewhere exists and is not a link into the store"),
        ("build .#one --out-link nowhere/x", 1, "cannot make the link nowhere/x: nowhere is no directory"),
        ("build .#one --out-link loop/x", 1, "cannot make the link loop/x: Too many levels"),
        ("build .#one --trace-out nowhere/trace", 1, "nowhere/trace"),
        ("export .#one mine", 2, "mine exists already"),
        ("export .#one nowhere/x", 1, "cannot create nowhere/x: nowhere is no directory"),
        ("repro .#one --html nowhere/x.html", 1, "cannot write nowhere/x.html: nowhere is no directory"),
        ("repro .#one --html seed", 1, "cannot write seed: it is a directory"),
        ("diff .#one .#two --html mine/x.html", 1, "cannot write mine/x.html: mine is no directory"),
        ("diff .#one nope", 2, "nope does not exist"),
        ("diff --closure .#one nope", 2, "nope does not exist"),
        ("why .#one nope", 2, "nope does not exist"),
        ("bundle sources .#one -o mine/x", 1, "cannot write to mine/x: mine is no directory"),
        ("bundle sources .#one -o nowhere/x.tar", 1, "cannot write nowhere/x.tar: nowhere is no directory"),
        ("cat .#one ../..", 2, "`..`"),
    ] {
        scratch.larder(words).fails(code, &[message]);
        let built: Vec<_> = scratch.entries("store").into_iter().filter(|name| !name.ends_with("-seed")).collect();
        assert_eq!(built, [""; 0], "{words}");
    }
    assert_eq!(std::fs::read(scratch.path("mine")).unwrap(), b"precious");
}

#[test]
fn a_dry_run_says_what_would_be_done_and_does_nothing() {
    let scratch = scratch();
    let plan = scratch.larder("build .#split --dry-run").ok();
    for expected in ["to make: 2", "to build: 2", "-greeting.drv", "-both.drv", "-upper.drv", "-split.drv"] {
        assert!(plan.stdout.contains(expected), "`{expected}` is not in:\n{}", plan.stdout);
    }
    let json = scratch.larder("build .#split --dry-run --json").ok().json("plan");
    assert_eq!(json["jobs"].as_array().unwrap().len(), 4);
    assert!(!scratch.path("result").exists());
    scratch.larder("build .#split").ok();
    assert_eq!(scratch.larder("build .#split --dry-run").ok().line(), "nothing to do: everything is realised");
    let again = scratch.larder("build .#split --rebuild --dry-run").ok();
    assert!(again.stdout.ends_with("-split.drv: to be built again\n"), "{}", again.stdout);
}

#[test]
fn a_rebuild_says_whether_it_came_out_the_same() {
    let scratch = Scratch::new(
        r#"rec {
      same = mini "same" "write $out same" { };
      different = mini "different" "copy /proc/sys/kernel/random/uuid $out" { };
    }"#,
    );
    let first = scratch.line("build .#same");
    let again = scratch.larder("build .#same --rebuild").ok();
    assert_eq!((again.line(), again.done()), (first, vec!["built same".to_owned()]));
    let first = scratch.line("build .#different");
    let content = std::fs::read(scratch.path("result")).unwrap();
    let again = scratch.larder("build .#different --rebuild").fails(1, &["warning", "came out differently", &first]);
    assert_eq!(again.line(), first, "the first one is kept");
    assert_eq!(std::fs::read(scratch.path("result")).unwrap(), content);
}

#[test]
fn results_are_printed_as_json() {
    let scratch = scratch();
    let json = scratch.larder("build .#split.dev --json").ok().json("build");
    assert_eq!(json["outputs"][0]["output"], "dev");
    let path = json["outputs"][0]["path"].as_str().unwrap();
    assert!(path.ends_with("-split-dev"));
}

#[test]
fn what_is_mentioned_is_needed_and_what_is_declared_too() {
    let scratch = scratch();
    let needs = scratch.line("build .#needs");
    let mentions = scratch.line("build .#mentions --no-link");
    let dev = scratch.line("build .#split.dev --no-link");
    assert_eq!(std::fs::read_to_string(scratch.physical(&mentions)).unwrap(), format!("see {dev}\n"));
    let mut expected = [needs.as_str(), &mentions, &dev];
    expected.sort_unstable();
    let closure = scratch.larder("query closure result").ok();
    let mut closure = closure.lines();
    closure.sort_unstable();
    assert_eq!(closure, expected);
    scratch.larder("gc").ok();
    assert!(expected.iter().all(|path| scratch.physical(path).exists()), "a root keeps a closure");
}

#[test]
fn a_fixed_output_is_checked_wherever_it_comes_from() {
    let scratch = scratch();
    assert_eq!(std::fs::read_to_string(scratch.physical(&scratch.line("build .#fixed"))).unwrap(), "fixed\n");
}

#[test]
fn quiet_tells_nothing_but_results() {
    let ran = scratch().larder("--quiet build .#upper").ok();
    assert_eq!(ran.stderr, "");
    assert!(ran.line().ends_with("-upper"));
}

#[test]
fn independent_work_goes_on_when_asked() {
    let scratch = Scratch::new(
        r#"rec {
      bad = mini "bad" "exit 1" { };
      after = mini "after" "copy ${bad} $out" { };
      good = mini "good" "write $out good" { };
      all = mini "all" "write $out ${after} ${good}" { };
    }"#,
    );
    let ran = scratch
        .larder("build .#all --keep-going -j1")
        .fails(1, &["bad could not be realised", "2 more were not tried"]);
    assert_eq!(ran.done(), ["built good"]);
    assert_eq!(scratch.larder("build .#good").ok().done(), [""; 0]);
}

#[test]
fn what_a_build_sees_is_what_it_names() {
    let scratch = Scratch::new(
        r#"rec {
      looks = mini "looks" "write $out secret=$SECRET home=$HOME time=$TZ epoch=$SOURCE_DATE_EPOCH" { };
      vandal = mini "vandal" "write /etc-like here\nwrite $out done" { };
      after = mini "after" "copy ${vandal} $out" { };
      sees = mini "sees" "copy /etc-like $out" { };
    }"#,
    );
    let mut command = scratch.command(["build", ".#looks"]);
    Ran::of(command.env("SECRET", "hunter2").env("TZ", "Asia/Tokyo")).ok();
    let seen = std::fs::read_to_string(scratch.path("result")).unwrap();
    // 1980-01-01 is the earliest time that every archive format can hold; the variable itself is part of the sandbox's ABI.
    assert!(seen.starts_with("secret= home=/build time=UTC epoch=") && seen.trim_end().len() > 40, "{seen}");
    scratch.larder("build .#after").ok();
    scratch.larder("build .#sees").fails(1, &["cannot read /etc-like"]);
    scratch.assert_sound();
}

#[test]
fn strange_outputs_are_sealed_as_trees() {
    let scratch = Scratch::new(
        r#"rec {
      locked = mini "locked" "mkdir $out\nmkdir $out/d\nwrite $out/d/f text\nmode 000 $out/d/f\nmode 000 $out/d\nmode 000 $out" { };
      setuid = mini "setuid" "mkdir $out\ncopy /bin/mini $out/tool\nmode 6755 $out/tool" { };
      linked = mini "linked" "mkdir $out\nwrite $out/a same\nhardlink $out/a $out/b\nlink /etc/passwd $out/c" { };
      symlink = mini "symlink" "link /nowhere/at/all $out" { };
      empty = mini "empty" "mkdir $out" { };
      file = mini "file" "copy /bin/mini $out\nexecutable $out" { };
    }"#,
    );
    assert_eq!(scratch.larder("cat .#locked d/f").ok().stdout, "text\n");
    scratch.larder("build .#setuid").fails(1, &["/larder/out/out/tool", "Operation not permitted"]);
    let path = scratch.line("build --no-link .#file");
    let mode = std::fs::metadata(scratch.physical(&path)).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o555, "sealed programs are read-only");
    assert_eq!(scratch.larder("ls .#linked").ok().lines(), ["a", "b", "c -> /etc/passwd"]);
    for name in ["symlink", "empty", "file"] {
        scratch.larder(&format!("build --no-link .#{name}")).ok();
    }
    scratch.assert_sound();
}

#[test]
fn a_build_is_over_when_its_builder_is() {
    let scratch = Scratch::new(r#"{ x = mini "x" "background\nwrite $out x" { }; }"#);
    let started = std::time::Instant::now();
    scratch.larder("build .#x").ok();
    assert!(started.elapsed() < std::time::Duration::from_secs(10), "what it left behind is not waited for");
}

#[test]
fn a_full_disk_is_named_and_leaves_the_store_whole() {
    let copies: Vec<_> = (0..20).map(|number| format!("add /bin/mini /build/{number}\\nadd /bin/mini $out")).collect();
    let scratch = Scratch::new(&format!(
        r#"{{ small = mini "small" "write $out small" {{ }}; large = mini "large" "{}" {{ }}; }}"#,
        copies.join("\\n")
    ));
    let larder = scratch.command([""; 0]);
    let script = "mount -t tmpfs -o size=8m none full || exit 77
        LARDER_HOME=full; export LARDER_HOME
        $0 build --no-link .#small || exit 78
        $0 build --no-link .#large; [ $? = 1 ] || exit 79
        $0 build --no-link .#small --rebuild || exit 80
        $0 verify --contents";
    std::fs::create_dir(scratch.path("full")).unwrap();
    let mut command = std::process::Command::new("unshare");
    command.args(["--user", "--map-root-user", "--mount", "sh", "-c", script]).arg(larder.get_program());
    let ran = Ran::of(command.current_dir(scratch.path("."))).ok();
    assert!(ran.stderr.contains("No space left on device"), "{}", ran.stderr);
    assert!(ran.stderr.contains("0 problems"), "{}", ran.stderr);
}

#[test]
fn a_disk_that_takes_no_more_files_is_no_fault_of_the_build() {
    let directories: Vec<_> = (0..400).map(|number| format!("mkdir /build/{number}")).collect();
    let scratch = Scratch::new(&format!(
        r#"{{ small = mini "small" "write $out small" {{ }}; many = mini "many" "{}\nwrite $out x" {{ }}; }}"#,
        directories.join("\\n")
    ));
    let larder = scratch.command([""; 0]);
    let script = "mount -t tmpfs -o nr_inodes=300 none full || exit 77
        LARDER_HOME=full; export LARDER_HOME
        $0 build --no-link .#small || exit 78
        $0 build --no-link --discard-failed .#many; [ $? = 1 ] || exit 79
        mount -o remount,nr_inodes=3000 full || exit 80
        $0 build --no-link .#many || exit 81
        $0 verify --contents";
    std::fs::create_dir(scratch.path("full")).unwrap();
    let mut command = std::process::Command::new("unshare");
    command.args(["--user", "--map-root-user", "--mount", "sh", "-c", script]).arg(larder.get_program());
    let ran = Ran::of(command.current_dir(scratch.path("."))).ok();
    assert!(ran.stderr.contains("hardly any room left on the disk"), "{}", ran.stderr);
    assert!(ran.stderr.contains("0 problems"), "{}", ran.stderr);
}

#[test]
fn a_limit_stops_a_build_and_the_reason_is_told() {
    let scratch = Scratch::new(
        r#"rec {
      slow = mini "slow" "say begun\nsleep 600" { };
      large = mini "large" "copy /bin/mini $out" { };
      loud = mini "loud" "cat /bin/mini\nwrite $out loud" { };
    }"#,
    );
    scratch
        .larder("build .#slow --timeout 1")
        .fails(1, &["was stopped by its time-out of 1 s", "hint: ", "--timeout", "| begun"]);
    scratch
        .larder("build .#slow --max-silent-time 1")
        .fails(1, &["was stopped because it printed nothing for 1 s", "--max-silent-time"]);
    scratch
        .larder("build .#loud --max-log-size 10K")
        .fails(1, &["was stopped because it printed more than 10240 bytes", "--max-log-size"]);
    scratch.larder("build .#loud --max-log-size 0").ok();
    scratch
        .larder("build .#large --max-build-size 50K")
        .fails(1, &["was stopped because its files take more than 51200 bytes", "--max-build-size"]);
    scratch
        .larder("build .#large --max-build-files 2")
        .fails(1, &["was stopped because it has more than 2 files", "--max-build-files"]);
    scratch.larder("build .#large --max-build-size 0 --max-build-files 0").ok();
    scratch.assert_sound();
}

#[test]
fn what_failed_before_is_told_at_once_and_built_again_when_asked() {
    let scratch = Scratch::new(
        r#"rec {
      bad = mini "bad" "say trying\nexit 3" { };
      after = mini "after" "write $out ${bad}" { };
      all = mini "all" "write $out ${after} ${other}" { };
      other = mini "other" "write $out other" { };
    }"#,
    );
    let tried =
        ["failed: bad: the builder failed with exit status 3", "| trying", "not tried: after, all, for they need bad"];
    scratch.larder("build .#all --keep-going").fails(1, &tried);
    let known = scratch
        .larder("build .#bad")
        .fails(1, &["failed: bad: it failed before, ", "exit status 3", "| trying", "hint: "]);
    assert!(known.stderr.contains("larder build --retry /larder/store/"), "{}", known.stderr);
    assert!(known.stderr.contains("larder log ") && known.stderr.contains("larder debug "), "{}", known.stderr);
    let again = scratch.larder("build .#bad --retry").fails(1, &["failed: bad: the builder failed"]);
    assert!(!again.stderr.contains("before"), "{}", again.stderr);
    scratch.larder("build .#other").ok();
    let known = scratch.larder("log --json .#bad").ok().json("log");
    assert_eq!((&known["built"], &known["failed"]["tail"][0]), (&serde_json::Value::Null, &"trying".into()));
    let known = scratch.larder("log --json .#other").ok().json("log");
    assert_eq!(known["failed"], serde_json::Value::Null);
    let used = |name: &str| known["built"][name].as_u64().unwrap();
    assert!(used("finished") > 1_500_000_000 && used("largest_process") > 10_000 && used("duration_ms") < 60_000);
    scratch.assert_sound();
}

#[test]
fn a_dry_run_says_why() {
    let recipes = |zlib: &str, flags: &str| {
        format!(
            r#"rec {{
          zlib = mini "zlib" "write $out {zlib}" {{ }};
          user = mini "user" "write $out user\nadd ${{zlib}} $out" {{ flags = "{flags}"; }};
          bad = mini "bad" "exit 3" {{ }};
        }}"#
        )
    };
    let scratch = Scratch::new(&recipes("one", "-O2"));
    let says = |expected: &[&str]| {
        let plan = scratch.larder("build .#user .#bad --dry-run").ok().stdout;
        expected.iter().for_each(|expected| assert!(plan.contains(expected), "`{expected}` is not in:\n{plan}"));
    };
    says(&["to build: 3", "-zlib.drv: never built here\n", "-user.drv: never built here\n"]);
    scratch.larder("build .#user").ok();
    scratch.larder("build .#bad").fails(1, &[]);
    says(&["to fail, as before: 1", "-bad.drv: the builder failed with exit status 3"]);
    scratch.recipes(&recipes("two", "-O3"));
    says(&[
        "-zlib.drv: changed since it was built last: the arguments\n",
        "-user.drv: changed since it was built last: the variable flags, the input zlib; reused if its inputs come out as before\n",
    ]);
    let many: String = (0..20).map(|number| format!("v{number:02} = 1; ")).collect();
    scratch.recipes(&format!(r#"{{ user = mini "user" "exit 3" {{ {many}}}; }}"#));
    let plan = scratch.larder("build .#user --dry-run").ok().stdout;
    assert!(plan.contains(", the variable v04, the variable v05 and 15 more (--json names them)\n"), "{plan}");
    let plan = scratch.larder("build .#user --dry-run --json").ok().json("plan");
    assert_eq!(plan["jobs"][0]["changes"].as_array().unwrap().len(), 23, "{plan}");
    // Once the input is there, it is known that the other came out as before.
    scratch.recipes(&recipes("one\\nsay two", "-O2"));
    scratch.larder("build .#zlib --no-link").ok();
    says(&["to reuse: 1", "-user.drv: its inputs came out as before"]);
    let plan = scratch.larder("build .#user .#bad --dry-run --json").ok().json("plan");
    let outcome = |number: usize| plan["jobs"][number]["outcome"].as_str().unwrap().to_owned();
    assert_eq!([outcome(0), outcome(1)], ["reused", "fails"]);
    scratch.recipes(&recipes("one", "-O2"));
    std::fs::remove_file(scratch.path("result")).unwrap();
    scratch.larder("gc").ok();
    says(&["-zlib.drv: built before, but not kept\n"]);
}

#[test]
fn a_build_may_write_derivations_that_the_plan_goes_on_with() {
    let scratch = Scratch::new(
        r#"rec {
      steps = builtins.toJSON {
        version = 1;
        result = "both";
        derivations = {
          both = { builder = "/bin/mini"; root = [ "${seed}" ]; args = [ "copy @{first} $out\nadd @{second!dev} $out" ]; };
          first = { builder = "/bin/mini"; root = [ "${seed}" ]; args = [ "write $out one" ]; };
          second = { builder = "/bin/mini"; root = [ "${seed}" ]; outputs = [ "out" "dev" ]; args = [ "mkdir $out\nwrite $dev two" ]; };
        };
      };
      written = mini "steps" "write $out $steps" { inherit steps; };
      whole = derivation { name = "whole"; inherit system; builder = "builtin:graph"; src = written; trees = [ seed ]; };
      user = mini "user" "copy ${whole} $out\nappend $out three" { };
    }"#,
    );
    let adds = "-whole.drv: never built here; then the derivations of its graph are added\n";
    let plan = scratch.larder("build .#user --dry-run").ok();
    assert!(plan.stdout.contains(adds), "{}", plan.stdout);
    scratch
        .larder("debug .#whole")
        .fails(1, &["builtin:graph is done by larder itself", "larder build --retry", "graph can"]);
    let ran = scratch.larder("build .#user").ok();
    assert_eq!(std::fs::read_to_string(scratch.physical(&ran.line())).unwrap(), "one\ntwo\nthree\n");
    assert_eq!(ran.done(), ["built both", "built first", "built second", "built steps", "built user", "made whole"]);
    let again = scratch.larder("build .#user --rebuild").ok();
    assert_eq!((again.done(), again.line()), (vec!["built user".to_owned()], ran.line()));
    scratch.assert_sound();
}

#[test]
fn why_a_build_fails_is_told_while_others_run_and_once() {
    let scratch = Scratch::new(
        r#"rec {
          bad = mini "bad" "sleep 1\nsay the reason\nexit 7" { };
          slow = mini "slow" "sleep 4\nwrite $out slow" { };
          both = mini "both" "copy ${bad} $out\ncopy ${slow} $out" { };
        }"#,
    );
    for how in ["--log-format=plain", "-q"] {
        let mut child = scratch
            .command(["build", "-j", "2", "--retry", "--rebuild", ".#both", ".#slow", how])
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines =
            std::io::BufRead::lines(std::io::BufReader::new(child.stderr.take().unwrap())).map(Result::unwrap);
        let before: Vec<_> = lines.by_ref().take_while(|line| !line.contains("the reason")).collect();
        assert!(child.try_wait().unwrap().is_none(), "{how}: the other build still runs: {before:?}");
        let after: Vec<_> = lines.collect();
        assert_eq!(child.wait().unwrap().code(), Some(1));
        let told = [before, after.clone()].concat().join("\n");
        assert_eq!(told.matches("exit status 7").count(), 1, "{how}: {told}");
        assert!(!told.contains("the reason"), "{how}: {told}");
        assert!(told.contains("not tried: both, for they need bad"), "{how}: {told}");
        assert!(how == "-q" || after.iter().any(|line| line.starts_with("built slow")), "{how}: {after:?}");
    }
}
