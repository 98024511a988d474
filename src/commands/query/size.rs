//! What paths take.

use super::{AboutDerivations, Asked};
use crate::CommandResult;
use crate::context::Context;
use crate::error::CliError;
use crate::look::{Look, human, table};
use crate::output;
use serde_json::json;
use std::process::ExitCode;
use store::local::{LocalStore, StoreError, Usage};
use store::{Graph, StorePath};

/// What is asked about sizes.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    asked: Asked,
    /// Show every path of the closure
    #[arg(short = 'R', long)]
    recursive: bool,
    /// What comes first: the largest of this column [default: `held` with --recursive, else the order given]
    #[arg(long, value_name = "COLUMN")]
    sort: Option<Column>,
    /// Show bytes in digits
    #[arg(long)]
    bytes: bool,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Column {
    /// By name
    Name,
    /// Bytes of its files
    Own,
    /// What it takes on the disk
    Disk,
    /// Bytes of all files in its closure
    Closure,
    /// What no other path in the store has on the disk
    Unique,
    /// What other paths have on the disk, too
    Shared,
    /// Bytes that only it holds among all that is asked about
    Held,
}

/// What one path takes.
struct Row {
    path: StorePath,
    files: u64,
    bytes: u64,
    disk: u64,
    unique: u64,
    /// Bytes of what would not be needed without it.
    held: u64,
    closure: Sum,
}

/// What the files of several paths are together.
#[derive(Default)]
struct Sum {
    paths: usize,
    files: u64,
    bytes: u64,
}

/// The closure of all that is asked about, and what each of its paths takes by itself.
struct Measured {
    graph: Graph,
    files: Vec<u64>,
    bytes: Vec<u64>,
    usage: Vec<Usage>,
}

pub(super) fn run(context: &Context, args: &Args) -> CommandResult {
    let (graph, asked) = AboutDerivations { derivations: false }.closure(context, &args.asked)?;
    if graph.paths().iter().any(|path| path.derivation().is_some()) {
        let error = CliError::usage("a derivation takes no room but its record");
        return Err(error.hint("`X.drv!out` names what its output became"));
    }
    let measured = Measured::of(context.store()?, graph)?;
    let held = measured.graph.held(&asked, |number| measured.bytes[number]);
    let shown: Vec<_> = if args.recursive { (0..measured.graph.len()).collect() } else { asked.clone() };
    let mut rows: Vec<_> = shown.into_iter().map(|number| measured.row(number, held[number])).collect();
    sort(&mut rows, args.sort.or(args.recursive.then_some(Column::Held)));
    let (total, usage) = (measured.sum(&asked), measured.usage());
    if args.asked.json {
        let rows: Vec<_> = rows.iter().map(Row::json).collect();
        output::json("size/2", json!({ "paths": rows, "total": total_json(&total, &usage) }))?;
    } else {
        output::write(as_table(&rows, &total, &usage, args.bytes).as_bytes())?;
    }
    Ok(ExitCode::SUCCESS)
}

impl Measured {
    fn of(store: &LocalStore, graph: Graph) -> Result<Self, CliError> {
        let (mut files, mut bytes, mut usage) = (Vec::new(), Vec::new(), Vec::new());
        for path in graph.paths() {
            let info = store.path_info(path)?.ok_or_else(|| StoreError::NotValid(path.clone()))?;
            files.push(info.files);
            bytes.push(info.bytes);
            usage.push(store.usage(path)?);
        }
        Ok(Self { graph, files, bytes, usage })
    }

    fn row(&self, number: usize, held: u64) -> Row {
        let usage = &self.usage[number];
        Row {
            path: self.graph.path(number).clone(),
            files: self.files[number],
            bytes: self.bytes[number],
            disk: usage.disk(),
            unique: usage.unique(),
            held,
            closure: self.sum(&[number]),
        }
    }

    /// The files of the closure of some paths.
    fn sum(&self, of: &[usize]) -> Sum {
        let mut sum = Sum::default();
        let reached = self.graph.reached_from(of);
        for number in (0..self.graph.len()).filter(|number| reached[*number]) {
            sum.paths += 1;
            sum.files += self.files[number];
            sum.bytes += self.bytes[number];
        }
        sum
    }

    /// What all takes on the disk.
    fn usage(&self) -> Usage {
        let mut all = Usage::default();
        self.usage.iter().for_each(|usage| all.add(usage));
        all
    }
}

impl Row {
    fn json(&self) -> serde_json::Value {
        json!({
            "path": self.path.to_string(),
            "name": self.path.name().as_str(),
            "files": self.files,
            "bytes": self.bytes,
            "disk": self.disk,
            "unique": self.unique,
            "shared": self.disk - self.unique,
            "held": self.held,
            "closure": self.closure.json(),
        })
    }
}

impl Sum {
    fn json(&self) -> serde_json::Value {
        json!({ "paths": self.paths, "files": self.files, "bytes": self.bytes })
    }
}

fn total_json(total: &Sum, usage: &Usage) -> serde_json::Value {
    let (disk, unique) = (usage.disk(), usage.unique());
    let mut json = total.json();
    for (key, value) in [("disk", disk), ("unique", unique), ("shared", disk - unique)] {
        json[key] = value.into();
    }
    json
}

fn sort(rows: &mut [Row], by: Option<Column>) {
    let Some(by) = by else { return };
    rows.sort_by(|a, b| human(&a.path).cmp(human(&b.path)).then_with(|| a.path.cmp(&b.path)));
    let key = |row: &Row| match by {
        Column::Name => 0,
        Column::Own => row.bytes,
        Column::Disk => row.disk,
        Column::Closure => row.closure.bytes,
        Column::Unique => row.unique,
        Column::Shared => row.disk - row.unique,
        Column::Held => row.held,
    };
    rows.sort_by_key(|row| std::cmp::Reverse(key(row)));
}

fn as_table(rows: &[Row], total: &Sum, usage: &Usage, exact: bool) -> String {
    let look = Look::of_stdout();
    let cells = |name: String, sizes: [u64; 6]| {
        [name].into_iter().chain(sizes.map(|size| Look::bytes(size, exact))).collect::<Vec<_>>()
    };
    let row = |row: &Row| {
        let sizes = [row.bytes, row.disk, row.unique, row.disk - row.unique, row.held, row.closure.bytes];
        cells(look.path(&row.path), sizes)
    };
    let mut lines: Vec<_> = rows.iter().map(row).collect();
    let name = format!("closure: {} {}", total.paths, if total.paths == 1 { "path" } else { "paths" });
    let (disk, unique) = (usage.disk(), usage.unique());
    lines.push(cells(name, [total.bytes, disk, unique, disk - unique, total.bytes, total.bytes]));
    table(look, &["path", "own", "disk", "unique", "shared", "held", "closure"], &lines)
}
