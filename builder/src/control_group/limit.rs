//! What is written to the files of a sandbox's control group. Pure.

use crate::sandbox::Limits;

/// A file of a group, and what is written to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Setting {
    /// The file.
    pub(super) file: &'static str,
    /// The text.
    pub(super) text: String,
    /// Whether every kernel with that controller has the file.
    pub(super) needed: bool,
}

/// What limits a sandbox in a group with these controllers.
pub(super) fn settings(limits: &Limits, controllers: &[&str]) -> Vec<Setting> {
    let setting = |file, text: String, needed| Setting { file, text, needed };
    let mut settings = Vec::new();
    for controller in controllers {
        match (*controller, limits.memory) {
            ("cpu", _) => settings.push(setting("cpu.weight", limits.cpu_weight.to_string(), true)),
            ("memory", Some(bytes)) => {
                settings.push(setting("memory.max", bytes.to_string(), true));
                // What is written to a disk instead is no less; only some kernels count it.
                settings.push(setting("memory.swap.max", "0".to_owned(), false));
            }
            // The sandbox's own first process is one more.
            ("pids", _) => settings.push(setting("pids.max", limits.processes.saturating_add(1).to_string(), true)),
            _ => {}
        }
    }
    settings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(limits: &Limits, controllers: &[&str]) -> Vec<String> {
        settings(limits, controllers).into_iter().map(|set| format!("{}={}", set.file, set.text)).collect()
    }

    #[test]
    fn each_controller_has_its_files() {
        let limits = Limits { memory: Some(1 << 30), processes: 400, cpu_weight: 50, ..Limits::default() };
        let all = ["cpu.weight=50", "memory.max=1073741824", "memory.swap.max=0", "pids.max=401"];
        assert_eq!(told(&limits, &["cpu", "memory", "pids"]), all);
        assert_eq!(told(&limits, &["pids"]), all[3..]);
        assert_eq!(told(&limits, &["hugetlb"]), [""; 0]);
    }

    #[test]
    fn memory_is_limited_only_if_that_is_wanted() {
        assert_eq!(told(&Limits::default(), &["cpu", "memory", "pids"]), ["cpu.weight=100", "pids.max=8193"]);
    }
}
