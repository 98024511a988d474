//! Findings as text: what, where, and the line itself.

use crate::finding::Finding;

/// A long line is shown up to here.
const MAX_SHOWN: usize = 160;

/// A finding as text, with the line that it is about.
#[must_use]
pub fn render(finding: &Finding, text: Option<&[u8]>) -> String {
    let Finding { rule, severity, file, line, message, hint } = finding;
    let number = line.to_string();
    let indent = " ".repeat(number.len());
    let (rule, message, file) = (rule.number(), printable(message), escaped(file));
    let mut shown = format!("{}[{rule}]: {message}\n{indent}--> {file}:{line}\n", severity.as_str());
    let quoted = text.and_then(|text| text.split(|&byte| byte == b'\n').nth(line.saturating_sub(1)));
    if let Some(quoted) = quoted.filter(|quoted| !quoted.is_empty()) {
        let quoted: String = printable(&String::from_utf8_lossy(quoted)).chars().take(MAX_SHOWN).collect();
        shown.push_str(&format!("{indent} |\n{number} | {quoted}\n"));
    }
    if let Some(hint) = hint {
        shown.push_str(&format!("hint: {}\n", printable(hint)));
    }
    shown
}

/// The name of a file, with its control characters escaped.
fn escaped(name: &str) -> String {
    let escaped = |character: char| match character {
        control if control.is_control() => control.escape_default().to_string(),
        other => other.to_string(),
    };
    name.chars().map(escaped).collect()
}

/// A text of anybody's, without what acts on a terminal.
fn printable(text: &str) -> String {
    text.trim_end_matches('\r')
        .chars()
        .map(|character| match character {
            '\t' => ' ',
            control if control.is_control() => '\u{fffd}',
            other => other,
        })
        .collect()
}
