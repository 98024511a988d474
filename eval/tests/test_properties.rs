//! Properties: parsing never panics, and what is printed reads back as the same value.

use eval::{MemoryIo, Origin, Session, Settings};
use proptest::prelude::*;
use std::path::Path;
use std::sync::Arc;

fn session() -> Session {
    let mut settings = Settings::new("x86_64-linux");
    settings.stack_bytes = 64 << 20;
    Session::new(settings, Arc::new(MemoryIo::default()))
}

/// Texts of pieces of the language, in any order: nearer to real programs than random bytes.
pub fn pieces() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "a", "b", "1", "1.5", " ", "\n", "{", "}", "(", ")", "[", "]", ";", ":", ",", "@", "=", ".", "?", "!", "+",
        "-", "*", "/", "<", ">", "//", "++", "->", "&&", "||", "==", "\"", "''", "${", "$", "'", "\\", "let ", " in ",
        "rec ", "with ", "inherit ", "if ", " then ", " else ", "assert ", " or ", "...", "./a", "<x>", "a:b", "# c\n",
        "/*", "*/", "~/", "\u{e9}",
    ]);
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

/// Source of a value that prints in full: no functions, no paths.
fn value_text() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        any::<i32>().prop_map(|number| if number < 0 { format!("({number})") } else { number.to_string() }),
        Just("true".to_owned()),
        Just("null".to_owned()),
        "[ -~\n\t]{0,12}".prop_map(|text| {
            format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('$', "\\$"))
        }),
    ];
    leaf.prop_recursive(4, 24, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(|items| format!("[ {} ]", items.join(" "))),
            prop::collection::btree_map("[a-z ]{1,6}", inner, 0..5).prop_map(|fields| {
                let fields: Vec<_> = fields.iter().map(|(name, value)| format!("\"{name}\" = {value};")).collect();
                format!("{{ {} }}", fields.join(" "))
            }),
        ]
    })
}

fn print(session: &Session, text: &str) -> Vec<u8> {
    let value = session.eval_expr(text.as_bytes(), Path::new("/")).expect("a plain value");
    session.print(value, true).expect("printable")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn parsing_random_bytes_does_not_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = session().check_syntax(Origin::Text("random".to_owned()), &bytes);
    }

    #[test]
    fn parsing_pieces_does_not_panic(text in pieces()) {
        let session = session();
        if let Err(failure) = session.check_syntax(Origin::Text("random".to_owned()), text.as_bytes()) {
            prop_assert!(!failure.is_empty());
            for diagnostic in &failure {
                let shown = eval::render(diagnostic, session.sources(), eval::RenderOptions::default());
                prop_assert!(shown.starts_with("error[E"), "{}", shown);
            }
        }
    }

    #[test]
    fn evaluating_pieces_does_not_panic(text in pieces()) {
        let session = session();
        if let Ok(value) = session.eval_expr(text.as_bytes(), Path::new("/")) {
            let _ = session.print(value, true);
        }
    }

    #[test]
    fn what_is_printed_reads_back(text in value_text()) {
        let session = session();
        let printed = print(&session, &text);
        let text = String::from_utf8(printed.clone()).expect("UTF-8");
        // Negative numbers print without the brackets that they need inside lists.
        if !text.contains(" -") && !text.contains("«repeated»") {
            prop_assert_eq!(print(&session, &text), printed);
        }
    }
}
