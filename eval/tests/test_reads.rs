//! What values rest on, as a session records it.

use eval::{Member, MemoryIo, Question, Read, ReadNode, Session, Settings};
use std::path::{Path, PathBuf};
use std::sync::Arc;

fn session(io: MemoryIo) -> Session {
    Session::new(Settings { record_reads: true, ..Settings::new("x86_64-linux") }, Arc::new(io))
}

/// The files whose content was read, by name.
fn contents(session: &Session, read: Read) -> Vec<String> {
    let mut found = Vec::new();
    session.reads().walk(&[read], &mut |_, node| {
        if let ReadNode::Question(Question::Content(path)) = node {
            found.push(path.file_name().unwrap().to_string_lossy().into_owned());
        }
    });
    found.sort_unstable();
    found
}

#[test]
fn each_attribute_has_its_own_reads() {
    let set = r#"let
      d = name: text: derivation { inherit name; system = "s"; builder = "/b"; inherit text; };
      a = d "a" (builtins.readFile ./a.txt);
    in {
      inherit a;
      b = d "b" "${a} ${toString (import ./b.nix)}";
      again = d "again" (toString (import ./b.nix));
      none = d "none" "";
      group = { recurseForDerivations = true; inherit a; };
      closed = { inherit a; };
      "odd name" = a;
    }"#;
    let io = MemoryIo::default();
    let io = io.with_file("/d/default.nix", set).with_file("/d/a.txt", "a").with_file("/d/b.nix", "1");
    let session = session(io);
    let value = session.eval_file(Path::new("/d")).unwrap();
    let above = session.take_reads();
    assert_eq!(contents(&session, above), ["default.nix"]);
    let Member::Set(names) = session.member(value).unwrap() else { panic!("it is a set") };
    let mut members = Vec::new();
    session.members(value, &[], &names, |name, member, read| members.push((name.to_vec(), member, read))).unwrap();
    let found: Vec<_> = members
        .iter()
        .map(|(name, member, read)| {
            let kind = match member {
                Member::Other => "other",
                Member::Derivation(_) => "derivation",
                Member::Set(_) => "set",
            };
            format!("{} {kind} {:?}", String::from_utf8_lossy(name), contents(&session, *read))
        })
        .collect();
    // `again` imports what `b` has imported; `b` needs what `a` has made.
    let expected = [
        r#"a derivation ["a.txt"]"#,
        r#"again derivation ["b.nix"]"#,
        r#"b derivation ["a.txt", "b.nix"]"#,
        r#"closed other []"#,
        r#"group set []"#,
        r#"none derivation []"#,
    ];
    assert_eq!(found, expected);
    let mut inner = Vec::new();
    let (path, names) = ([b"group".to_vec()], [b"a".to_vec()]);
    session.members(value, &path, &names, |_, _, read| inner.push(contents(&session, read))).unwrap();
    assert_eq!(inner, [["a.txt"]]);
}

#[test]
fn a_failure_that_is_caught_counts() {
    let text = "let fails = if builtins.readFile ./a == \"x\" then throw \"x\" else 1; in
      [ (builtins.tryEval fails).success (builtins.tryEval fails).success (builtins.pathExists ./b) ]";
    let session = session(MemoryIo::default().with_file("/d/a", "x"));
    let value = session.eval_expr(text.as_bytes(), Path::new("/d")).unwrap();
    assert_eq!(session.take_reads(), Read::NONE);
    assert_eq!(session.print(value, true).unwrap(), b"[ false false false ]");
    let mut questions = Vec::new();
    session.reads().walk(&[session.take_reads()], &mut |_, node| {
        if let ReadNode::Question(question) = node {
            questions.push(question.clone());
        }
    });
    questions.sort_unstable();
    let path = |path: &str| PathBuf::from(path);
    assert_eq!(questions, [Question::Content(path("/d/a")), Question::Kind(path("/d/b"))]);
}

#[test]
fn nothing_is_recorded_unless_it_is_asked_for() {
    let session = Session::new(Settings::new("s"), Arc::new(MemoryIo::default().with_file("/d/a", "x")));
    let value = session.eval_expr(b"builtins.readFile ./a", Path::new("/d")).unwrap();
    session.print(value, true).unwrap();
    assert_eq!(session.take_reads(), Read::NONE);
}
