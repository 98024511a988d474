//! How store paths look: for people on a terminal their names first, with as much of the digest as larder takes back; in full elsewhere.

use crate::output;
use crate::text;
use std::io::IsTerminal;
use store::StorePath;

/// Characters of a digest that are shown: the fewest that larder takes for a store path.
const SHOWN: usize = 8;

/// How results look.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Look {
    /// Whether people read it.
    pub(crate) terminal: bool,
    /// Whether colours may be used.
    pub(crate) colour: bool,
    /// How many characters a line has; `None` if it may be of any length.
    pub(crate) width: Option<usize>,
}

impl Look {
    /// How results look on standard output.
    pub(crate) fn of_stdout() -> Self {
        let terminal = std::io::stdout().is_terminal();
        let width = rustix::termios::tcgetwinsize(std::io::stdout()).ok().map(|size| usize::from(size.ws_col));
        Self { terminal, colour: output::stdout_colours(), width: width.filter(|width| terminal && *width > 0) }
    }

    /// How they look to programs.
    #[cfg(test)]
    pub(crate) const PLAIN: Self = Self { terminal: false, colour: false, width: None };

    /// A store path: `hello-2.12 ntqvh4zz`, or all of it.
    pub(crate) fn path(self, path: &StorePath) -> String {
        if !self.terminal {
            return path.to_string();
        }
        let digest: String = path.digest_text()[..SHOWN].iter().copied().map(char::from).collect();
        format!("{} {}", path.name(), self.styled(&digest, "2"))
    }

    /// A number of bytes: `1.5 MiB`, or all its digits where these are asked for.
    pub(crate) fn bytes(count: u64, exact: bool) -> String {
        if exact { count.to_string() } else { text::bytes(count) }
    }

    /// Text in a style, where colours may be used.
    pub(crate) fn styled(self, text: &str, style: &str) -> String {
        if self.colour && !text.is_empty() { format!("\x1b[{style}m{text}\x1b[0m") } else { text.to_owned() }
    }

    /// A line that is cut where the terminal ends.
    pub(crate) fn cut(self, line: &str) -> String {
        self.width.map_or_else(|| line.to_owned(), |width| self.cut_to(width, line))
    }

    /// A text that is cut to so many characters. What is between escapes and `m` takes no room.
    fn cut_to(self, width: usize, text: &str) -> String {
        let (mut cut, mut room, mut escape) = (String::new(), width, false);
        let length = visible_length(text);
        for character in text.chars() {
            escape |= character == '\x1b';
            if !escape {
                if room == 1 && length > width {
                    cut.push('…');
                    cut.push_str(if self.colour { "\x1b[0m" } else { "" });
                    return cut;
                }
                room -= 1;
            }
            cut.push(character);
            escape &= character != 'm';
        }
        cut
    }

    /// A name that is cut to so many characters. Its last word stays if there is room for it: of a path it is the digest.
    fn cut_name(self, width: usize, name: &str) -> String {
        /// Fewer characters of a name say nothing.
        const LEAST: usize = 4;
        let (first, last) = name.rsplit_once(' ').unwrap_or((name, ""));
        match width.checked_sub(visible_length(last) + 1) {
            Some(room) if room >= LEAST && visible_length(name) > width && !last.is_empty() => {
                format!("{} {last}", self.cut_to(room, first))
            }
            _ => self.cut_to(width, name),
        }
    }
}

/// The name of a derivation or tree without the ending of the former.
pub(crate) fn human(path: &StorePath) -> &str {
    let name = path.name().as_str();
    name.strip_suffix(".drv").unwrap_or(name)
}

/// How many characters of a line are seen.
fn visible_length(line: &str) -> usize {
    let mut escape = false;
    let seen = |character: &char| {
        escape |= *character == '\x1b';
        let seen = !escape;
        escape &= *character != 'm';
        seen
    };
    line.chars().filter(seen).count()
}

/// The least that a terminal leaves of the first column of a table.
const LEAST_NAMES: usize = 12;

