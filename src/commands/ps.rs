//! `larder ps`

use crate::CommandResult;
use crate::context::Context;
use crate::look::human;
use crate::output;
use crate::progress::cut;
use crate::text;
use builder::running::{Process, RunningBuild, running};
use serde_json::json;
use std::io::IsTerminal;
use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// List the builds that run, of every larder that uses this store.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(context: &Context, args: &Args) -> CommandResult {
    let builds = if context.has_store()? {
        running(&context.store()?.layout().tmp())?
    } else {
        // No failure: who has just started the first build asks perhaps before it has made the store.
        output::error(&format!("note: {}\n", context.lacks_store()?));
        Vec::new()
    };
    let all = Process::all();
    let builds: Vec<_> = builds.into_iter().map(|build| (build.processes(&all), build)).collect();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    if args.json {
        let builds: Vec<_> = builds.iter().map(|(processes, build)| as_json(build, processes, now)).collect();
        output::json("ps/1", json!({ "builds": builds }))?;
    } else {
        let width = if std::io::stdout().is_terminal() { columns() } else { usize::MAX };
        for line in builds.iter().flat_map(|(processes, build)| lines(build, processes, now)) {
            output::line(cut(&line, width))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn columns() -> usize {
    rustix::termios::tcgetwinsize(std::io::stdout()).map_or(80, |size| usize::from(size.ws_col).max(20))
}

fn as_json(build: &RunningBuild, processes: &[Process], now: Duration) -> serde_json::Value {
    let process = |process: &Process| {
        json!({
            "pid": process.id,
            "parent": process.parent,
            "command": process.command,
            "cpu_ms": process.time.as_millis(),
            "memory": process.memory,
        })
    };
    json!({
        "derivation": build.derivation.to_string(),
        "action": build.action.to_string(),
        "name": human(&build.derivation),
        "larder": build.larder,
        "elapsed_ms": now.saturating_sub(build.began).as_millis(),
        "directory": build.place.to_string_lossy(),
        "processes": processes.iter().map(process).collect::<Vec<_>>(),
    })
}

/// `NAME  1 min 3 s, cpu 50 s, 1.2 GiB, of larder 1234`, and below it the processes, children below their parents.
fn lines(build: &RunningBuild, processes: &[Process], now: Duration) -> Vec<String> {
    let time: Duration = processes.iter().map(|process| process.time).sum();
    let memory: u64 = processes.iter().map(|process| process.memory).sum();
    let mut lines = vec![format!(
        "{}  {}, processor {}, memory {}, of larder {}",
        human(&build.derivation),
        text::duration(now.saturating_sub(build.began)),
        text::duration(time),
        text::bytes(memory),
        build.larder,
    )];
    let known = |id: u32| processes.iter().any(|process| process.id == id);
    let mut pending: Vec<_> =
        processes.iter().rev().filter(|process| !known(process.parent)).map(|process| (1, process)).collect();
    while let Some((depth, process)) = pending.pop() {
        // What a build calls its processes is its own affair; what a terminal does with it is not.
        let command: String =
            process.command.chars().map(|character| if character.is_control() { ' ' } else { character }).collect();
        lines.push(format!("{}{} {command}", "  ".repeat(depth), process.id));
        let below = processes.iter().rev().filter(|child| child.parent == process.id);
        pending.extend(below.map(|child| (depth + 1, child)));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn children_stand_below_their_parents() {
        let process = |id, parent, command: &str| Process {
            id,
            parent,
            command: command.to_owned(),
            time: Duration::from_secs(1),
            memory: 1 << 20,
        };
        let name = store::StoreName::parse("x.drv").expect("valid");
        let build = RunningBuild {
            derivation: store::StorePath::from_derivation(store::DerivationDigest::from_bytes([1; 32]), &name)
                .expect("valid"),
            action: store::ActionDigest::from_bytes([1; 32]),
            larder: 10,
            began: Duration::from_secs(100),
            place: "/tmp".into(),
            desk: "/tmp".into(),
        };
        let processes = [
            process(12, 11, "make"),
            process(13, 12, "cc\u{1b}[2J a"),
            process(14, 11, "sleep"),
            process(15, 13, "as"),
        ];
        assert_eq!(
            lines(&build, &processes, Duration::from_secs(130)),
            [
                "x.drv  30 s, processor 4.0 s, memory 4.0 MiB, of larder 10",
                "  12 make",
                "    13 cc [2J a",
                "      15 as",
                "  14 sleep",
            ]
        );
    }
}
