//! What `larder why-rebuild` prints.

use super::identical;
use crate::commands::diff;
use crate::error::CliError;
use crate::look::{Look, human};
use repro::Report;
use repro::render::{TextOptions, text};
use serde_json::{Value, json};
use similar::{ChangeTag, TextDiff};
use store::difference::{Change, Difference, Place};
use store::{ActionDigest, FixedOutput, StorePath};

/// Longer values are shown by what differs in them.
const SHORT: usize = 60;

/// Lines of what differs in one source or value that are shown.
const LINES: usize = 20;

/// Names that are shown at each end of a long way.
const NEAR: usize = 3;

/// Names that are shown of what only follows.
const NAMES: usize = 12;

/// Why one derivation is not the other one.
pub(super) struct Answer {
    pub(super) before: StorePath,
    pub(super) after: StorePath,
    /// What they resolved to, where that is known.
    pub(super) actions: (Option<ActionDigest>, Option<ActionDigest>),
    pub(super) found: Difference,
    /// By the number of the pair, what differs in the files of a source.
    pub(super) sources: Vec<Option<Report>>,
}

impl Answer {
    fn same_action(&self) -> bool {
        self.before == self.after || self.actions.0.is_some() && self.actions.0 == self.actions.1
    }

    /// The names on the way to a pair; of a long one those near its ends.
    fn way(&self, number: usize) -> String {
        let chain = self.found.chain(number);
        let names: Vec<_> = chain.iter().map(|number| human(&self.found.pairs[*number].after)).collect();
        if names.len() <= 2 * NEAR + 2 {
            return names.join(" → ");
        }
        let (first, last) = (&names[..NEAR], &names[names.len() - NEAR..]);
        format!("{} → … {} more … → {}", first.join(" → "), names.len() - 2 * NEAR, last.join(" → "))
    }

    fn followers(&self) -> impl Iterator<Item = &StorePath> {
        let pairs = self.found.pairs.iter();
        pairs.filter(|pair| !pair.cut_off && pair.changes.is_empty()).map(|pair| &pair.after)
    }

    /// For people.
    pub(super) fn text(&self, look: Look) -> String {
        if self.before == self.after {
            return format!("{} is the same derivation on both sides\n", look.path(&self.after));
        }
        let mut told = format!("before  {}\nafter   {}\n", look.path(&self.before), look.path(&self.after));
        if self.same_action() {
            told.push_str("both resolve to the same action: nothing is built anew (early cutoff)\n");
        }
        for number in self.found.causes() {
            told.push_str(&self.cause(number, look));
        }
        if self.found.causes().next().is_none() {
            told.push_str("\nno change reaches it: every input that was changed came out identical\n");
        }
        let identical: Vec<_> = identical(&self.found).iter().map(|number| self.way(*number)).collect();
        if !identical.is_empty() {
            told.push_str(&format!(
                "\nchanged, but came out identical, so that nothing is built because of {}:\n",
                if identical.len() == 1 { "it" } else { "them" }
            ));
            identical.iter().for_each(|way| told.push_str(&format!("  {way}\n")));
        }
        told + &self.followers_text()
    }

    fn cause(&self, number: usize, look: Look) -> String {
        let pair = &self.found.pairs[number];
        let way = if number > 0 { look.styled(&format!("  ({})", self.way(number)), "2") } else { String::new() };
        let mut told = format!("\n{}{way}\n", look.styled(human(&pair.after), "1"));
        for change in visible(&pair.changes) {
            told.push_str(&lines(change, look));
        }
        if let Some(report) = &self.sources[number] {
            let options = TextOptions { colour: look.colour, ..TextOptions::default() };
            let text = text(report, options);
            // The first two lines name the sides, the last one counts.
            let lines: Vec<_> = text.lines().skip(2).collect();
            told.push_str(&indented(lines[..lines.len().saturating_sub(1)].iter().copied()));
        } else if pair.changes.contains(&Change::Content) {
            told.push_str("  one of the two is not in the store any more, so its files cannot be compared\n");
        }
        told
    }

    fn followers_text(&self) -> String {
        let names: Vec<_> = self.followers().map(human).collect();
        let count = names.len();
        if count == 0 || self.found.causes().next().is_none() {
            return String::new();
        }
        let mut shown = names[..count.min(NAMES)].join(", ");
        if count > NAMES {
            shown.push_str(", …");
        }
        format!("\n{count} {} only because of this: {shown}\n", if count == 1 { "differs" } else { "differ" })
    }

