//! `larder bundle`

use crate::CommandResult;
use crate::context::Context;
use crate::destination::{must_take_files, must_take_new};
use crate::error::CliError;
use crate::fetches::{Fetch, fetches_of};
use crate::installable::{EvalArgs, Target, outputs_of, resolve_sets};
use crate::output;
use crate::realising::{BuildArgs, realise_what_can_be};
use crate::sources::installable;
use crate::text;
use builder::RunOptions;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use store::shown;
use store::{FileHash, StorePath};

/// What is in a bundle, for people.
const LIST: &str = "sources.json";

/// Put all that builds fetch into a directory or archive, for building without a network.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Everything that is fetched for installables, as a mirror by content
    Sources(SourcesArgs),
}

/// Everything that is fetched for installables, as a mirror by content.
///
/// With `LARDER_MIRRORS=hash=file:///DIR/{algorithm}/{hash}` they build from it without a network. What is in the store already is
/// not fetched again.
#[derive(Debug, clap::Args)]
struct SourcesArgs {
    /// Attributes of files or directories, or store paths
    #[arg(value_name = "INSTALLABLE", required = true)]
    installables: Vec<OsString>,
    /// Where to: a directory, which may be there, or a file that ends in `.tar`
    #[arg(short, long, value_name = "DIR|FILE.tar")]
    output: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    eval: EvalArgs,
    #[command(flatten)]
    build: BuildArgs,
}

/// A file of the bundle.
struct Entry {
    name: String,
    urls: Vec<String>,
    hash: FileHash,
    place: PathBuf,
}

pub(crate) fn run(context: &Context, args: &Args) -> CommandResult {
    let What::Sources(args) = &args.what;
    bundle_sources(context, args)
}

fn bundle_sources(context: &Context, args: &SourcesArgs) -> CommandResult {
    let is_archive = is_archive(&args.output)?;
    if is_archive {
        must_take_new("write", &args.output)?
    } else {
        must_take_files(&args.output)?
    }
    let named = args.installables.iter().map(|word| installable(word)).collect::<Result<Vec<_>, _>>()?;
    let targets = resolve_sets(context, &named, &args.build.evaluation(&args.eval))?;
    let fetches = fetches_of(context, &targets)?;
    let Fetched { entries, left_out, failed } = fetch_all(context, args, fetches)?;
    let before = if failed.is_some() { incomplete(&args.output, is_archive)? } else { Vec::new() };
    let bytes = if is_archive {
        write_archive(&args.output, &entries)?
    } else {
        write_directory(&args.output, &entries, &before)?
    };
    if args.json {
        let files: Vec<_> = entries.iter().map(described).collect();
        output::json("bundle/1", json!({ "files": files, "bytes": bytes, "left_out": left_out }))?;
    } else {
        output::line(shown(&args.output))?;
    }
    for name in &left_out {
        output::error(&format!(
            "{} {name} is left out: only the hash of what is made from it is known\n",
            output::styled("warning:", "1;33")
        ));
    }
    if !context.quiet {
        let count = text::counted(entries.len(), "file");
        output::error(&format!("{count}, {}\n", text::bytes(bytes)));
    }
    let others = format!("{} has all others", store::shown(&args.output));
    failed.map_or(Ok(ExitCode::SUCCESS), |failed| Err(failed.hint(others)))
}

/// What a bundle is made of.
struct Fetched {
    entries: Vec<Entry>,
    /// Names of what no mirror by content can have.
    left_out: Vec<String>,
    /// That some could not be had, which has been told.
    failed: Option<CliError>,
}

/// Fetches what is not in the store.
fn fetch_all(context: &Context, args: &SourcesArgs, fetches: BTreeMap<StorePath, Fetch>) -> Result<Fetched, CliError> {
    let (known, others): (Vec<_>, Vec<_>) = fetches.into_iter().partition(|(_, fetch)| fetch.hash.is_some());
    let target = |path: &StorePath| Target::Derivation { path: path.clone(), output: None };
    let targets: Vec<Target> = known.iter().map(|(path, _)| target(path)).collect();
    let builder = args.build.builder(context)?;
    let options = RunOptions { keep_going: true, rebuild: false };
    let (result, failed) = realise_what_can_be(context, &builder, &args.build.watch, &targets, options)?;
    let store = context.store()?;
    let mut entries = BTreeMap::new();
    for ((_, fetch), target) in known.into_iter().zip(&targets) {
        let Some(hash) = fetch.hash else { continue };
        for (_, path) in outputs_of(target, &result.outputs) {
            let place = store.layout().path(&path);
            let entry = Entry { name: fetch.name.clone(), urls: fetch.urls.clone(), hash: hash.clone(), place };
            entries.insert(hash.to_string(), entry);
        }
    }
    let left_out = others.into_iter().map(|(_, fetch)| fetch.name).collect();
    Ok(Fetched { entries: entries.into_values().collect(), left_out, failed })
}

