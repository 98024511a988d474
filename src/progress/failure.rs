//! What is told of a failure: the reason, the end of the log, and how to look closer.

use super::human;
use crate::error::with_causes;
use crate::output;
use crate::text::harmless;
use builder::BuildError;
use builder::error::Left;
use builder::log::is_of_comparison;
use store::{StorePath, shown};

/// Lines of a failed build's log that are shown.
const SHOWN: usize = 15;

/// Why a derivation could not be realised, in lines.
pub(crate) fn describe(derivation: &StorePath, error: &BuildError) -> Vec<String> {
    let reason =
        format!("{} {}: {}", output::styled("failed:", "1;31"), human(derivation), harmless(&with_causes(error)));
    let mut told: Vec<_> = reason.lines().map(str::to_owned).collect();
    let Left { tail, log, kept } = error.left();
    told.extend(
        tail[tail.len().saturating_sub(SHOWN)..].iter().map(|line| format!("  {} {line}", output::styled("|", "2"))),
    );
    let mut hint = |text: &str| told.push(format!("{} {}", output::styled("hint:", "1;36"), harmless(text)));
    if let Some(log) = log.filter(|log| log.exists()) {
        // That command shows the one of the build whose outputs there are.
        if !is_of_comparison(log) {
            hint(&format!("the whole log: larder log {derivation}"));
        }
        hint(&format!("the log's file: {}", shown(&log)));
    }
    if kept.is_some_and(|kept| kept.exists()) {
        hint(&format!("enter the failed sandbox: larder debug {derivation}"));
    }
    error.hints().iter().for_each(|text| hint(text));
    told
}