    /// For programs: `larder/why-rebuild/1`.
    pub(super) fn json(&self) -> Result<Value, CliError> {
        let causes: Vec<_> = self.found.causes().map(|number| self.cause_json(number)).collect::<Result<_, _>>()?;
        let pair = |number: &usize| {
            let pair = &self.found.pairs[*number];
            json!({ "before": pair.before.to_string(), "after": pair.after.to_string() })
        };
        let action = |action: Option<ActionDigest>| action.map(|action| action.to_string());
        Ok(json!({
            "before": self.before.to_string(),
            "after": self.after.to_string(),
            "before_action": action(self.actions.0),
            "after_action": action(self.actions.1),
            "same_action": self.same_action(),
            "causes": causes,
            "identical": identical(&self.found).iter().map(pair).collect::<Vec<_>>(),
            "followers": self.followers().map(ToString::to_string).collect::<Vec<_>>(),
        }))
    }

    fn cause_json(&self, number: usize) -> Result<Value, CliError> {
        let pair = &self.found.pairs[number];
        let chain: Vec<_> =
            self.found.chain(number).into_iter().map(|number| self.found.pairs[number].after.to_string()).collect();
        let files = match &self.sources[number] {
            Some(report) => diff::as_json(report)?["differences"].take(),
            None => Value::Null,
        };
        Ok(json!({
            "name": human(&pair.after),
            "before": pair.before.to_string(),
            "after": pair.after.to_string(),
            "chain": chain,
            "changes": pair.changes.iter().map(change_json).collect::<Vec<_>>(),
            "files": files,
        }))
    }
}

/// The changes that tell something new: what a text mentions anew is seen in the text, and what overrides is in the root.
fn visible(changes: &[Change]) -> impl Iterator<Item = &Change> {
    let text_differs = changes
        .iter()
        .any(|change| matches!(change, Change::Variable(..) | Change::Argument(..) | Change::Builder(..)));
    let in_root = |input: &store::Input| {
        changes.iter().any(|change| matches!(change, Change::Came(other, Place::Root) | Change::Went(other, Place::Root) if other == input))
    };
    changes.iter().filter(move |change| match change {
        Change::Came(_, Place::Mention) | Change::Went(_, Place::Mention) => !text_differs,
        // Which every derivation has in its environment, too.
        Change::Variable(name, ..) if name == "name" => {
            !changes.iter().any(|change| matches!(change, Change::Name(..)))
        }
        Change::Came(input, Place::Override) | Change::Went(input, Place::Override) => !in_root(input),
        _ => true,
    })
}

/// A change, a line or a few.
fn lines(change: &Change, look: Look) -> String {
    match change {
        Change::Name(before, after) => format!("  name: {before} → {after}\n"),
        Change::System(before, after) => format!("  system: {before} → {after}\n"),
        Change::Builder(before, after) => value("builder", Some(before), Some(after), look),
        Change::Argument(index, before, after) => {
            value(&format!("argument {}", index + 1), before.as_ref(), after.as_ref(), look)
        }
        Change::Variable(name, before, after) => {
            value(&format!("variable `{name}`"), before.as_ref(), after.as_ref(), look)
        }
        Change::Came(input, place) => format!("  {} came {}\n", input_name(input), place_text(*place)),
        Change::Went(input, place) => format!("  {} is no longer {}\n", input_name(input), place_text(*place)),
        Change::Order(place) => format!("  what is {} stands in another order\n", place_text(*place)),
        Change::Outputs(before, after) => {
            let names = |names: &std::collections::BTreeSet<store::OutputName>| {
                names.iter().map(store::OutputName::as_str).collect::<Vec<_>>().join(", ")
            };
            format!("  outputs: {} → {}\n", names(before), names(after))
        }
        Change::Fixed(before, after) => {
            format!("  what it must be: {} → {}\n", fixed_text(before.as_ref()), fixed_text(after.as_ref()))
        }
        Change::Content => String::new(),
        Change::Unknown(path) => {
            format!("  {} is not kept any more, so it cannot be looked into\n", look.path(path))
        }
    }
}

fn fixed_text(fixed: Option<&FixedOutput>) -> String {
    fixed.map_or_else(|| "anything".to_owned(), |fixed| format!("{} {}", fixed.mode.name(), fixed.hash))
}

fn input_name(input: &store::Input) -> String {
    match input {
        store::Input::Tree(path) => path.name().to_string(),
        store::Input::Output { derivation, output } if output.as_str() == "out" => human(derivation).to_owned(),
        store::Input::Output { derivation, output } => format!("{}!{output}", human(derivation)),
    }
}