/// Whether an archive is to be written. What is named like one of another kind is not meant to be a directory.
fn is_archive(output: &Path) -> Result<bool, CliError> {
    const OTHERS: [&str; 9] = ["zip", "gz", "tgz", "xz", "txz", "zst", "bz2", "7z", "lz"];
    let extension = output.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    if OTHERS.contains(&extension) && !output.is_dir() {
        let error =
            CliError::usage(format!("{} cannot be written: bundles are directories or `.tar` files", shown(&output)));
        return Err(error.hint("what is in a bundle is compressed already"));
    }
    Ok(extension == "tar" && !output.is_dir())
}

/// Where a file is in a bundle: `sha256/<hexadecimal>`.
fn place_in_bundle(hash: &FileHash) -> String {
    hash.to_string().replacen(':', "/", 1)
}

fn described(entry: &Entry) -> Value {
    json!({ "name": entry.name, "hash": entry.hash.to_string(), "urls": entry.urls })
}

/// The list of what is there, in JSON: for people, since larder finds files by their hashes.
fn list(entries: &[Entry], before: &[Value]) -> Vec<u8> {
    let mut files: Vec<_> = entries.iter().map(described).collect();
    let is_new = |file: &&Value| files.iter().any(|new| new["hash"] == file["hash"]);
    let kept: Vec<_> = before.iter().filter(|file| !is_new(file)).cloned().collect();
    files.extend(kept);
    format!("{:#}\n", json!({ "schema": "larder/sources/1", "files": files })).into_bytes()
}

/// What a bundle has already that can only be made in part this time: an archive would be less than before, and is left as it is; a
/// directory keeps what is listed in it.
fn incomplete(output: &Path, is_archive: bool) -> Result<Vec<Value>, CliError> {
    if is_archive && output.exists() {
        let error =
            CliError::failed(format!("{} is left as it was: not all files of the new one can be had", shown(output)));
        return Err(error.hint("name another file to have those that can be had"));
    }
    // What is no list of larder's is replaced, as it is when all can be had.
    let list = std::fs::read(output.join(LIST)).unwrap_or_default();
    let mut list: Value = serde_json::from_slice(&list).unwrap_or_default();
    Ok(list.get_mut("files").and_then(Value::as_array_mut).map(std::mem::take).unwrap_or_default())
}

fn write_directory(directory: &Path, entries: &[Entry], before: &[Value]) -> Result<u64, CliError> {
    let mut bytes = 0;
    for entry in entries {
        let place = directory.join(place_in_bundle(&entry.hash));
        if let Some(parent) = place.parent() {
            std::fs::create_dir_all(parent).map_err(|error| failed("create", parent, &error))?;
        }
        // Nobody sees half of a file under the name of its hash.
        let temporary = place.with_extension(format!("{}~", std::process::id()));
        let written =
            copy(&entry.place, &temporary).and_then(|size| std::fs::rename(&temporary, &place).map(|()| size));
        bytes += written.map_err(|error| {
            // What is not complete is of no use.
            let _ = std::fs::remove_file(&temporary);
            failed("write", &place, &error)
        })?;
    }
    let place = directory.join(LIST);
    std::fs::create_dir_all(directory)
        .and_then(|()| std::fs::write(&place, list(entries, before)))
        .map_err(|error| failed("write", &place, &error))?;
    Ok(bytes)
}

/// Copies the content, and not that it is read-only.
fn copy(from: &Path, to: &Path) -> std::io::Result<u64> {
    std::io::copy(&mut File::open(from)?, &mut File::create(to)?)
}

/// The same bytes for the same files.
fn write_archive(file: &Path, entries: &[Entry]) -> Result<u64, CliError> {
    let at = |error: std::io::Error| failed("write", file, &error);
    // Nobody sees half of an archive, nor loses the one that was there.
    let mut temporary = file.as_os_str().to_owned();
    temporary.push(format!(".{}~", std::process::id()));
    let temporary = Path::new(&temporary);
    let written = fill_archive(temporary, entries, &at);
    let written = written.and_then(|bytes| std::fs::rename(temporary, file).map(|()| bytes).map_err(at));
    written.inspect_err(|_| {
        let _ = std::fs::remove_file(temporary);
    })
}

fn fill_archive(file: &Path, entries: &[Entry], at: &dyn Fn(std::io::Error) -> CliError) -> Result<u64, CliError> {
    let mut archive = tar::Builder::new(std::io::BufWriter::new(File::create(file).map_err(at)?));
    let mut bytes = 0;
    for entry in entries {
        let mut content = File::open(&entry.place).map_err(|error| failed("read", &entry.place, &error))?;
        let size = content.metadata().map_err(|error| failed("read", &entry.place, &error))?.len();
        archive.append_data(&mut header(size), place_in_bundle(&entry.hash), &mut content).map_err(at)?;
        bytes += size;
    }
    let list = list(entries, &[]);
    archive.append_data(&mut header(list.len() as u64), LIST, list.as_slice()).map_err(at)?;
    archive.into_inner().and_then(|mut writer| writer.flush()).map_err(at)?;
    Ok(bytes)
}

fn header(size: u64) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_size(size);
    header.set_mode(0o644);
    header.set_mtime(1);
    header
}

fn failed(what: &str, path: &Path, error: &std::io::Error) -> CliError {
    CliError::failed(format!("cannot {what} {}: {error}", shown(&path)))
}
