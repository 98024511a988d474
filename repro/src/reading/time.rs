//! Finding the time of a run in what differs. Pure.

use std::ops::Range;

/// A run is taken to last at most this many seconds.
const RUN: u64 = 24 * 3600;
const DAY: u64 = 24 * 3600;
const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Whether `time` lies in the run that started at `start`.
pub(super) fn is_within(start: u64, time: u64) -> bool {
    (start..=start.saturating_add(RUN)).contains(&time)
}

/// Whether one of the fragments has a time of the run that started at `start`, where it differs.
pub(super) fn contains(fragments: &[(&[u8], Range<usize>)], start: u64) -> bool {
    let dates: Vec<String> = [start, start.saturating_add(DAY)].into_iter().flat_map(date_forms).collect();
    fragments.iter().any(|(fragment, core)| {
        let around = &fragment[core.start.saturating_sub(12)..(core.end + 12).min(fragment.len())];
        let has_date = dates.iter().any(|date| around.windows(date.len()).any(|window| window == date.as_bytes()));
        has_date || decimals(around).any(|time| is_within(start, time)) || has_binary(fragment, core, start)
    })
}

/// Numbers of ten digits.
fn decimals(text: &[u8]) -> impl Iterator<Item = u64> {
    text.split(|byte| !byte.is_ascii_digit())
        .filter(|digits| digits.len() == 10)
        .filter_map(|digits| std::str::from_utf8(digits).ok()?.parse().ok())
}

/// Four bytes around a short differing range that are a time, whichever end comes first.
fn has_binary(fragment: &[u8], core: &Range<usize>, start: u64) -> bool {
    if core.len() > 64 {
        return false;
    }
    let around = &fragment[core.start.saturating_sub(3)..(core.end + 3).min(fragment.len())];
    around.windows(4).any(|window| {
        let bytes = [window[0], window[1], window[2], window[3]];
        [u32::from_le_bytes(bytes), u32::from_be_bytes(bytes)].iter().any(|time| is_within(start, u64::from(*time)))
    })
}

/// The date of a time, as programs write it.
fn date_forms(time: u64) -> Vec<String> {
    let (year, month, day) = civil(time / DAY);
    let name = MONTHS[month as usize - 1];
    vec![
        format!("{year}-{month:02}-{day:02}"),
        format!("{year}{month:02}{day:02}"),
        format!("{year}/{month:02}/{day:02}"),
        format!("{name} {day:2} {year}"),
        format!("{day:02} {name} {year}"),
        format!("{name} {day:2} "),
    ]
}

/// Year, month and day of a number of days since 1970-01-01 (proleptic Gregorian calendar), by the algorithm
/// `civil_from_days` of Howard Hinnant's "chrono-compatible low-level date algorithms".
fn civil(days: u64) -> (u64, u64, u64) {
    // Years start in March here, so that the leap day is the last; eras have 400 years.
    let days = days.min(100_000_000) + 719_468;
    let era = days / 146_097;
    let day_of_era = days % 146_097;
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (year_of_era + era * 400 + u64::from(month <= 2), month, day)
}

/// A time as people read it: `2023-11-14 22:13:20`.
pub(crate) fn shown(time: u64) -> String {
    let (year, month, day) = civil(time / DAY);
    let second = time % DAY;
    format!("{year}-{month:02}-{day:02} {:02}:{:02}:{:02}", second / 3600, second / 60 % 60, second % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_shown() {
        for (time, expected) in [
            (0, "1970-01-01 00:00:00"),
            (951_782_400, "2000-02-29 00:00:00"),
            (1_700_000_000, "2023-11-14 22:13:20"),
            (4_107_542_399, "2100-02-28 23:59:59"),
            (4_107_542_400, "2100-03-01 00:00:00"),
        ] {
            assert_eq!(shown(time), expected);
        }
        shown(u64::MAX);
    }

    #[test]
    fn binary_times_are_found_in_both_byte_orders() {
        let start: u32 = 1_700_000_000;
        for bytes in [(start + 5).to_le_bytes(), (start + 5).to_be_bytes()] {
            let fragment = [&[0; 3][..], &bytes, &[0; 3]].concat();
            assert!(contains(&[(&fragment, 3..4)], u64::from(start)));
            assert!(!contains(&[(&fragment, 3..4)], u64::from(start) + 10));
        }
    }
}
