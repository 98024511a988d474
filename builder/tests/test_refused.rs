//! Outputs that are refused after their command succeeded: kept, seen by nobody, and verified again instead of built.

use crate::realising::{Fixture, make_writable, output_of, told};
use builder::resolve::Resolved;
use builder::{BuildError, Builder, Outlook, RunLimits, RunOptions, RunResult, Settings};
use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::Duration;
use store::derivation::{FixedOutput, HashMode};
use store::file_hash::HashAlgorithm;
use store::{FileHash, Input, OutputName, StorePath};

/// A script that needs its interpreter at run time, and says how often it was made.
const SCRIPT: &str = "say try\nmkdir $out\nwrite $out/run #!/opt/interpreter\nexecutable $out/run";

fn keeping(fixture: &Fixture) -> Settings {
    Settings { keep_failed: true, ..fixture.settings(1) }
}

fn add(fixture: &Fixture, runtime: &[&StorePath]) -> StorePath {
    fixture.add_changed("script", SCRIPT, &[], &[], |derivation| {
        derivation.runtime = runtime.iter().map(|path| Input::Tree((*path).clone())).collect();
    })
}

/// Realises; gives the result and what was told of it.
fn realise(fixture: &Fixture, target: &StorePath, settings: Settings, rebuild: bool) -> (RunResult, Vec<String>) {
    let builder = Builder::new(&fixture.store, settings);
    let (result, words) = told(&builder, std::slice::from_ref(target), RunOptions { keep_going: true, rebuild });
    let words = words.into_iter().filter(|word| !word.starts_with("planned") && !word.starts_with("started"));
    (result, words.collect())
}

/// Whether all that is expected to happen is that outputs which were refused are verified.
fn is_only_verified(fixture: &Fixture, target: &StorePath, settings: Settings, rebuild: bool) -> bool {
    let builder = Builder::new(&fixture.store, settings);
    let plan = builder.plan(std::slice::from_ref(target), RunOptions { keep_going: true, rebuild }).unwrap();
    let is_verified = |job| builder.outlook(job, &plan, rebuild).unwrap() == Outlook::Verified;
    !plan.jobs.is_empty() && plan.jobs.iter().all(is_verified)
}

const BUILT_AND_REFUSED: [&str; 2] = ["script: try", "failed script"];
const BUILT: [&str; 2] = ["script: try", "built script"];