/// A table whose columns are as wide as they must be; all but the first are aligned to the right. Where a terminal is too narrow names are
/// cut, never numbers.
pub(crate) fn table(look: Look, heading: &[&str], rows: &[Vec<String>]) -> String {
    let heading: Vec<_> = heading.iter().map(|text| (*text).to_owned()).collect();
    let width =
        |column: usize| rows.iter().chain([&heading]).map(|row| visible_length(&row[column])).max().unwrap_or(0);
    let mut widths: Vec<_> = (0..heading.len()).map(width).collect();
    let others: usize = widths[1..].iter().map(|width| 2 + width).sum();
    let names = look.width.map_or(widths[0], |width| width.saturating_sub(others).max(LEAST_NAMES));
    widths[0] = widths[0].min(names);
    let line = |row: &[String]| {
        let cell = |(column, text): (usize, &String)| {
            let text = if column == 0 { look.cut_name(widths[0], text) } else { text.clone() };
            let blanks = " ".repeat(widths[column] - visible_length(&text));
            if column == 0 { format!("{text}{blanks}") } else { format!("{blanks}{text}") }
        };
        let cells: Vec<_> = row.iter().enumerate().map(cell).collect();
        cells.join("  ").trim_end().to_owned()
    };
    let mut text = look.styled(&line(&heading), "1") + "\n";
    rows.iter().for_each(|row| text.push_str(&(line(row) + "\n")));
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use store::{StoreName, TreeDigest};

    fn hello() -> StorePath {
        let name = StoreName::parse("hello-2.12").expect("valid");
        StorePath::from_tree(TreeDigest::from_bytes([0; 32]), name).expect("valid")
    }

    #[test]
    fn people_see_names_first_and_programs_whole_paths() {
        let terminal = Look { terminal: true, ..Look::PLAIN };
        assert_eq!(terminal.path(&hello()), "hello-2.12 aaaaaaaa");
        assert_eq!(Look { colour: true, ..terminal }.path(&hello()), "hello-2.12 \x1b[2maaaaaaaa\x1b[0m");
        assert_eq!(Look::PLAIN.path(&hello()), hello().to_string());
    }

    #[test]
    fn lines_end_where_the_terminal_does() {
        let look = |width| Look { terminal: true, colour: true, width };
        assert_eq!(look(Some(4)).cut("abcd"), "abcd");
        assert_eq!(look(Some(4)).cut("abcde"), "abc…\x1b[0m");
        assert_eq!(look(Some(4)).cut("ab\x1b[2mcd\x1b[0m"), "ab\x1b[2mcd\x1b[0m");
        assert_eq!(look(None).cut("abcde"), "abcde");
    }

    #[test]
    fn columns_are_aligned() {
        let rows = [vec!["long name".to_owned(), "1".to_owned()], vec!["x".to_owned(), "20 B".to_owned()]];
        assert_eq!(table(Look::PLAIN, &["path", "own"], &rows), "path        own\nlong name     1\nx          20 B\n");
    }

    #[test]
    fn a_narrow_terminal_cuts_names_and_no_numbers() {
        let row = |name: &str, size: &str| vec![name.to_owned(), size.to_owned(), "7.5 GiB".to_owned()];
        let rows = [row("libc-2.36-9+deb12u14 \x1b[2mlyh4v5ue\x1b[0m", "20 B"), row("x aaaaaaaa", "1023 MiB")];
        let told = |width| {
            let look = Look { terminal: true, width: Some(width), ..Look::PLAIN };
            table(look, &["path", "own", "closure"], &rows)
        };
        let expected = [
            "path                       own  closure",
            "libc-2.36-… \x1b[2mlyh4v5ue\x1b[0m      20 B  7.5 GiB",
            "x aaaaaaaa            1023 MiB  7.5 GiB",
        ];
        assert_eq!(told(39).lines().collect::<Vec<_>>(), expected);
        // However narrow it is, something is left of names, and lines go on below.
        let told = told(20);
        let lines: Vec<_> = told.lines().collect();
        assert!(lines[1].starts_with("libc-2.36-9…  "), "{told}");
        assert!(lines.iter().skip(1).all(|line| line.ends_with("7.5 GiB")), "{told}");
    }
}
