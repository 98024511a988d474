//! `larder lint --sources`: which sources cannot be had, before a long build finds out.

use super::report::Report;
use super::{Args, Subject, tree};
use crate::context::{Context, fetch_settings};
use crate::error::CliError;
use crate::fetches::fetches_of;
use crate::installable::{EvalArgs, resolve_sets};
use crate::output;
use crate::recipe_tree::{TreePart, tree_at};
use crate::sources::installable;
use builder::fetch::{FetchLimits, FetchRequest, FetchSettings, Fetcher, Found, UrlFailure};
use foreign::Rule;
use serde_json::json;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use store::{FileHash, HashAlgorithm};

/// How many servers are asked at once.
const WORKERS: usize = 16;

/// How often one place is asked.
const ATTEMPTS: u32 = 2;

/// How long one place may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// A source, and who declares it.
#[derive(Debug)]
struct Wanted {
    name: String,
    file: String,
    line: usize,
    request: FetchRequest,
}

type Answer = Result<Found, Vec<UrlFailure>>;

pub(super) fn lint_sources(
    context: &Context,
    subjects: &[Subject],
    args: &Args,
    report: &mut Report,
) -> Result<(), CliError> {
    let mut wanted = Vec::new();
    for subject in subjects {
        match subject {
            Subject::Path(path) => match tree_of(path)? {
                Some(part) => wanted.extend(of_tree(&part, args, report)?),
                None => wanted.extend(of_builds(context, path.as_os_str())?),
            },
            Subject::Build(word) => wanted.extend(of_builds(context, word)?),
            Subject::StandardInput => {
                return Err(CliError::usage("`--sources` needs a tree or something that is built"));
            }
        }
    }
    let answers = ask(&wanted)?;
    report.sources = Some(wanted.len());
    for (wanted, answer) in wanted.iter().zip(&answers) {
        if let Err(failures) = answer {
            tell(wanted, failures, args, report)?;
        }
    }
    if !args.json && !context.quiet {
        output::error(&by_host(&wanted, &answers));
    }
    Ok(())
}

fn tree_of(path: &Path) -> Result<Option<TreePart>, CliError> {
    if path.is_dir() { tree_at(path) } else { Ok(None) }
}

/// The sources of a tree that can be asked for; what keeps others from that is told.
fn of_tree(part: &TreePart, args: &Args, report: &mut Report) -> Result<Vec<Wanted>, CliError> {
    let sources = foreign::sources(&tree::read_tree(part)?);
    for finding in sources.unknown.iter().filter(|finding| tree::is_meant(part, &finding.file)) {
        tree::tell(finding, args, report)?;
    }
    let wanted = sources.known.into_iter().filter(|source| tree::is_meant(part, &source.file)).filter_map(|source| {
        let hash = FileHash::parse(&source.sha256, Some(HashAlgorithm::Sha256)).ok()?;
        let request = FetchRequest { urls: source.urls, hash: Some(hash), limits: limits(), keeping: None };
        Some(Wanted { name: source.recipe, file: source.file, line: source.line, request })
    });
    Ok(wanted.collect())
}

fn of_builds(context: &Context, word: &std::ffi::OsStr) -> Result<Vec<Wanted>, CliError> {
    let targets = resolve_sets(context, &[installable(word)?], &EvalArgs::default())?;
    let fetches = fetches_of(context, &targets)?.into_iter();
    let wanted = fetches.map(|(path, fetch)| Wanted {
        name: fetch.name,
        file: path.to_string(),
        line: 1,
        request: FetchRequest { urls: fetch.urls, hash: fetch.hash, limits: limits(), keeping: None },
    });
    Ok(wanted.collect())
}

fn limits() -> FetchLimits {
    FetchLimits { connect: PATIENCE / 3, idle: PATIENCE / 2, total: PATIENCE, ..FetchLimits::default() }
}

/// Asks for all of them, several at once; answers stand in the same order.
fn ask(wanted: &[Wanted]) -> Result<Vec<Answer>, CliError> {
    let settings = FetchSettings { attempts: ATTEMPTS, ..fetch_settings()? };
    let fetcher = Fetcher::new(settings).map_err(|error| CliError::failed(error.to_string()))?;
    if let Some(passed_over) = fetcher.passed_over() {
        output::error(&format!("note: {passed_over}\n"));
    }
    let next = AtomicUsize::new(0);
    let answers: Vec<Mutex<Option<Answer>>> = wanted.iter().map(|_| Mutex::new(None)).collect();
    std::thread::scope(|scope| {
        for _ in 0..WORKERS.min(wanted.len()) {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let (Some(wanted), Some(answer)) = (wanted.get(number), answers.get(number)) else { break };
                    let found = fetcher.probe(&wanted.request);
                    *answer.lock().unwrap_or_else(PoisonError::into_inner) = Some(found);
                }
            });
        }
    });
    let answer = |answer: Mutex<Option<Answer>>| {
        answer.into_inner().unwrap_or_else(PoisonError::into_inner).unwrap_or_else(|| Err(Vec::new()))
    };
    Ok(answers.into_iter().map(answer).collect())
}

fn tell(wanted: &Wanted, failures: &[UrlFailure], args: &Args, report: &mut Report) -> Result<(), CliError> {
    let code = Rule::Unreachable.number();
    if args.allows(code) {
        return Ok(());
    }
    report.findings += 1;
    report.errors += 1;
    let answers: Vec<String> = failures.iter().map(ToString::to_string).collect();
    let message = format!("the source of {} cannot be had", wanted.name);
    if args.json {
        report.json.push(json!({
            "file": wanted.file, "code": code, "severity": "error", "message": message, "hints": answers,
            "fixable": false, "start": { "line": wanted.line, "column": 1 },
        }));
        return Ok(());
    }
    let answers: String = answers.iter().map(|answer| format!("  {answer}\n")).collect();
    output::write(format!("error[{code}]: {message}\n --> {}:{}\n{answers}\n", wanted.file, wanted.line).as_bytes())
}

/// For each host, how many of the sources that name it first can be had.
fn by_host(wanted: &[Wanted], answers: &[Answer]) -> String {
    let mut hosts: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for (wanted, answer) in wanted.iter().zip(answers) {
        let url = wanted.request.urls.first().map_or("(no address)", String::as_str);
        let (all, found) = hosts.entry(host_of(url)).or_default();
        *all += 1;
        *found += usize::from(answer.is_ok());
    }
    let width = hosts.keys().map(|host| host.len()).max().unwrap_or_default();
    hosts.iter().map(|(host, (all, found))| format!("{host:width$}  {found} of {all} can be had\n")).collect()
}

/// The host of a URL, without credentials; of a mirror, its name.
fn host_of(url: &str) -> &str {
    let Some((scheme, rest)) = url.split_once("://") else { return "(no address)" };
    let end = rest.find('/').unwrap_or(rest.len());
    match scheme {
        "file" => "file://",
        "mirror" => &url[..scheme.len() + 3 + end],
        _ => rest[..end].rsplit('@').next().unwrap_or_default(),
    }
}
