//! Axes: the circumstances of a build that can be varied, each alone or all at once. Pure.
//!
//! What a varied run is given (its host name, its user, …) is chosen so that it occurs nowhere else: found in an output, it is proof.

use crate::reading::Tokens;
use builder::environment::{SOURCE_DATE_EPOCH, Variation};
use builder::sandbox::User;
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// A circumstance that can be varied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Axis {
    /// The time of day, by something over a year.
    Time,
    /// The host and domain name.
    HostName,
    /// The user's name and number.
    User,
    /// The number of processors and of processes that run at once.
    Processors,
    /// Locale and language.
    Locale,
    /// The time zone.
    TimeZone,
    /// The order in which directories are listed.
    DirectoryOrder,
    /// The file mode creation mask.
    Umask,
    /// The kernel's release.
    Kernel,
    /// Whether addresses are laid out at random.
    Addresses,
}

/// A name that is no axis.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no axis; known are {known}", known = Axis::ALL.map(|axis| axis.name()).join(", "))]
pub struct UnknownAxis(String);

impl Axis {
    /// All axes.
    pub const ALL: [Self; 10] = [
        Self::Time,
        Self::HostName,
        Self::User,
        Self::Processors,
        Self::Locale,
        Self::TimeZone,
        Self::DirectoryOrder,
        Self::Umask,
        Self::Kernel,
        Self::Addresses,
    ];

    /// Its name on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Time => "time",
            Self::HostName => "host-name",
            Self::User => "user",
            Self::Processors => "processors",
            Self::Locale => "locale",
            Self::TimeZone => "time-zone",
            Self::DirectoryOrder => "directory-order",
            Self::Umask => "umask",
            Self::Kernel => "kernel",
            Self::Addresses => "addresses",
        }
    }
}

impl fmt::Display for Axis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Axis {
    type Err = UnknownAxis;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|axis| axis.name() == text).ok_or_else(|| UnknownAxis(text.to_owned()))
    }
}

/// 417 days, 5 hours, 37 minutes and 11 seconds: another year, month, day, hour, minute and second.
const CLOCK_OFFSET: i64 = ((417 * 24 + 5) * 60 + 37) * 60 + 11;

/// A build in which the given axes are varied. `processors` is how many the machine has.
#[must_use]
pub fn variation(axes: &[Axis], processors: usize) -> Variation {
    let mut variation = Variation::default();
    for axis in axes {
        let circumstances = &mut variation.circumstances;
        let mut set = |name: &str, value: &str| drop(variation.variables.insert(name.to_owned(), value.to_owned()));
        match axis {
            Axis::Time => circumstances.clock_offset = CLOCK_OFFSET,
            Axis::HostName => {
                circumstances.host_name = Some("quince-jelly".to_owned());
                circumstances.domain_name = Some("orchard.example".to_owned());
            }
            Axis::User => {
                circumstances.user = Some(User { name: "medlar".to_owned(), id: 4711 });
                set("USER", "medlar");
                set("LOGNAME", "medlar");
            }
            Axis::Processors => {
                let count = if processors > 1 { 1 } else { 2 };
                circumstances.processors = Some(1);
                variation.jobs = Some(count);
            }
            Axis::Locale => {
                set("LANG", "fr_CH.UTF-8");
                set("LC_ALL", "fr_CH.UTF-8");
                set("LANGUAGE", "fr_CH:fr");
            }
            // Fourteen hours ahead of UTC, so that the day differs more often than not.
            Axis::TimeZone => set("TZ", "<+14>-14"),
            Axis::DirectoryOrder => circumstances.reverse_directories = true,
            Axis::Umask => circumstances.umask = Some(0o002),
            Axis::Kernel => circumstances.kernel_release = Some("4.19.0-quince".to_owned()),
            Axis::Addresses => circumstances.fixed_addresses = true,
        }
    }
    variation
}

/// What is known to differ between two runs that began at these times, in seconds since the epoch.
#[must_use]
pub fn tokens(left: (&Variation, i64), right: (&Variation, i64), processors: usize) -> Tokens {
    Tokens { left: tokens_of(left.0, left.1, processors), right: tokens_of(right.0, right.1, processors) }
}

fn tokens_of(variation: &Variation, started: i64, processors: usize) -> BTreeMap<String, String> {
    let circumstances = &variation.circumstances;
    let variable = |name: &str, fixed: &str| variation.variables.get(name).map_or(fixed, String::as_str).to_owned();
    let started = started.saturating_add(circumstances.clock_offset).max(SOURCE_DATE_EPOCH);
    let mut tokens = BTreeMap::from([
        ("host name".to_owned(), circumstances.host_name().to_owned()),
        ("user name".to_owned(), circumstances.user().name),
        ("cpu count".to_owned(), variation.jobs.unwrap_or(processors).to_string()),
        ("locale".to_owned(), variable("LC_ALL", "C.UTF-8")),
        ("time zone".to_owned(), variable("TZ", "UTC")),
        ("build time".to_owned(), started.to_string()),
    ]);
    if let Some(release) = &circumstances.kernel_release {
        tokens.insert("kernel".to_owned(), release.clone());
    }
    tokens
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_axis_varies_something_of_its_own() {
        let plain = variation(&[], 4);
        assert_eq!(plain, Variation::default());
        let varied: Vec<_> = Axis::ALL.iter().map(|axis| variation(&[*axis], 4)).collect();
        for (number, one) in varied.iter().enumerate() {
            assert_ne!(*one, plain, "{}", Axis::ALL[number]);
            assert!(varied[..number].iter().all(|other| other != one), "{}", Axis::ALL[number]);
        }
    }

    #[test]
    fn names_round_trip() {
        for axis in Axis::ALL {
            assert_eq!(axis.name().parse(), Ok(axis));
        }
        assert!("colour".parse::<Axis>().is_err_and(|error| error.to_string().contains("directory-order")));
    }

    #[test]
    fn what_is_planted_in_the_two_runs_differs() {
        let (plain, all) = (variation(&[], 4), variation(&Axis::ALL, 4));
        let tokens = tokens((&plain, 1_700_000_000), (&all, 1_700_000_100), 4);
        for (kind, left) in &tokens.left {
            assert_ne!(Some(left), tokens.right.get(kind), "{kind}");
        }
    }
}
