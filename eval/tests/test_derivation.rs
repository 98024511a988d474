//! Derivations: what the attributes become, what is refused, and building during evaluation.

use eval::{Code, Diagnostic, EvalIo, MemoryIo, Session, Settings};
use std::path::Path;
use std::sync::Arc;
use store::{Derivation, Input, StorePath};

struct Setup {
    io: Arc<MemoryIo>,
    session: Session,
}

impl Setup {
    fn new(io: MemoryIo) -> Self {
        let io = Arc::new(io);
        let session = Session::new(Settings::new("x86_64-linux"), Arc::clone(&io) as Arc<dyn EvalIo>);
        Self { io, session }
    }

    /// The derivation that an expression stands for.
    fn derivation(&self, text: &str) -> Derivation {
        let value = self.session.eval_expr(text.as_bytes(), Path::new("/work")).expect("evaluates");
        let found = self.session.as_derivation(value).expect("makes sense").expect("a derivation");
        let derivations = self.io.derivations.lock().expect("not poisoned");
        Derivation::decode(&derivations[&found.path]).expect("its own encoding")
    }

    fn error(&self, attributes: &str) -> Diagnostic {
        let text = format!("derivation ({{ name = \"x\"; system = \"s\"; builder = \"/b\"; }} // {{ {attributes} }})");
        let failure = self
            .session
            .eval_expr(text.as_bytes(), Path::new("/work"))
            .and_then(|value| self.session.as_derivation(value))
            .expect_err("refused");
        failure[0].clone()
    }
}

fn setup() -> Setup {
    Setup::new(MemoryIo::default().with_file("/work/src/main.c", "int main;"))
}

const BASE: &str =
    "let d = derivation { name = \"dep\"; system = \"s\"; builder = \"/b\"; outputs = [ \"out\" \"dev\" ]; }; in ";

#[test]
fn attributes_become_fields_variables_and_inputs() {
    let setup = setup();
    let derivation = setup.derivation(&format!(
        "{BASE} derivation {{ name = \"x\"; system = \"s\"; builder = \"${{d}}/bin/sh\"; args = [ \"-c\" 1 ]; src = ./src; flag = true; \
         none = null; list = [ \"a\" [ 1 2 ] d.dev ]; root = [ d d.dev ]; override = [ d.dev ]; runtime = [ d ]; }}"
    ));
    assert_eq!(derivation.args, ["-c", "1"]);
    assert_eq!(derivation.env["flag"], "1");
    assert_eq!(derivation.env["none"], "");
    assert_eq!(derivation.env["name"], "x");
    assert!(derivation.env["list"].starts_with("a 1 2 /larder/store/"));
    assert!(derivation.env["src"].ends_with("-src"));
    assert_eq!(derivation.env.keys().collect::<Vec<_>>(), ["builder", "flag", "list", "name", "none", "src", "system"]);
    assert_eq!((derivation.root.len(), derivation.overrides.len(), derivation.runtime.len()), (2, 1, 1));
    let kinds: Vec<_> = derivation.inputs.iter().map(|input| matches!(input, Input::Tree(_))).collect();
    assert_eq!(kinds.iter().filter(|tree| **tree).count(), 1);
    assert_eq!(derivation.inputs.len(), 3);
    assert!(derivation.builder.contains(&derivation.root[0].mention()));
}

#[test]
fn runtime_and_root_alone_are_not_inputs() {
    let derivation = setup().derivation(&format!(
        "{BASE} derivation {{ name = \"x\"; system = \"s\"; builder = \"/b\"; root = [ d ]; runtime = [ d ]; }}"
    ));
    assert!(derivation.inputs.is_empty());
}

#[test]
fn fixed_outputs() {
    let hash = "0".repeat(64);
    let text = format!(
        "derivation {{ name = \"f\"; system = \"s\"; builder = \"builtin:fetch\"; outputHash = \"sha256:{hash}\"; }}"
    );
    let fixed = setup().derivation(&text).fixed.expect("fixed");
    assert_eq!((fixed.mode, fixed.hash.to_string()), (store::HashMode::File, format!("sha256:{hash}")));
    // That of nothing, in the base32 of Nix.
    let nix32 = text.replace(&hash, "0mdqa9w1p6cmli6976v4wi0sw9r4p5prkj7lzfd1877wk11c9c73");
    let empty = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    assert_eq!(setup().derivation(&nix32).fixed.expect("fixed").hash.to_string(), empty);
    let tree = format!(
        "derivation {{ name = \"f\"; system = \"s\"; builder = \"/b\"; outputHash = \"{hash}\"; outputHashAlgo = \"blake3\"; outputHashMode = \"tree\"; }}"
    );
    assert_eq!(setup().derivation(&tree).fixed.expect("fixed").mode, store::HashMode::Tree);
}

