//! Entering a failed build where its script ended.
//!
//! The scripts of the recipes write what their shell had when they fail to a file in `/build`, in a form that another bash reads. Whoever
//! builds by something else is entered at the beginning.

use super::begin_with;
use crate::error::CliError;
use builder::sandbox::SandboxSpec;
use std::path::Path;

/// What such a script writes, in the directory of the build.
const STATE: &str = ".larder-failed";

/// What bash begins with.
const BEGIN: &str = include_str!("failed.bash");

/// Where the sandbox has it.
const BEGIN_AT: &str = "/larder/shell";

/// Has bash begin with the variables and functions of the script of a failed build, and in its directory, if that has written them: a shell
/// that is entered if the specification names one, and any that the command starts first. `place` is where the build is kept.
pub(super) fn resume(spec: &mut SandboxSpec, place: &Path) -> Result<(), CliError> {
    // A build may have put anything there, and only inside the sandbox is that harmless.
    if !spec.build_dir.as_path().join(STATE).symlink_metadata().is_ok_and(|found| found.is_file()) {
        return Ok(());
    }
    begin_with(spec, &place.join("shell"), BEGIN, BEGIN_AT)?;
    if spec.args.is_empty() && Path::new(&spec.command).file_name().is_some_and(|name| name == "bash") {
        spec.args = ["--rcfile", BEGIN_AT, "-i"].map(str::to_owned).to_vec();
    }
    Ok(())
}
