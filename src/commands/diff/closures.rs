//! `larder diff --closure`

use super::Args;
use crate::CommandResult;
use crate::commands::query::{closure_of, realised};
use crate::context::Context;
use crate::error::CliError;
use crate::installable::Target;
use crate::look::{Look, table};
use crate::output;
use crate::text;
use repro::closure::{
    ClosureDifference, Fate, FileChange, Member, Package, Sum, compare_closures, file_changes, growth,
};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::process::ExitCode;
use store::StorePath;
use store::local::{LocalStore, StoreError};

/// A file that changed, in a package.
struct Grown<'p> {
    package: &'p Package,
    change: FileChange,
}

pub(super) fn run(context: &Context, args: &Args) -> CommandResult {
    let sides = realised(context, &[&args.a, &args.b], &args.build, &args.eval)?;
    let (before, after) = (closure(context, &sides[0].0)?, closure(context, &sides[1].0)?);
    let found = compare_closures(&before, &after);
    let mut files = Vec::new();
    for package in &found.packages {
        let changes = package_files(context.store()?, package)?;
        files.extend(changes.into_iter().map(|change| Grown { package, change }));
    }
    files.sort_by_key(|file| std::cmp::Reverse(file.change.growth().unsigned_abs()));
    if args.report.json {
        output::json("closure-diff/1", as_json(&found, &files))?;
    } else {
        output::write(as_text(&found, &files[..files.len().min(args.files)], Look::of_stdout()).as_bytes())?;
    }
    Ok(if found.packages.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// What something built needs at run time, with the bytes of its files.
fn closure(context: &Context, target: &Target) -> Result<BTreeMap<StorePath, u64>, CliError> {
    let store = context.store()?;
    let mut closure = BTreeMap::new();
    for path in closure_of(context, target)? {
        let info = store.path_info(&path)?.ok_or_else(|| StoreError::NotValid(path.clone()))?;
        closure.insert(path, info.bytes);
    }
    Ok(closure)
}

/// The files of a package that grew or shrank. Where it has several paths on a side it is not known which became which.
fn package_files(store: &LocalStore, package: &Package) -> Result<Vec<FileChange>, CliError> {
    let listing = |member: &Member| store.listing(&member.path.tree().expect("members of closures are trees"));
    let (before, after) = match (package.before.as_slice(), package.after.as_slice()) {
        (before @ ([] | [_]), after @ ([] | [_])) => (before.first().map(listing), after.first().map(listing)),
        _ => return Ok(Vec::new()),
    };
    Ok(file_changes(before.transpose()?.as_ref(), after.transpose()?.as_ref()))
}

fn as_text(found: &ClosureDifference, files: &[Grown<'_>], look: Look) -> String {
    let row = |package: &Package| {
        let (before, after) = package.versions();
        let bytes = |members: &[Member]| text::bytes(members.iter().map(|member| member.bytes).sum());
        let version = |members: &[Member], versions: Vec<&str>| {
            if members.is_empty() { "-".to_owned() } else { versions.join(", ") }
        };
        vec![
            format!("{} {}", mark(package.fate, look), package.name),
            version(&package.before, before),
            version(&package.after, after),
            bytes(&package.before),
            bytes(&package.after),
            signed(package.growth()),
        ]
    };
    let mut rows: Vec<_> = found.packages.iter().map(row).collect();
    let paths = |sum: &Sum| format!("{} {}", sum.paths, if sum.paths == 1 { "path" } else { "paths" });
    rows.push(vec![
        "  closure".to_owned(),
        paths(&found.before),
        paths(&found.after),
        text::bytes(found.before.bytes),
        text::bytes(found.after.bytes),
        signed(growth(found.before.bytes, found.after.bytes)),
    ]);
    let mut told = table(look, &["  package", "before", "after", "size", "size", "grew by"], &rows);
    if !files.is_empty() {
        told.push_str("\nfiles that changed most:\n");
    }
    for Grown { package, change } in files {
        let size = |size: Option<u64>| size.map_or_else(|| "-".to_owned(), text::bytes);
        let sizes = format!("{} → {}", size(change.before), size(change.after));
        let place = if change.path.components().is_empty() { String::new() } else { format!(": {}", change.path) };
        let line = format!("{:>12}  {}{place}  ({sizes})", signed(change.growth()), package.name);
        told.push_str(&(look.cut(&line) + "\n"));
    }
    told
}

fn mark(fate: Fate, look: Look) -> String {
    match fate {
        Fate::Came => look.styled("+", "32"),
        Fate::Went => look.styled("-", "31"),
        Fate::Version => look.styled("^", "33"),
        Fate::Content => look.styled("~", "33"),
    }
}

fn signed(bytes: i64) -> String {
    match bytes {
        0 => "0 B".to_owned(),
        grown if grown > 0 => format!("+{}", text::bytes(grown.unsigned_abs())),
        shrunk => format!("-{}", text::bytes(shrunk.unsigned_abs())),
    }
}

fn as_json(found: &ClosureDifference, files: &[Grown<'_>]) -> Value {
    let members = |members: &[Member]| -> Vec<Value> {
        let one = |member: &Member| json!({ "path": member.path.to_string(), "bytes": member.bytes });
        members.iter().map(one).collect()
    };
    let package = |package: &Package| {
        let (before, after) = package.versions();
        json!({
            "name": package.name,
            "fate": package.fate.name(),
            "before": members(&package.before),
            "after": members(&package.after),
            "versions_before": before,
            "versions_after": after,
            "growth": package.growth(),
        })
    };
    let file = |Grown { package, change }: &Grown<'_>| {
        let mut json = json!({
            "package": package.name,
            "before": change.before,
            "after": change.after,
            "growth": change.growth(),
        });
        text::put_name(&mut json, "path", &text::path_bytes(&change.path));
        json
    };
    let sum = |sum: &Sum| json!({ "paths": sum.paths, "bytes": sum.bytes });
    json!({
        "before": sum(&found.before),
        "after": sum(&found.after),
        "unchanged": sum(&found.unchanged),
        "growth": growth(found.before.bytes, found.after.bytes),
        "packages": found.packages.iter().map(package).collect::<Vec<_>>(),
        "files": files.iter().map(file).collect::<Vec<_>>(),
    })
}