#[test]
fn structured_attributes_are_one_variable() {
    let derivation = setup().derivation(
        "derivation { name = \"x\"; system = \"s\"; builder = \"/b\"; __structuredAttrs = true; a = { b = [ 1 null ]; }; src = ./src; }",
    );
    assert_eq!(derivation.env.keys().collect::<Vec<_>>(), ["__json"]);
    assert!(
        derivation.env["__json"].starts_with(r#"{"a":{"b":[1,null]},"builder":"/b","name":"x","src":"/larder/store/"#)
    );
    assert_eq!(derivation.inputs.len(), 1);
}

#[test]
fn attributes_that_are_not_asked_for_are_not_evaluated() {
    let setup = setup();
    let text = "(derivation { name = throw \"n\"; system = throw \"s\"; builder = throw \"b\"; meta = 5; }).meta";
    assert!(setup.session.eval_expr(text.as_bytes(), Path::new("/")).is_ok());
    assert!(setup.io.derivations.lock().expect("not poisoned").is_empty());
}

#[test]
fn what_makes_no_sense_is_refused() {
    let setup = setup();
    for (attributes, expected) in [
        ("name = \"a b\";", "is not a valid store path name"),
        ("name = \"a.drv\";", "must not end in `.drv`"),
        ("outputs = [ ];", "at least one output"),
        ("outputs = [ \"out\" \"out\" ];", "twice"),
        ("outputs = [ \"a/b\" ];", "is not an output name"),
        ("outputHash = \"xyz\";", "its algorithm is not named"),
        ("outputHash = \"sha256:00\";", "its digits do not fit its algorithm"),
        ("outputHashMode = \"flat\";", "without `outputHash`"),
        ("outputHash = builtins.hashString \"sha256\" \"\"; outputHashAlgo = \"md5\";", "unknown hash algorithm"),
        (
            "outputHash = builtins.hashString \"sha256\" \"\"; outputHashAlgo = \"sha256\"; outputHashMode = \"text\";",
            "unknown `outputHashMode`",
        ),
        ("root = [ \"/usr\" ];", "mentions no store object"),
        ("root = [ \"${./src}/main.c\" ];", "is not exactly the store path"),
        ("root = [ \"${./src}${./src/main.c}\" ];", "mentions 2 store objects"),
        ("override = [ ./src ];", "which is not in its root"),
        ("f = x: x;", "cannot turn a function into a string"),
        ("bad = \"a=b\"; \"x=y\" = 1;", "cannot be passed to a program"),
    ] {
        let error = setup.error(attributes);
        assert!(error.message.contains(expected), "{attributes}: {}", error.message);
    }
    let drv = setup.error(&format!("p = ({BASE} d).drvPath;"));
    assert_eq!(drv.code, Code::Derivation);
    assert!(drv.message.contains("itself"), "{}", drv.message);
}

#[test]
fn a_missing_attribute_is_named() {
    let setup = setup();
    let failure = setup
        .session
        .eval_expr(b"(derivation { name = \"x\"; builder = \"b\"; }).drvPath", Path::new("/"))
        .expect_err("refused");
    assert_eq!(failure[0].message, "derivation `x` lacks the attribute `system`");
}

#[test]
fn importing_what_a_derivation_builds() {
    let first = setup();
    let value = first
        .session
        .eval_expr(b"derivation { name = \"gen\"; system = \"s\"; builder = \"/b\"; }", Path::new("/"))
        .expect("evaluates");
    let found = first.session.as_derivation(value).expect("makes sense").expect("a derivation");
    let tree: StorePath = format!("/larder/store/{}-gen", "a".repeat(52)).parse().expect("a store path");
    let mut io = MemoryIo::default().with_file(tree.to_string(), "1 + 41");
    io.outputs.insert(Input::Output { derivation: found.path, output: found.output }, tree);
    let second = Setup::new(io);
    let text = b"import (derivation { name = \"gen\"; system = \"s\"; builder = \"/b\"; })";
    assert!(matches!(second.session.eval_expr(text, Path::new("/")), Ok(eval::Value::Int(42))));
}

#[test]
fn filters_see_paths_and_types() {
    let io = MemoryIo::default().with_file("/work/src/a.c", "a").with_file("/work/src/b.o", "b");
    let setup = Setup::new(io);
    let text = "let all = builtins.path { path = ./src; }; some = builtins.filterSource (p: t: builtins.trace \"${baseNameOf p}:${t}\" (builtins.match \".*\\\\.o\" p == null)) ./src; in \
                [ (all == some) (builtins.hasContext some) (builtins.path { path = ./src; name = \"other\"; } != all) ]";
    let value = setup.session.eval_expr(text.as_bytes(), Path::new("/work")).expect("evaluates");
    assert_eq!(setup.session.print(value, true).expect("prints"), b"[ false true true ]");
    assert_eq!(*setup.io.traced.lock().expect("not poisoned"), ["trace: a.c:regular", "trace: b.o:regular"]);
}
