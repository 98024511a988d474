//! From lines to statements: what a shell reads as one goes together, comments and the bodies of here-documents go away.

use std::iter::{Enumerate, Peekable};

/// What is open at some place of a script.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Open {
    Single,
    Double,
    Backtick,
    /// `$(…)`, `=(…)`, and what is grouped inside.
    Code,
    /// `((…))`
    Arithmetic,
    /// `(…)` in arithmetic.
    Group,
    /// `${…}`, where single quotes quote unless it stands in double ones.
    Parameter {
        quoted: bool,
    },
}

/// The word that ends a here-document, and whether tabs may stand before it.
#[derive(Debug, PartialEq, Eq)]
struct End {
    word: String,
    tabs: bool,
}

/// What a script consists of.
#[derive(Debug, Default)]
pub(super) struct Lines {
    /// Statements with their first lines: no comments, no blank lines, no here-documents, continued lines joined.
    pub(super) statements: Vec<(usize, String)>,
    /// Where the first here-document begins that does not end, and the word that would end it.
    pub(super) endless: Option<(usize, String)>,
    /// First and last lines of what here-documents consist of, in their order.
    pub(super) documents: Vec<(usize, usize)>,
}

/// Reads line after line.
#[derive(Debug, Default)]
struct Reader {
    open: Vec<Open>,
    /// Here-documents that begin on the next line.
    ends: Vec<End>,
    /// Whether the last line ended with a backslash.
    continued: bool,
}

/// Takes a script to pieces.
///
/// If something stays open until the end, it is taken for a misunderstanding, and no lines are joined from there on.
pub(super) fn read(text: &str) -> Lines {
    let mut found = Lines::default();
    let mut lines = text.lines().enumerate().peekable();
    let mut joins = true;
    while lines.peek().is_some() {
        let before = lines.clone();
        let read = statement(&mut lines, joins);
        if read.closed || !joins {
            found.statements.extend((!read.text.trim().is_empty()).then_some((read.line, read.text)));
            found.endless = found.endless.or(read.endless.filter(|_| joins));
            found.documents.extend(read.documents);
        } else {
            (lines, joins) = (before, false);
        }
    }
    found
}

type Numbered<'a> = Peekable<Enumerate<std::str::Lines<'a>>>;

/// A statement that was read.
#[derive(Debug, Default)]
struct Whole {
    /// Where it begins, from 1.
    line: usize,
    text: String,
    /// Whether all that it opens is closed.
    closed: bool,
    /// Where a here-document of it begins that does not end, and the word that would end it.
    endless: Option<(usize, String)>,
    documents: Vec<(usize, usize)>,
}

/// The next statement.
fn statement(lines: &mut Numbered<'_>, joins: bool) -> Whole {
    let mut reader = Reader::default();
    let mut whole = Whole::default();
    while let Some((number, line)) = lines.next() {
        if whole.line == 0 {
            whole.line = number + 1;
        } else if reader.continued {
            whole.text.pop();
        } else {
            whole.text.push('\n');
        }
        let continued = std::mem::take(&mut reader.continued);
        let line = reader.line(line);
        whole.text.push_str(if continued { line.trim_start() } else { line });
        for end in std::mem::take(&mut reader.ends) {
            if !skip_document(lines, &end, &mut whole.documents) {
                whole.endless.get_or_insert((number + 1, end.word));
            }
        }
        if (reader.open.is_empty() || !joins) && !reader.continued {
            whole.closed = true;
            return whole;
        }
    }
    whole.closed = reader.open.is_empty();
    whole
}

/// Skips a here-document, notes where it stands, and says whether it ends.
fn skip_document(lines: &mut Numbered<'_>, end: &End, documents: &mut Vec<(usize, usize)>) -> bool {
    let ends = |line: &str| if end.tabs { line.trim_start_matches('\t') == end.word } else { line == end.word };
    let mut place: Option<(usize, usize)> = None;
    let ended = lines.any(|(number, line)| {
        let ended = ends(line);
        if !ended {
            place = Some((place.map_or(number + 1, |(first, _)| first), number + 1));
        }
        ended
    });
    documents.extend(place);
    ended
}

