//! Graphs that builds make: the plan goes on with them, and who writes one gets no further than any build.

use crate::realising::{Fixture, SYSTEM, output_of, told, tools};
use builder::RunOptions;
use std::collections::{BTreeMap, BTreeSet};
use store::derivation::OutputName;
use store::{Derivation, Input, StoreName, StorePath};

/// A derivation that goes on with the graph that another one makes, which may name these trees.
fn graph(fixture: &Fixture, name: &str, made_by: &StorePath, trees: &[&StorePath]) -> StorePath {
    let source = output_of(made_by);
    let inputs = trees.iter().map(|tree| Input::Tree((*tree).clone()));
    let derivation = Derivation {
        name: StoreName::parse(name).unwrap(),
        system: SYSTEM.to_owned(),
        builder: "builtin:graph".to_owned(),
        args: Vec::new(),
        env: BTreeMap::from([("src".to_owned(), source.mention())]),
        inputs: inputs.chain([source]).collect(),
        root: Vec::new(),
        overrides: Vec::new(),
        runtime: Vec::new(),
        outputs: BTreeSet::from([OutputName::out()]),
        fixed: None,
    };
    fixture.store.add_derivation(derivation).unwrap()
}

/// A build that makes a file with this text.
fn makes(fixture: &Fixture, text: &str) -> StorePath {
    let tree = fixture.add_tree("template", "graph", text);
    fixture.add("maker", &format!("say making\ncopy {tree}/graph $out"), &[&tree], &[])
}

/// A graph of `lower`, which runs a script, and `upper`, which copies what that makes.
fn two(seed: &StorePath, script: &str) -> String {
    format!(
        r#"{{ "version": 1, "result": "upper", "derivations": {{
            "upper": {{ "builder": "/bin/mini", "root": ["{seed}"], "args": ["copy @{{lower}} $out"] }},
            "lower": {{ "builder": "/bin/mini", "root": ["{seed}"], "args": ["{script}"] }} }} }}"#
    )
}

/// Realises a graph that a build makes of a text, and gives what was told and why it failed.
fn come_to(fixture: &Fixture, text: &str, trees: &[&StorePath]) -> (Vec<String>, Vec<String>) {
    let whole = graph(fixture, "whole", &makes(fixture, text), trees);
    let (result, words) = told(&fixture.builder(2), &[whole], RunOptions { keep_going: true, rebuild: false });
    assert_eq!(fixture.store.verify(None, true).unwrap(), [], "the store is whole");
    (words, result.failures.iter().map(|failure| failure.error.to_string()).collect())
}

#[test]
fn the_plan_goes_on_with_what_a_build_made() {
    let fixture = Fixture::new();
    let made_by = makes(&fixture, &two(&fixture.seed, "write $out low"));
    let whole = graph(&fixture, "whole", &made_by, &[&fixture.seed]);
    let after = fixture.add("after", &format!("copy {} $out", output_of(&whole).mention()), &[&whole], &[]);
    let builder = fixture.builder(2);
    let (result, words) = told(&builder, std::slice::from_ref(&after), RunOptions::default());
    let expected = [
        "planned 3",
        "started maker",
        "maker: making",
        "built maker",
        "planned 2",
        "started lower",
        "built lower",
        "started upper",
        "built upper",
        "built whole",
        "started after",
        "built after",
    ];
    assert_eq!(words, expected);
    assert_eq!(fixture.content(&result, &after), "low\n");
    let (again, words) = told(&fixture.builder(2), &[after], RunOptions::default());
    assert_eq!((words, again.built), (Vec::new(), 0), "what is realised is not looked behind");
}

#[test]
fn a_graph_that_is_made_again_the_same_is_not_planned() {
    let fixture = Fixture::new();
    let text = two(&fixture.seed, "write $out low");
    told(
        &fixture.builder(2),
        &[graph(&fixture, "whole", &makes(&fixture, &text), &[&fixture.seed])],
        RunOptions::default(),
    );
    let tree = fixture.add_tree("template", "graph", &text);
    let otherwise = fixture.add("maker", &format!("say otherwise\ncopy {tree}/graph $out"), &[&tree], &[]);
    let (result, words) =
        told(&fixture.builder(2), &[graph(&fixture, "whole", &otherwise, &[&fixture.seed])], RunOptions::default());
    assert_eq!(words, ["planned 2", "started maker", "maker: otherwise", "built maker", "reused whole"]);
    assert_eq!((result.built, result.reused), (1, 1));
}

