//! Finding the time of a run in what differs. Pure.

use std::ops::Range;

/// A run is taken to last at most this many seconds.
const RUN: u64 = 24 * 3600;
/// Bytes of the longest time of day before the part of it that differs, with what separates it from the date.
const CLOCK: usize = 12;
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
        let has_date = dates.iter().any(|date| has_date(fragment, core, date.as_bytes()));
        has_date || has_decimal(fragment, core, start) || has_binary(fragment, core, start)
    })
}

/// Whether `date` stands where the fragment differs, or right before a time of day that differs.
fn has_date(fragment: &[u8], core: &Range<usize>, date: &[u8]) -> bool {
    let begin = core.start.saturating_sub(date.len() + CLOCK);
    let end = (core.end + date.len()).min(fragment.len());
    let windows = fragment[begin..end].windows(date.len()).enumerate();
    let ends = windows.filter(|(_, window)| *window == date).map(|(at, _)| begin + at + date.len());
    let mut ends = ends.filter(|end| end - date.len() < core.end.max(core.start + 1));
    ends.any(|end| end > core.start || is_clock(fragment, end..core.start, core))
}

/// Whether a differing range is part of `hh:mm` or more, with nothing but that between it and what is before `gap`.
fn is_clock(fragment: &[u8], gap: Range<usize>, core: &Range<usize>) -> bool {
    let fits = |byte: &u8| matches!(byte, b'0'..=b'9' | b':');
    let word_end =
        fragment[core.start..].iter().position(|byte| !fits(byte)).map_or(fragment.len(), |at| core.start + at);
    let between = &fragment[gap.clone()];
    between.iter().all(|byte| fits(byte) || matches!(byte, b' ' | b'T' | b'-'))
        && fragment[gap.start..word_end].contains(&b':')
}

/// A number of ten digits that is a time of the run and overlaps what differs.
fn has_decimal(fragment: &[u8], core: &Range<usize>, start: u64) -> bool {
    let begin = core.start.saturating_sub(9);
    let end = (core.end + 9).min(fragment.len());
    let is_digit = |at: usize| fragment.get(at).is_some_and(u8::is_ascii_digit);
    (begin..end.saturating_sub(9)).any(|at| {
        let digits = &fragment[at..at + 10];
        let alone = !is_digit(at + 10) && (at == 0 || !is_digit(at - 1));
        let time = std::str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok());
        alone && at < core.end && at + 10 > core.start && time.is_some_and(|time| is_within(start, time))
    })
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
    fn dates_count_only_where_something_of_the_time_differs() {
        let start = 1_700_000_000;
        let found = |text: &str, core: &str| {
            let at = text.find(core).expect("the core is there");
            contains(&[(text.as_bytes(), at..at + core.len())], start)
        };
        assert!(found("on Nov 14 2023", "Nov 14 2023"));
        assert!(found("on 2023-11-14T10:11:12Z", "1:12"));
        assert!(found("Tue Nov 14 22:13:20 UTC 2023", "13:20"));
        assert!(found("t=1700000123;", "123"));
        assert!(!found("on Nov 14 x=5", "5"));
        assert!(!found("2023-11-14 7", "7"));
        assert!(!found("1700000123 and 7", " 7"));
        assert!(!found("17000001234", "4"));
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