impl Reader {
    /// What of a line is no comment.
    fn line<'a>(&mut self, line: &'a str) -> &'a str {
        let bytes = line.as_bytes();
        let mut at = 0;
        while at < bytes.len() {
            let rest = &bytes[at..];
            if rest[0] == b'\\' && self.open.last() != Some(&Open::Single) {
                self.continued = rest.len() == 1;
                at += 2;
                continue;
            }
            if !rest[0].is_ascii() {
                // Within a character, which means nothing to a shell.
                at += 1;
                continue;
            }
            if rest[0] == b'#' && self.in_code() && begins_word(&bytes[..at]) {
                return line[..at].trim_end();
            }
            at += self.take(&line[at..], bytes[..at].last().copied());
        }
        if self.in_code() && !self.continued { line.trim_end() } else { line }
    }

    fn in_code(&self) -> bool {
        matches!(self.open.last(), None | Some(Open::Code | Open::Backtick))
    }

    /// Takes what stands at the beginning, and says how many bytes it has.
    fn take(&mut self, rest: &str, before: Option<u8>) -> usize {
        let top = self.open.last().copied();
        let quoted = matches!(top, Some(Open::Double | Open::Parameter { quoted: true }));
        let (first, second) = (rest.as_bytes()[0], rest.as_bytes().get(1).copied());
        match (top, first) {
            (Some(Open::Single), b'\'')
            | (Some(Open::Double), b'"')
            | (Some(Open::Backtick), b'`')
            | (Some(Open::Code | Open::Group), b')')
            | (Some(Open::Parameter { .. }), b'}') => {
                self.open.pop();
            }
            (Some(Open::Single), _) => {}
            (Some(Open::Arithmetic), b')') if second == Some(b')') => {
                self.open.pop();
                return 2;
            }
            (_, b'$') if rest.starts_with("$((") => return self.begin(Open::Arithmetic, 3),
            (_, b'$') if second == Some(b'(') => return self.begin(Open::Code, 2),
            (_, b'$') if second == Some(b'{') => return self.begin(Open::Parameter { quoted }, 2),
            (_, b'"') => self.open.push(Open::Double),
            (_, b'`') => self.open.push(Open::Backtick),
            (_, b'\'') if !quoted => self.open.push(Open::Single),
            (Some(Open::Arithmetic | Open::Group), b'(') => self.open.push(Open::Group),
            _ if !self.in_code() => {}
            (_, b'(') if second == Some(b'(') => return self.begin(Open::Arithmetic, 2),
            (Some(_), b'(') => self.open.push(Open::Code),
            (None, b'(') if before == Some(b'=') => self.open.push(Open::Code),
            (_, b'<') if second == Some(b'<') => return self.here_document(rest),
            _ => {}
        }
        1
    }

    fn begin(&mut self, open: Open, length: usize) -> usize {
        self.open.push(open);
        length
    }

    /// `<<END`, `<<-'END'`; `<<<` is another thing.
    fn here_document(&mut self, rest: &str) -> usize {
        let Some(after) = rest.strip_prefix("<<").filter(|after| !after.starts_with('<')) else { return 3 };
        let stripped = after.strip_prefix('-');
        let text = stripped.unwrap_or(after).trim_start_matches([' ', '\t']);
        let (mut word, mut quote) = (String::new(), None);
        for character in text.chars() {
            match (quote, character) {
                (Some(open), _) if open == character => quote = None,
                (None, '\'' | '"') => quote = Some(character),
                (None, '\\') => {}
                (None, other) if other.is_whitespace() || ";&|<>()".contains(other) => break,
                (_, other) => word.push(other),
            }
        }
        // A shift in `$[…]` or in a subscript has a bracket behind it.
        if !word.is_empty() && !word.starts_with(|first: char| first.is_ascii_digit()) && !word.contains(']') {
            self.ends.push(End { word, tabs: stripped.is_some() });
        }
        2
    }
}