fn names(directory: PathBuf) -> BTreeSet<String> {
    let entries = std::fs::read_dir(directory).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

/// Where the only thing that is kept lies.
fn kept(fixture: &Fixture) -> Option<PathBuf> {
    let tmp = fixture.store.layout().tmp();
    let name = names(tmp.clone()).into_iter().find(|name| name.starts_with("refused-"))?;
    Some(tmp.join(name))
}

fn interpreter(fixture: &Fixture) -> StorePath {
    fixture.add_tree("interpreter", "opt/interpreter", "it")
}

#[test]
fn what_was_refused_is_verified_again_and_not_built() {
    let fixture = Fixture::new();
    let (interpreter, other) = (interpreter(&fixture), fixture.add_tree("other", "other", "it"));
    let before = names(fixture.store.layout().store());
    let refused = add(&fixture, &[]);
    let (result, words) = realise(&fixture, &refused, keeping(&fixture), false);
    assert_eq!(words, BUILT_AND_REFUSED);
    assert!(matches!(result.failures[0].error.reason(), BuildError::Runtime { kept: true, .. }));
    assert!(result.failures[0].error.hints().iter().any(|hint| hint.contains("its outputs are kept")));
    assert_eq!(names(fixture.store.layout().store()), before, "nothing refused is in the store");

    // What still lacks it is refused anew without being built, however often.
    for lacking in [&refused, &add(&fixture, &[&other]), &refused] {
        assert_eq!(realise(&fixture, lacking, keeping(&fixture), false).1, ["failed script"]);
        assert_eq!(names(fixture.store.layout().store()), before);
    }
    let complete = add(&fixture, &[&interpreter]);
    assert!(is_only_verified(&fixture, &complete, keeping(&fixture), false));
    let (result, words) = realise(&fixture, &complete, keeping(&fixture), false);
    assert_eq!((words, result.built, result.reused), (vec!["verified script".to_owned()], 0, 1));
    let output = &result.outputs[&output_of(&complete)];
    let text = std::fs::read_to_string(fixture.store.host_path(output).join("run")).unwrap();
    assert_eq!(text, "#!/opt/interpreter\n");
    assert_eq!(fixture.store.closure(std::slice::from_ref(output)).unwrap().len(), 2, "with what it declares");
    assert_eq!(kept(&fixture), None);
    // What it cost, and what it told, is what the build did.
    let action = fixture.store.resolution(&complete.derivation().unwrap()).unwrap().unwrap();
    assert!(fixture.store.build_cost(&action).unwrap().unwrap().finished > 0);
    assert!(fixture.store.layout().log(&action).exists());

    // It is the same tree as one that is built.
    let (result, words) = realise(&fixture, &complete, keeping(&fixture), true);
    assert_eq!((words, result.conflicts), (BUILT.map(str::to_owned).to_vec(), Vec::new()));
}

/// The command does not see what is allowed, so nothing is built again for it.
#[test]
fn what_need_not_be_there_is_named() {
    let fixture = Fixture::new();
    assert_eq!(realise(&fixture, &add(&fixture, &[]), keeping(&fixture), false).1, BUILT_AND_REFUSED);
    let allowing = |names: &str| {
        fixture.add_changed("script", SCRIPT, &[], &[], |derivation| {
            derivation.env.insert("allowedUnmet".to_owned(), names.to_owned());
        })
    };
    assert_eq!(realise(&fixture, &allowing("/opt/other"), keeping(&fixture), false).1, ["failed script"]);
    let (result, words) = realise(&fixture, &allowing("/opt/other /opt/inter*"), keeping(&fixture), false);
    assert_eq!((words, result.built), (vec!["verified script".to_owned()], 0));
}

#[test]
fn who_asks_for_a_build_gets_one() {
    let fixture = Fixture::new();
    let refused = add(&fixture, &[]);
    let refuse = || {
        assert_eq!(realise(&fixture, &refused, keeping(&fixture), true).1, BUILT_AND_REFUSED);
        assert!(kept(&fixture).is_some());
    };
    let complete = add(&fixture, &[&interpreter(&fixture)]);
    refuse();
    assert!(!is_only_verified(&fixture, &complete, keeping(&fixture), true));
    assert_eq!(realise(&fixture, &complete, keeping(&fixture), true).1, BUILT, "built anew");
    for (asked, settings) in [
        ("to try again", Settings { retry: true, ..keeping(&fixture) }),
        ("what it uses", Settings { trace_inputs: true, ..keeping(&fixture) }),
    ] {
        refuse();
        let another = fixture.add_tree(asked.split(' ').next().unwrap(), "any", asked);
        let complete = add(&fixture, &[&interpreter(&fixture), &another]);
        assert!(!is_only_verified(&fixture, &complete, settings.clone(), false));
        assert_eq!(realise(&fixture, &complete, settings, false).1, BUILT, "{asked}");
    }
}

#[test]
fn what_is_to_be_discarded_is_not_kept() {
    let fixture = Fixture::new();
    let (result, _) = realise(&fixture, &add(&fixture, &[]), fixture.settings(1), false);
    assert!(matches!(result.failures[0].error.reason(), BuildError::Runtime { kept: false, .. }));
    assert!(!result.failures[0].error.hints().iter().any(|hint| hint.contains("kept")));
    assert_eq!(kept(&fixture), None);
    assert_eq!(realise(&fixture, &add(&fixture, &[&interpreter(&fixture)]), fixture.settings(1), false).1, BUILT);
}

#[test]
fn what_is_not_as_it_was_made_is_built_anew() {
    let damages: [(&str, &dyn Fn(PathBuf)); 5] = [
        ("another content", &|kept| std::fs::write(kept.join("outputs/out/run"), "#!/opt/interpreter -x\n").unwrap()),
        ("another file", &|kept| std::fs::write(kept.join("outputs/out/more"), "").unwrap()),
        ("no output", &|kept| std::fs::remove_dir_all(kept.join("outputs/out")).unwrap()),
        ("half a note", &|kept| std::fs::write(kept.join("made"), "{\"version\":1,").unwrap()),
        ("a note of another version", &|kept| {
            let note = std::fs::read_to_string(kept.join("made")).unwrap();
            std::fs::write(kept.join("made"), note.replace("\"version\":1", "\"version\":2")).unwrap();
        }),
    ];
    for (damage, act) in damages {
        let fixture = Fixture::new();
        realise(&fixture, &add(&fixture, &[]), keeping(&fixture), false);
        let place = kept(&fixture).unwrap();
        make_writable(&place);
        std::fs::set_permissions(place.join("outputs/out/run"), std::fs::Permissions::from_mode(0o755)).unwrap();
        act(place);
        let complete = add(&fixture, &[&interpreter(&fixture)]);
        let (result, words) = realise(&fixture, &complete, keeping(&fixture), false);
        assert_eq!(words, BUILT, "{damage}");
        let output = fixture.store.host_path(&result.outputs[&output_of(&complete)]);
        assert_eq!(std::fs::read_to_string(output.join("run")).unwrap(), "#!/opt/interpreter\n", "{damage}");
    }
}

#[test]
fn another_command_finds_nothing() {
    let fixture = Fixture::new();
    realise(&fixture, &add(&fixture, &[]), keeping(&fixture), false);
    let more = fixture.add_tree("more", "share/more", "more");
    let interpreter = interpreter(&fixture);
    let other = fixture.add_changed("script", SCRIPT, &[], &[more], |derivation| {
        derivation.runtime = vec![Input::Tree(interpreter)];
    });
    assert_eq!(realise(&fixture, &other, keeping(&fixture), false).1, BUILT);
}

#[test]
fn all_outputs_are_kept_and_one_that_is_a_file_too() {
    let fixture = Fixture::new();
    let (doc, interpreter) = ("doc".parse::<OutputName>().unwrap(), interpreter(&fixture));
    let script = format!("{SCRIPT}\nwrite $doc about it");
    let add = |runtime: Vec<Input>| {
        fixture.add_changed("script", &script, &[], &[], |derivation| {
            derivation.outputs.insert(doc.clone());
            derivation.runtime = runtime;
        })
    };
    assert_eq!(realise(&fixture, &add(Vec::new()), keeping(&fixture), false).1, BUILT_AND_REFUSED);
    let complete = add(vec![Input::Tree(interpreter)]);
    let (result, words) = realise(&fixture, &complete, keeping(&fixture), false);
    assert_eq!(words, ["verified script"]);
    let path = &result.outputs[&Input::Output { derivation: complete, output: doc }];
    assert_eq!(std::fs::read_to_string(fixture.store.host_path(path)).unwrap(), "about it\n");
}

#[test]
fn what_only_another_output_has_is_told() {
    let fixture = Fixture::new();
    let tool: OutputName = "tool".parse().unwrap();
    let script = format!("{SCRIPT}\nmkdir $tool\nmkdir $tool/opt\nwrite $tool/opt/interpreter it");
    let add = |runtime: Vec<Input>| {
        fixture.add_changed("script", &script, &[], &[], |derivation| {
            derivation.outputs.insert(tool.clone());
            derivation.runtime = runtime;
        })
    };
    let words = realise(&fixture, &add(Vec::new()), keeping(&fixture), false).1;
    let [said, warned, built] = &words[..] else { panic!("{words:?}") };
    assert_eq!((said.as_str(), built.as_str()), ("script: try", "built script"));
    let told =
        "the output `out` is not complete alone: /run needs the interpreter /opt/interpreter, which another output has";
    assert_eq!(warned, &format!("warned of script: {told}"));
    // Who says that it is needed has it.
    let words = realise(&fixture, &add(vec![Input::Tree(interpreter(&fixture))]), keeping(&fixture), false).1;
    assert_eq!(words, BUILT);
}

#[test]
fn an_output_with_another_fixed_hash_than_expected_is_not_made_again() {
    let fixture = Fixture::new();
    let add = |hash: FileHash| {
        fixture.add_changed("fixed", "say try\nwrite $out content", &[], &[], |derivation| {
            derivation.fixed = Some(FixedOutput { hash, mode: HashMode::File });
        })
    };
    let wrong = FileHash::parse(&"0".repeat(64), Some(HashAlgorithm::Blake3)).unwrap();
    let (result, words) = realise(&fixture, &add(wrong), keeping(&fixture), false);
    assert_eq!(words, ["fixed: try", "failed fixed"]);
    let BuildError::FixedHash { got, .. } = result.failures[0].error.reason() else { panic!("{:?}", result.failures) };
    assert_eq!(realise(&fixture, &add(got.clone()), keeping(&fixture), false).1, ["verified fixed"]);
}

fn resolved(fixture: &Fixture, builder: &Builder<'_>, path: &StorePath) -> Resolved {
    let derivation = fixture.store.derivation(&path.derivation().unwrap()).unwrap();
    builder.resolve(path, &derivation, &BTreeMap::new()).unwrap()
}

#[test]
fn who_enters_a_refused_build_finds_copies_of_its_outputs() {
    let fixture = Fixture::new();
    let refused = add(&fixture, &[]);
    realise(&fixture, &refused, keeping(&fixture), false);
    let builder = Builder::new(&fixture.store, keeping(&fixture));
    let resolved = resolved(&fixture, &builder, &refused);
    let out = builder.kept_place(&resolved).join("out/out");
    assert!(!out.exists());
    builder.show_refused(&resolved).unwrap();
    let run = out.join("run");
    assert_eq!(std::fs::read_to_string(&run).unwrap(), "#!/opt/interpreter\n");
    let mode = |place: &PathBuf| place.metadata().unwrap().permissions().mode() & 0o7777;
    assert_eq!((mode(&out), mode(&run)), (0o755, 0o755));
    std::fs::write(&run, "changed").unwrap();
    std::fs::write(out.join("more"), "").unwrap();
    builder.show_refused(&resolved).unwrap();
    assert_eq!(std::fs::read_to_string(&run).unwrap(), "changed", "what somebody was at is left to them");

    let complete = add(&fixture, &[&interpreter(&fixture)]);
    let (result, words) = realise(&fixture, &complete, keeping(&fixture), false);
    assert_eq!(words, ["verified script"], "what is kept is as it was");
    let output = fixture.store.host_path(&result.outputs[&output_of(&complete)]);
    assert_eq!(std::fs::read_to_string(output.join("run")).unwrap(), "#!/opt/interpreter\n");
    std::fs::remove_dir_all(&out).unwrap();
    builder.show_refused(&resolved).unwrap();
    assert!(!out.exists(), "nothing is kept any more");
}

#[test]
fn outputs_of_an_earlier_build_are_not_shown_with_a_later_one() {
    let fixture = Fixture::new();
    let refused = fixture.add("slow", &format!("sleep 1\n{SCRIPT}"), &[], &[]);
    assert_eq!(realise(&fixture, &refused, keeping(&fixture), true).1, ["slow: try", "failed slow"]);
    let limits = RunLimits { total: Some(Duration::from_millis(100)), ..RunLimits::default() };
    let (result, _) = realise(&fixture, &refused, Settings { limits, ..keeping(&fixture) }, true);
    assert!(matches!(&*result.failures[0].error, BuildError::Builder { kept: Some(_), .. }), "{:?}", result.failures);
    assert!(kept(&fixture).is_some(), "of the first build");
    let builder = Builder::new(&fixture.store, keeping(&fixture));
    let resolved = resolved(&fixture, &builder, &refused);
    builder.show_refused(&resolved).unwrap();
    assert_eq!(names(builder.kept_place(&resolved).join("out")), BTreeSet::new());
}
