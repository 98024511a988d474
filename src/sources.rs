//! What `eval`, `instantiate` and `repl` are told to evaluate: installables, files, expressions, standard input.

use crate::error::CliError;
use crate::evaluations::Source;
use crate::reading;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use store::shown;

/// What is to be evaluated.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct SourceArgs {
    /// Attributes of files or directories; `-` for an expression on standard input
    #[arg(value_name = "PATH#ATTR", conflicts_with_all = ["file", "expr"])]
    installables: Vec<OsString>,
    /// Evaluate a file; `-` for standard input
    #[arg(short, long, value_name = "FILE", conflicts_with = "expr")]
    file: Vec<OsString>,
    /// Evaluate an expression; `-` for that on standard input
    #[arg(short = 'E', long, value_name = "EXPR")]
    expr: Vec<String>,
    /// Select an attribute, as a.b."c d".0; each of several, in turn
    #[arg(short = 'A', long, value_name = "ATTR")]
    attr: Vec<String>,
}

/// An attribute of a source.
#[derive(Debug, Clone)]
pub(crate) struct Named {
    pub(crate) source: Source,
    /// Empty for all of it.
    pub(crate) attribute: String,
    /// As the command line names it.
    pub(crate) text: OsString,
    /// Whether it may name something in the store.
    pub(crate) installable: bool,
}

impl SourceArgs {
    /// What is named, in order.
    pub(crate) fn named(&self) -> Result<Vec<Named>, CliError> {
        let words = self.installables.iter().chain(&self.file).map(OsString::as_os_str);
        if words.chain(self.expr.iter().map(OsStr::new)).filter(|word| *word == "-").count() > 1 {
            return Err(CliError::usage("`-` is there more than once, but standard input can be read only once"));
        }
        let installables =
            self.installables.iter().map(|text| if text == "-" { standard_input() } else { installable(text) });
        let files = self.file.iter().map(|file| if file == "-" { standard_input() } else { whole_file(file) });
        let expressions = self
            .expr
            .iter()
            .map(|text| if text == "-" { standard_input() } else { Ok(expression(text.clone().into_bytes())) });
        let sources: Vec<Named> = installables.chain(files).chain(expressions).collect::<Result<_, _>>()?;
        if self.attr.is_empty() {
            return Ok(sources);
        }
        Ok(sources.iter().flat_map(|source| self.attr.iter().map(|attribute| source.select(attribute))).collect())
    }

    /// The same, the current directory when nothing is named.
    pub(crate) fn named_or_here(&self) -> Result<Vec<Named>, CliError> {
        if self.installables.is_empty() && self.file.is_empty() && self.expr.is_empty() {
            return Self { installables: vec![".".into()], ..self.clone() }.named();
        }
        self.named()
    }
}

impl Named {
    /// An attribute of what is named.
    fn select(&self, attribute: &str) -> Self {
        let path = [self.attribute.as_str(), attribute].into_iter().filter(|path| !path.is_empty());
        let attribute = path.collect::<Vec<_>>().join(".");
        let mut text = split(&self.text).0.to_owned();
        if !attribute.is_empty() {
            text.push(format!("#{attribute}"));
        }
        Self { source: self.source.clone(), attribute, text, installable: self.installable }
    }
}

/// What `PATH#ATTR` names.
pub(crate) fn installable(text: &OsStr) -> Result<Named, CliError> {
    let (path, attribute) = split(text);
    let bad = || CliError::usage(format!("the attribute in `{}` is not UTF-8", shown(&text)));
    let attribute = attribute.to_str().ok_or_else(bad)?;
    let path = Path::new(if path.is_empty() { OsStr::new(".") } else { path });
    if let Some(error) = crate::recipe_tree::remedy(&std::path::absolute(path).unwrap_or_else(|_| path.to_owned())) {
        return Err(error);
    }
    let source = file(path)?;
    Ok(Named { source, attribute: attribute.to_owned(), text: text.to_owned(), installable: true })
}

/// The path and the attribute of `PATH#ATTR`.
fn split(text: &OsStr) -> (&OsStr, &OsStr) {
    let bytes = text.as_bytes();
    let at = bytes.iter().rposition(|&byte| byte == b'#').unwrap_or(bytes.len());
    (OsStr::from_bytes(&bytes[..at]), OsStr::from_bytes(bytes.get(at + 1..).unwrap_or_default()))
}

fn whole_file(path: &OsStr) -> Result<Named, CliError> {
    let source = file(Path::new(path))?;
    Ok(Named { source, attribute: String::new(), text: path.to_owned(), installable: false })
}

fn expression(text: Vec<u8>) -> Named {
    Named { source: Source::Text(text), attribute: String::new(), text: "(expression)".into(), installable: false }
}

fn standard_input() -> Result<Named, CliError> {
    Ok(expression(reading::standard_input()?))
}

/// The source that a path names.
fn file(path: &Path) -> Result<Source, CliError> {
    let absolute = std::path::absolute(path);
    absolute.map(Source::File).map_err(|error| CliError::failed(format!("cannot find {}: {error}", shown(&path))))
}