const fn place_text(place: Place) -> &'static str {
    match place {
        Place::Root => "in the root",
        Place::Override => "among what wins in the root",
        Place::Runtime => "declared for run time",
        Place::Mention => "mentioned",
    }
}

/// A value before and after; of long ones what differs: lines, or words.
fn value(what: &str, before: Option<&String>, after: Option<&String>, look: Look) -> String {
    let (before, after) = match (before, after) {
        (None, Some(after)) => return format!("  {what} came: {}\n", cut(after)),
        (Some(before), None) => return format!("  {what} went; it was {}\n", cut(before)),
        (before, after) => (before.map_or("", String::as_str), after.map_or("", String::as_str)),
    };
    if before.len() <= SHORT && after.len() <= SHORT && !before.contains('\n') && !after.contains('\n') {
        return format!("  {what}: {} → {}\n", cut(before), cut(after));
    }
    let by_line = before.contains('\n') || after.contains('\n');
    let (left, right) = (parts(before, by_line), parts(after, by_line));
    let diff = TextDiff::from_slices(&left, &right);
    let changed = diff.iter_all_changes().filter_map(|change| {
        let (sign, style) = match change.tag() {
            ChangeTag::Delete => ("-", "31"),
            ChangeTag::Insert => ("+", "32"),
            ChangeTag::Equal => return None,
        };
        Some(look.styled(&format!("  {sign}{}", printable(change.value())), style))
    });
    let changed: Vec<_> = changed.collect();
    format!("  {what}:\n{}", indented(changed.iter().map(String::as_str)))
}

/// A value in parts that are compared: lines, or words, which in structured text end with commas, too.
fn parts(text: &str, by_line: bool) -> Vec<&str> {
    if by_line {
        return text.lines().collect();
    }
    text.split_inclusive([' ', ',']).map(|word| word.trim_end_matches([' '])).filter(|word| !word.is_empty()).collect()
}

/// A value, cut where it is long. Quotes tell what would not be seen.
fn cut(text: &str) -> String {
    let printable = printable(text);
    let mut shown: String = printable.chars().take(SHORT).collect();
    if shown.len() < printable.len() {
        shown.push('…');
    }
    if text.is_empty() || text.starts_with(' ') || text.ends_with(' ') { format!("\"{shown}\"") } else { shown }
}

/// Text with control characters escaped.
fn printable(text: &str) -> String {
    let mut printable = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() {
            printable.extend(character.escape_default());
        } else {
            printable.push(character);
        }
    }
    printable
}

fn indented<'t>(lines: impl Iterator<Item = &'t str>) -> String {
    let lines: Vec<_> = lines.collect();
    let mut text: String = lines.iter().take(LINES).map(|line| format!("  {line}\n")).collect();
    if lines.len() > LINES {
        text.push_str(&format!("  … {} more lines\n", lines.len() - LINES));
    }
    text
}

fn change_json(change: &Change) -> Value {
    let both = |what: &str, before: Value, after: Value| json!({ "what": what, "before": before, "after": after });
    let input = |what: &str, input: &store::Input, place: &Place| {
        let place = match place {
            Place::Root => "root",
            Place::Override => "override",
            Place::Runtime => "runtime",
            Place::Mention => "mention",
        };
        json!({ "what": what, "input": input.to_string(), "place": place })
    };
    match change {
        Change::Name(before, after) => both("name", json!(before), json!(after)),
        Change::System(before, after) => both("system", json!(before), json!(after)),
        Change::Builder(before, after) => both("builder", json!(before), json!(after)),
        Change::Argument(index, before, after) => {
            let mut json = both("argument", json!(before), json!(after));
            json["index"] = (*index).into();
            json
        }
        Change::Variable(name, before, after) => {
            let mut json = both("variable", json!(before), json!(after));
            json["name"] = name.as_str().into();
            json
        }
        Change::Came(came, place) => input("input-came", came, place),
        Change::Went(went, place) => input("input-went", went, place),
        Change::Order(place) => json!({ "what": "order", "place": place_text(*place) }),
        Change::Outputs(before, after) => {
            let names = |names: &std::collections::BTreeSet<store::OutputName>| {
                json!(names.iter().map(store::OutputName::as_str).collect::<Vec<_>>())
            };
            both("outputs", names(before), names(after))
        }
        Change::Fixed(before, after) => {
            let hash = |fixed: &Option<FixedOutput>| json!(fixed.as_ref().map(|fixed| fixed_text(Some(fixed))));
            both("fixed", hash(before), hash(after))
        }
        Change::Content => json!({ "what": "content" }),
        Change::Unknown(path) => json!({ "what": "unknown", "path": path.to_string() }),
    }
}