#[test]
fn what_graphs_share_is_built_once() {
    let fixture = Fixture::new();
    let text = |top: &str| two(&fixture.seed, "say once\\nsleep 1\\nwrite $out low").replace("upper", top);
    let wholes = ["one", "two"]
        .map(|top| graph(&fixture, &format!("whole-{top}"), &makes(&fixture, &text(top)), &[&fixture.seed]));
    let (result, words) = told(&fixture.builder(4), &wholes, RunOptions::default());
    assert_eq!(words.iter().filter(|word| *word == "lower: once").count(), 1, "{words:?}");
    assert_eq!((result.failures.len(), result.built, result.reused), (0, 6, 1), "`one` and `two` are the same action");
}

#[test]
fn a_failure_in_a_graph_is_one_of_who_waits_for_it() {
    let fixture = Fixture::new();
    let whole = |top: &str| {
        let text = two(&fixture.seed, "exit 3").replace("upper", top);
        graph(&fixture, &format!("whole-{top}"), &makes(&fixture, &text), &[&fixture.seed])
    };
    let options = RunOptions { keep_going: true, rebuild: false };
    let (result, words) = told(&fixture.builder(1), &[whole("one"), whole("two")], options);
    assert_eq!(result.failures.len(), 1, "{words:?}");
    let mut skipped: Vec<_> = words.iter().filter(|word| word.starts_with("skipped")).map(String::as_str).collect();
    skipped.sort_unstable();
    let expected = ["one", "two", "whole-one", "whole-two"].map(|name| format!("skipped {name} for lower"));
    assert_eq!(skipped, expected, "{words:?}");
}

#[test]
fn a_graph_names_no_tree_that_its_derivation_does_not() {
    let fixture = Fixture::new();
    let secret = fixture.add_tree("secret", "file", "hidden\n");
    let (_, reasons) = come_to(&fixture, &two(&secret, "write $out low"), &[&fixture.seed]);
    assert!(reasons[0].contains("neither") && reasons[0].contains("secret"), "{reasons:?}");
    let reads = two(&fixture.seed, &format!("copy {secret}/file $out"));
    let (words, reasons) = come_to(&fixture, &reads, &[&fixture.seed]);
    assert!(words.iter().any(|word| word.contains("No such file")) && reasons.len() == 1, "{words:?} {reasons:?}");
}

#[test]
fn hostile_graphs_fail_with_the_reason() {
    let fixture = Fixture::new();
    let only = |step: &str| format!(r#"{{"version":1,"result":"a","derivations":{{"a":{step}}}}}"#);
    let why = |text: &str| come_to(&fixture, text, &[&fixture.seed]).1.join(" ");
    assert!(why("\0\u{1b}[2J").contains("not a graph"));
    assert!(why(&"[".repeat(1 << 20)).contains("not a graph"), "nested without end");
    assert!(why(&only(r#"{"builder":"@{a}"}"#)).contains("need each other: a -> a"));
    assert!(why(&only(r#"{"builder":"builtin:fetch","env":{"urls":"http://127.0.0.1/?secret"}}"#)).contains("may not"));
    assert!(why(&only(r#"{"builder":"builtin:nonsense"}"#)).contains("unknown"));
    let seed = &fixture.seed;
    let linked = fixture.add("linked", &format!("link {seed}/bin/mini $out"), &[seed], &[]);
    let large = fixture.add("large", "mkdir $out", &[], &[]);
    for (made_by, word) in [(linked, "not a plain file"), (large, "not a plain file")] {
        let (result, _) = told(&fixture.builder(1), &[graph(&fixture, "whole", &made_by, &[])], RunOptions::default());
        assert!(result.failures[0].error.to_string().contains(word), "{:?}", result.failures);
    }
}

#[test]
fn graphs_that_make_graphs_without_end_are_stopped() {
    let fixture = Fixture::new();
    let tools = tools(&fixture);
    let script = r#"echo "{\"version\":1,\"result\":\"next\",\"derivations\":{\
\"maker\":{\"builder\":\"/usr/bin/bash\",\"args\":[\"$self/script\"],\"root\":[\"$tools\"],\
\"env\":{\"self\":\"$self\",\"tools\":\"$tools\",\"n\":\"$((n + 1))\"}},\
\"next\":{\"builder\":\"builtin:graph\",\"env\":{\"src\":\"@{maker}\",\"trees\":\"$self $tools\",\"n\":\"$n\"}}}}" >$out
"#;
    let myself = fixture.add_tree("self", "script", script);
    let start = format!("#\nself={myself} tools={tools} n=0\nsource $self/script");
    let maker = fixture.add("start", &start, &[&myself, &tools], std::slice::from_ref(&tools));
    let whole = graph(&fixture, "whole", &maker, &[&myself, &tools]);
    let (result, words) = told(&fixture.builder(2), &[whole], RunOptions::default());
    let reason = result.failures[0].error.to_string();
    assert!(reason.contains("that may have no end"), "{reason} {words:?}");
    assert_eq!(words.iter().filter(|word| *word == "built maker").count(), 16, "{words:?}");
}
