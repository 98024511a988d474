//! A report as one HTML page: no scripts, nothing from elsewhere, everything from the compared files escaped.

use super::{cause_name, kind_words, reading_line};
use crate::reading::Reading;
use crate::report::{Change, Detail, Difference, DifferenceKind, Report};
use std::fmt::Write as _;

const STYLE: &str = "\
body{font:14px/1.45 system-ui,sans-serif;margin:2em auto;max-width:75em;padding:0 1em;color:#222;background:#fff}\
h1{font-size:1.4em}code,pre,.mono{font-family:ui-monospace,monospace;font-size:.92em}\
pre{background:#f6f6f6;padding:.5em;overflow-x:auto;margin:.3em 0}\
details{border:1px solid #ddd;border-radius:4px;margin:.5em 0;padding:.3em .7em}summary{cursor:pointer}\
.change{margin:.4em 0 .4em 1em;border-left:2px solid #ddd;padding-left:.7em}\
.l{color:#a11}.r{color:#171}.why{background:#fff3cd;border-radius:3px;padding:0 .35em}.faint{color:#777}\
table{border-collapse:collapse}td,th{padding:.15em .8em .15em 0;text-align:left}\
@media(prefers-color-scheme:dark){body{background:#161616;color:#ddd}pre{background:#222}details,.change{border-color:#444}\
.l{color:#f88}.r{color:#8d8}.why{background:#554400}}";

/// When the page has as many bytes, further differences are counted, not shown.
const MAX_PAGE: usize = 32 << 20;

/// The report as a page that stands alone.
#[must_use]
pub fn html(report: &Report) -> String {
    let mut page = Page(String::new());
    page.head(report);
    for (index, difference) in report.differences.iter().enumerate() {
        if page.0.len() > MAX_PAGE {
            let more = report.differences.len() - index;
            page.push(format_args!("<p class=faint>and {more} more differences</p>\n"));
            break;
        }
        page.difference(difference);
    }
    page.0.push_str("</body></html>\n");
    page.0
}

struct Page(String);

/// Text with everything escaped that means something in HTML, in elements and in quoted attributes.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            '\n' | '\t' => escaped.push(character),
            other => escaped.push(crate::decode::visible(other)),
        }
    }
    escaped
}

impl Page {
    fn push(&mut self, parts: std::fmt::Arguments<'_>) {
        self.0.write_fmt(parts).expect("writing to a string does not fail");
    }

    fn head(&mut self, report: &Report) {
        let (left, right) = (escape(&report.left.name), escape(&report.right.name));
        self.push(format_args!(
            "<!DOCTYPE html>\n<html lang=en><head><meta charset=utf-8>\
             <meta http-equiv=Content-Security-Policy content=\"default-src 'none'; style-src 'unsafe-inline'\">\
             <meta name=viewport content=\"width=device-width\"><title>{left} and {right}</title>\
             <style>{STYLE}</style></head><body>\n<h1>{left} and {right}</h1>\n"
        ));
        self.push(format_args!(
            "<table class=mono><tr><td class=l>{left}<td>{}</tr><tr><td class=r>{right}<td>{}</tr></table>\n",
            report.left.digest, report.right.digest
        ));
        if report.identical() {
            self.push(format_args!("<p>The trees are identical.</p>\n"));
            return;
        }
        let follow = report.differences.iter().filter(|difference| difference.follows.is_some()).count();
        self.push(format_args!(
            "<p>{}, {follow} of which follow from others.</p>\n",
            super::counted(report.differences.len())
        ));
        self.causes(report);
    }

    fn causes(&mut self, report: &Report) {
        let causes = report.causes();
        if causes.is_empty() {
            return;
        }
        self.push(format_args!("<table><tr><th>cause<th>paths</tr>"));
        for (cause, count) in causes {
            self.push(format_args!("<tr><td>{}<td>{count}</tr>", cause_name(cause)));
        }
        self.push(format_args!("</table>\n"));
    }