/// Whether a word begins after this.
fn begins_word(before: &[u8]) -> bool {
    before.last().is_none_or(|byte| byte.is_ascii_whitespace() || b";&|(`".contains(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &[(usize, &str)]) {
        let expected: Vec<_> = expected.iter().map(|(line, text)| (*line, (*text).to_owned())).collect();
        assert_eq!(read(text).statements, expected);
    }

    #[test]
    fn lines_are_joined() {
        check("a \\\n  b # c\n# d\necho \"x\ny\"\nz", &[(1, "a b"), (4, "echo \"x\ny\""), (6, "z")]);
        check("a='x\\'\nb", &[(1, "a='x\\'"), (2, "b")]);
        check("x=(\n a # first\n b\n)\ny", &[(1, "x=(\n a\n b\n)"), (5, "y")]);
        check("v=$(\n  a\n)\nb", &[(1, "v=$(\n  a\n)"), (4, "b")]);
    }

    #[test]
    fn here_documents_go_away() {
        check("cat <<EOF\na'\nEOF\nb", &[(1, "cat <<EOF"), (4, "b")]);
        check("cat > x << 'END OF FILE'\n}\nEND OF FILE\nb", &[(1, "cat > x << 'END OF FILE'"), (4, "b")]);
        check("cat <<- \"EOF-1\"\n\ta\n\tEOF-1\nb", &[(1, "cat <<- \"EOF-1\""), (4, "b")]);
        check("cat <<A <<B\n1\nA\n2\nB\nc", &[(1, "cat <<A <<B"), (6, "c")]);
        check("cat <<EOF\n\tEOF\nEOF\nb", &[(1, "cat <<EOF"), (4, "b")]);
        check("x=\"$(cat <<'EOF'\ndon't\nEOF\n)\"\nb", &[(1, "x=\"$(cat <<'EOF'\n)\""), (5, "b")]);
        check("cat <<\\EOF | sed s/a/b/\nit's\nEOF\nb", &[(1, "cat <<\\EOF | sed s/a/b/"), (4, "b")]);
    }

    #[test]
    fn here_documents_without_an_end_are_seen() {
        let endless = |text: &str| read(text).endless;
        assert_eq!(endless("a\nb() {\n  cat << \"EOF\"\nx\n  EOF\n}\n"), Some((3, "EOF".to_owned())));
        assert_eq!(endless("cat <<A <<B\nA\nb"), Some((1, "B".to_owned())));
        assert_eq!(endless("cat <<-EOF\n\tx\n  EOF\n"), Some((1, "EOF".to_owned())));
        assert_eq!(endless("x=$(cat <<EOF\na\nEOF\n)\ncat << EOF\nEOF"), None);
        assert_eq!(endless("a \"\nb << EOF\n"), None, "within what is never closed nothing is known");
    }

    #[test]
    fn here_documents_have_a_place() {
        assert_eq!(read("cat <<A <<B\n1\n2\nA\nB\ncat <<C\n3\nC\ncat <<D\n4").documents, [(2, 3), (7, 7), (10, 10)]);
    }

    #[test]
    fn other_uses_of_two_signs_are_none() {
        check("echo \"a << EOF\"\nb", &[(1, "echo \"a << EOF\""), (2, "b")]);
        check("grep -q '<<EOF' x\nb", &[(1, "grep -q '<<EOF' x"), (2, "b")]);
        check("x=$((1<<y))\nb", &[(1, "x=$((1<<y))"), (2, "b")]);
        check("((1<<y))\nb", &[(1, "((1<<y))"), (2, "b")]);
        check("read x <<< word\nb", &[(1, "read x <<< word"), (2, "b")]);
        check("a # <<EOF\nb", &[(1, "a"), (2, "b")]);
        for line in ["x=$(( (1 << (y)) << z ))", "if (( ((1)) << y )); then", "x=$[1<<y]", "a[1<<y]=5"] {
            check(&format!("{line}\nb"), &[(1, line), (2, "b")]);
        }
    }

    #[test]
    fn quotes_in_expansions_are_understood() {
        check("echo \"${x:-it's}\"\nb", &[(1, "echo \"${x:-it's}\""), (2, "b")]);
        check("echo ${x#'#'} # c\nb", &[(1, "echo ${x#'#'}"), (2, "b")]);
        check("echo \"$(echo \"a\" 'b\"')\"\nb", &[(1, "echo \"$(echo \"a\" 'b\"')\""), (2, "b")]);
        check("case $x in\na) b ;;\nesac\nc", &[(1, "case $x in"), (2, "a) b ;;"), (3, "esac"), (4, "c")]);
        check("echo $# ${#x}\nb", &[(1, "echo $# ${#x}"), (2, "b")]);
    }

    #[test]
    fn letters_of_all_kinds_are_letters() {
        check("echo 'é' \"–\" \\é ${ü} $(à # ß\n)\nb # é", &[(1, "echo 'é' \"–\" \\é ${ü} $(à\n)"), (3, "b")]);
        check("cat <<é\nx\né\nb", &[(1, "cat <<é"), (4, "b")]);
    }

    #[test]
    fn what_is_never_closed_takes_nothing_with_it() {
        check("a\necho \"\nb() {\n c\n}\n", &[(1, "a"), (2, "echo \""), (3, "b() {"), (4, " c"), (5, "}")]);
    }

    #[test]
    fn hostile_scripts_take_no_time() {
        for line in ["'\n", "\"\n", "$(\n", "a <<E\n", "x=(\n", "${\n", "a \\\n", "`'\n"] {
            read(&line.repeat(200_000));
        }
    }
}
