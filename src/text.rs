//! Counts, sizes, times and names as people and programs read them.

use std::num::{NonZeroU64, NonZeroUsize};
use std::time::Duration;

/// A number of bytes: `512 B`, `1.5 KiB`, `20 MiB`.
pub(crate) fn bytes(count: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    #[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
    let mut size = count as f64;
    let mut unit = 0;
    while size >= 1023.95 && unit + 1 < UNITS.len() {
        size /= 1024.0;
        unit += 1;
    }
    if unit == 0 || size >= 99.95 { format!("{size:.0} {}", UNITS[unit]) } else { format!("{size:.1} {}", UNITS[unit]) }
}

/// A number of things: `1 path`, `2 paths`.
pub(crate) fn counted(count: usize, thing: &str) -> String {
    format!("{count} {thing}{}", if count == 1 { "" } else { "s" })
}

/// A duration: `0.4 s`, `12 s`, `3 min 20 s`, `2 h 5 min`, `3 d 4 h`.
pub(crate) fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0..10 => format!("{:.1} s", duration.as_secs_f64()),
        10..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        3600..172_800 => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds % 86_400 / 3600),
    }
}

/// A text for a terminal, which gives that no commands: control characters are escaped, but for the ends of lines and tabs.
pub(crate) fn harmless(text: &str) -> String {
    let mut harmless = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() && !matches!(character, '\n' | '\t') {
            harmless.extend(character.escape_default());
        } else {
            harmless.push(character);
        }
    }
    harmless
}

/// Puts the name of a file into a JSON object. One that is not UTF-8 stands there as people see it, and in hexadecimal under `<key>_hex`.
pub(crate) fn put_name(object: &mut serde_json::Value, key: &str, name: &[u8]) {
    object[key] = String::from_utf8_lossy(name).into();
    if std::str::from_utf8(name).is_err() {
        object[format!("{key}_hex")] = name.iter().map(|byte| format!("{byte:02x}")).collect::<String>().into();
    }
}

/// A path in a tree as the system knows it.
pub(crate) fn path_bytes(path: &store::TreePath) -> Vec<u8> {
    let names: Vec<_> = path.components().iter().map(store::EntryName::as_bytes).collect();
    names.join(&b'/')
}

/// Reads `10`, `10s`, `5min`, `2h`, `3d`, `4w`; a bare number is seconds.
pub(crate) fn parse_duration(text: &str) -> Result<Duration, String> {
    let (number, factor) = split_unit(text, &[("s", 1), ("min", 60), ("h", 3600), ("d", 86_400), ("w", 604_800)])?;
    Ok(Duration::from_secs(number.saturating_mul(factor)))
}

/// Reads how many there are of something that there must be.
pub(crate) fn parse_count(text: &str) -> Result<NonZeroUsize, String> {
    let count = text.parse::<usize>().map_err(|_| format!("`{text}` is not a whole number"))?;
    NonZeroUsize::new(count).ok_or_else(|| "must be at least 1".to_owned())
}

/// Reads `10`, `10K`, `5M`, `2G`, `1T`, with or without `iB`; a bare number is bytes.
pub(crate) fn parse_bytes(text: &str) -> Result<u64, String> {
    let text = text.strip_suffix("iB").or_else(|| text.strip_suffix('B')).unwrap_or(text);
    let (number, factor) = split_unit(text, &[("K", 1 << 10), ("M", 1 << 20), ("G", 1 << 30), ("T", 1 << 40)])?;
    number.checked_mul(factor).ok_or_else(|| format!("`{text}` is too large"))
}

/// Reads what [`parse_bytes`] reads, but for nothing at all.
pub(crate) fn parse_rate(text: &str) -> Result<NonZeroU64, String> {
    NonZeroU64::new(parse_bytes(text)?).ok_or_else(|| "it must be more than 0".to_owned())
}

/// A size, by itself or as a part of the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Size {
    /// So many bytes.
    Bytes(u64),
    /// So many hundredths.
    Percent(u64),
}

impl Size {
    /// Bytes, on a disk that has so many.
    pub(crate) fn of(self, disk: u64) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::Percent(percent) => disk / 100 * percent + disk % 100 * percent / 100,
        }
    }
}

/// Reads what [`parse_bytes`] reads, or `10%`.
pub(crate) fn parse_size(text: &str) -> Result<Size, String> {
    let Some(percent) = text.strip_suffix('%') else { return parse_bytes(text).map(Size::Bytes) };
    match percent.trim().parse() {
        Ok(percent @ 0..=100) => Ok(Size::Percent(percent)),
        _ => Err(format!("`{percent}` is not a whole number up to 100")),
    }
}

fn split_unit(text: &str, units: &[(&str, u64)]) -> Result<(u64, u64), String> {
    let text = text.trim();
    let digits = text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number = number.parse().map_err(|_| format!("`{text}` does not begin with a whole number"))?;
    let unit = unit.trim();
    if unit.is_empty() {
        return Ok((number, 1));
    }
    let known = || units.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
    let factor = units.iter().find(|(name, _)| *name == unit).map(|(_, factor)| *factor);
    Ok((number, factor.ok_or_else(|| format!("`{unit}` is no unit; known are {}", known()))?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts() {
        assert_eq!(parse_count("3").map(NonZeroUsize::get), Ok(3));
        assert_eq!(parse_count("0"), Err("must be at least 1".to_owned()));
        assert_eq!(parse_count("-1"), Err("`-1` is not a whole number".to_owned()));
    }

    #[test]
    fn terminals_are_told_nothing() {
        assert_eq!(harmless("a\x1b[2J\tb\nc\r\u{9b}d\u{7f}\u{e9}"), "a\\u{1b}[2J\tb\nc\\r\\u{9b}d\\u{7f}\u{e9}");
    }

    #[test]
    fn sizes_and_times_are_short() {
        assert_eq!(
            [0, 1023, 1024, 1_572_864, 104_857_600].map(bytes),
            ["0 B", "1023 B", "1.0 KiB", "1.5 MiB", "100 MiB"]
        );
        assert_eq!(
            [400, 12_000, 200_000, 7_500_000, 273_600_000].map(|ms| duration(Duration::from_millis(ms))),
            ["0.4 s", "12 s", "3 min 20 s", "2 h 5 min", "3 d 4 h"]
        );
    }

    #[test]
    fn units_are_read() {
        assert_eq!(parse_duration("2h"), Ok(Duration::from_secs(7200)));
        assert_eq!(parse_bytes("5GiB"), Ok(5 << 30));
        assert_eq!(parse_bytes("7"), Ok(7));
        assert_eq!((parse_rate("1K").map(NonZeroU64::get), parse_rate("0M").is_err()), (Ok(1 << 10), true));
        assert_eq!((parse_size("7K"), parse_size("10%")), (Ok(Size::Bytes(7 << 10)), Ok(Size::Percent(10))));
        assert!(parse_size("101%").is_err() && parse_size("%").is_err() && parse_size("-1%").is_err());
        assert_eq!([Size::Percent(10).of(1990), Size::Percent(100).of(u64::MAX)], [199, u64::MAX]);
        assert!(parse_bytes("5X").is_err() && parse_duration("h").is_err() && parse_bytes("99999999T").is_err());
    }
}