    fn difference(&mut self, difference: &Difference) {
        let path = if difference.path.is_empty() { "." } else { &difference.path };
        let open = if difference.follows.is_some() { "" } else { " open" };
        let (path, kind) = (escape(path), escape(&kind_words(&difference.kind)));
        self.push(format_args!("<details{open}><summary><code>{path}</code>: {kind}</summary>\n"));
        self.follows(difference.follows.as_deref());
        match &difference.kind {
            DifferenceKind::Content { changes, .. } => changes.iter().for_each(|change| self.change(change)),
            _ => self.readings(&difference.readings),
        }
        self.push(format_args!("</details>\n"));
    }

    fn readings(&mut self, readings: &[Reading]) {
        for reading in readings {
            self.push(format_args!("<div><span class=why>{}</span></div>\n", escape(&reading_line(reading))));
        }
    }

    fn follows(&mut self, follows: Option<&str>) {
        if let Some(why) = follows {
            self.push(format_args!("<div class=faint>follows from other differences: {}</div>\n", escape(why)));
        }
    }

    fn change(&mut self, change: &Change) {
        self.push(format_args!("<div class=change>"));
        if !change.place.is_empty() {
            self.push(format_args!("<b>{}</b> ", escape(&change.place)));
        }
        self.detail(&change.detail);
        self.follows(change.follows.as_deref());
        self.readings(&change.readings);
        self.push(format_args!("</div>\n"));
    }

    fn detail(&mut self, detail: &Detail) {
        match detail {
            Detail::Field { left, right } => self.sides(left, right),
            Detail::Added { size } => self.push(format_args!("<span class=r>added ({size} bytes)</span>")),
            Detail::Removed { size } => self.push(format_args!("<span class=l>removed ({size} bytes)</span>")),
            Detail::Reordered { parts } => self.push(format_args!("{parts} parts in another order")),
            Detail::Text { diff, cut } => self.diff(diff, *cut),
            Detail::Strings { left, right, omitted } => self.strings(left, right, *omitted),
            Detail::Symbols { changed, removed, added, omitted } => {
                self.push(format_args!("<div class=mono>changed: {}</div>", escape(&changed.join(", "))));
                self.strings(removed, added, *omitted);
            }
            Detail::Bytes { left_size, right_size, offset, differing, left, right } => {
                match differing {
                    Some(count) => self.push(format_args!("{count} of {left_size} bytes differ, first at {offset:#x}")),
                    None => self.push(format_args!("{left_size} → {right_size} bytes, first at {offset:#x}")),
                }
                self.sides(left, right);
            }
            Detail::Inside { format, changes } => {
                self.push(format_args!("<span class=faint>{}</span>\n", escape(format)));
                changes.iter().for_each(|change| self.change(change));
            }
            Detail::Note { text } => self.push(format_args!("<span class=faint>{}</span>", escape(text))),
        }
    }

    fn sides(&mut self, left: &str, right: &str) {
        let (left, right) = (escape(left), escape(right));
        self.push(format_args!("<pre><span class=l>- {left}</span>\n<span class=r>+ {right}</span></pre>"));
    }

    fn strings(&mut self, left: &[String], right: &[String], omitted: u64) {
        if left.is_empty() && right.is_empty() {
            return;
        }
        self.push(format_args!("<pre>"));
        left.iter().for_each(|string| self.push(format_args!("<span class=l>- {}</span>\n", escape(string))));
        right.iter().for_each(|string| self.push(format_args!("<span class=r>+ {}</span>\n", escape(string))));
        if omitted > 0 {
            self.push(format_args!("<span class=faint>and {omitted} more</span>\n"));
        }
        self.push(format_args!("</pre>"));
    }

    fn diff(&mut self, diff: &str, cut: bool) {
        self.push(format_args!("<pre>"));
        for line in diff.lines() {
            let class = match line.as_bytes().first() {
                Some(b'-') => "l",
                Some(b'+') => "r",
                Some(b'@' | b'\\') => "faint",
                _ => "",
            };
            self.push(format_args!("<span class=\"{class}\">{}</span>\n", escape(line)));
        }
        if cut {
            self.push(format_args!("<span class=faint>and more</span>\n"));
        }
        self.push(format_args!("</pre>"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_that_means_something_is_escaped() {
        assert_eq!(
            escape("<a b=\"c\" d='e'>&\x1b\u{202e}"),
            "&lt;a b=&quot;c&quot; d=&#39;e&#39;&gt;&amp;\u{fffd}\u{fffd}"
        );
    }
}
