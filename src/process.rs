//! Running processes as people know them.

use crate::text;
use nix::unistd::{SysconfVar, sysconf};
use std::time::Duration;

/// What is known of a running process.
#[derive(Debug, Clone)]
pub(crate) struct Running {
    /// Its command line, words separated by blanks.
    pub(crate) command: String,
    /// For how long it runs.
    pub(crate) age: Duration,
}

/// Looks at a process; `None` if it has ended, or is hidden.
pub(crate) fn running(process: u32) -> Option<Running> {
    let read = |name: &str| std::fs::read(format!("/proc/{process}/{name}")).ok();
    let command: Vec<_> = read("cmdline")?
        .split(|&byte| byte == 0)
        .filter(|word| !word.is_empty())
        .map(|word| String::from_utf8_lossy(word).escape_debug().to_string())
        .collect();
    let ticks = start(&String::from_utf8_lossy(&read("stat")?))?;
    let second = u64::try_from(sysconf(SysconfVar::CLK_TCK).ok()??).ok()?;
    let uptime = std::fs::read_to_string("/proc/uptime").ok()?;
    let uptime: f64 = uptime.split_whitespace().next()?.parse().ok()?;
    let age = Duration::try_from_secs_f64(uptime).ok()?.saturating_sub(Duration::from_secs(ticks.checked_div(second)?));
    Some(Running { command: command.join(" "), age })
}

/// When a process began, in ticks of the clock since the start of the machine, as its `stat` says.
fn start(stat: &str) -> Option<u64> {
    // The name before may contain anything.
    stat.rsplit_once(')')?.1.split_whitespace().nth(19)?.parse().ok()
}

/// `process 12 (larder build, for 3 min 20 s)`
pub(crate) fn human(process: u32) -> String {
    match running(process) {
        Some(Running { command, age }) => format!("process {process} ({command}, for {})", text::duration(age)),
        None => format!("process {process}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_known_by_its_command_line_and_age() {
        let this = running(std::process::id()).expect("it runs");
        let program = std::env::args().next().expect("a name");
        assert!(this.command.starts_with(&program) && this.age < Duration::from_secs(3600), "{this:?}");
        let tail = "1 1 1 0 -1 4 0 0 0 0 0 0 0 0 20 0 1 0 987 0 0";
        assert_eq!(start(&format!("7 (a ) b) S {tail}")), Some(987));
        assert!(running(u32::MAX).is_none());
    }
}
