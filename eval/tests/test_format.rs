//! The formatter against the official style: `testdata/format/NAME.nix` becomes `NAME.exp`, which `nixfmt` wrote.
//!
//! Where `nixfmt` is installed (`LARDER_NIXFMT` names it, else it is looked for in `PATH`), it is asked about all files of
//! the repository, too.

use crate::skipped;
use crate::test_tree::all_files;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

fn formatted(path: &Path, text: &[u8]) -> Option<String> {
    let formatted = eval::format::format(&path.display().to_string(), text).ok()?;
    Some(String::from_utf8_lossy(&formatted).into_owned())
}

fn cases() -> Vec<PathBuf> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").join("testdata/format");
    let files: Vec<_> = all_files().into_iter().filter(|path| path.starts_with(&here)).collect();
    assert!(files.len() >= 8, "the cases are found");
    files
}

#[test]
fn cases_are_formatted_as_nixfmt_formats_them() {
    for case in cases() {
        let text = std::fs::read(&case).expect("readable");
        let expected = std::fs::read_to_string(case.with_extension("exp")).expect("it stands beside the case");
        assert_eq!(formatted(&case, &text).expect("no errors"), expected, "{}", case.display());
    }
}

fn by_nixfmt(nixfmt: &str, text: &[u8]) -> Option<String> {
    let mut command = Command::new(nixfmt);
    command.arg("-").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().ok()?;
    let written = child.stdin.take().expect("piped").write_all(text);
    let output = child.wait_with_output().ok()?;
    (written.is_ok() && output.status.success()).then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn files_are_formatted_as_nixfmt_formats_them() {
    let nixfmt = std::env::var("LARDER_NIXFMT").unwrap_or_else(|_| "nixfmt".to_owned());
    let asked = by_nixfmt(&nixfmt, b"f: [ 1 2 ]");
    if asked.as_deref() != Some("f: [\n  1\n  2\n]\n") {
        skipped("no nixfmt of the official style is installed, so 0 files were compared with it");
        return;
    }
    let (mut compared, mut wrong) = (0, Vec::new());
    for path in all_files() {
        let text = std::fs::read(&path).expect("readable");
        let (Some(ours), Some(theirs)) = (formatted(&path, &text), by_nixfmt(&nixfmt, &text)) else { continue };
        compared += 1;
        if ours != theirs {
            wrong.push(path);
        }
    }
    eprintln!("compared {compared} files with nixfmt");
    assert!(compared > 100, "only {compared} files were compared");
    assert!(wrong.is_empty(), "formatted otherwise: {wrong:?}");
}

#[test]
fn long_texts_are_formatted() {
    const PARTS: usize = 20_000;
    let repeated = |before: &str, part: &str, after: &str| [before, &part.repeat(PARTS), after].concat();
    // As many arguments as fit stay on the line of the function.
    let call = repeated("f x", " x", "");
    let on_line = (100 - "f".len()) / " x".len();
    let expected = ["f", &" x".repeat(on_line), &"\n  x".repeat(PARTS + 1 - on_line), "\n"].concat();
    assert_eq!(formatted(Path::new("call"), call.as_bytes()).as_ref(), Some(&expected));
    let names: String = (0..PARTS).map(|number| format!("x{number}, ")).collect();
    for text in [
        repeated("f", " [ 1 ]", " 1"),
        repeated("f", " { a = 1; }", ""),
        repeated("assert f", " x", "; 1"),
        repeated("\"", "a${b}", "\""),
        repeated("./a", "/${b}", ""),
        repeated("", "/* a */ ", "1"),
        format!("{{ {names}... }}: 1"),
    ] {
        let started = std::time::Instant::now();
        let once = formatted(Path::new("long"), text.as_bytes()).expect("no errors");
        assert_eq!(formatted(Path::new("long"), once.as_bytes()), Some(once), "{}", &text[..60]);
        // What costs the square of its length takes far longer.
        assert!(started.elapsed().as_secs() < 60, "{}: {:?}", &text[..60], started.elapsed());
    }
}
