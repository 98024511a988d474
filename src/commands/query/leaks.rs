//! Paths of the build that are left in what it made.

use super::Asked;
use crate::CommandResult;
use crate::context::Context;
use crate::output;
use builder::leak::{self, Leak};
use serde_json::{Value, json};
use std::process::ExitCode;
use store::StorePath;

pub(super) fn run(context: &Context, asked: &Asked) -> CommandResult {
    let store = context.store()?;
    let mut found = Vec::new();
    for path in asked.trees(context)? {
        let listing = store.listing(&path.tree().expect("a tree's path"))?;
        let leaks = leak::find(&listing, &store.host_path(&path), &|| false).map_err(store::local::StoreError::from)?;
        found.extend(leaks.into_iter().map(|leak| (path.clone(), leak)));
    }
    if asked.json {
        let leaks: Vec<_> = found.iter().map(as_json).collect();
        output::json("query-leaks/1", json!({ "leaks": leaks }))?;
    } else {
        output::lines(found.iter().map(|(path, leak)| format!("{path}{leak}")))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn as_json((path, leak): &(StorePath, Leak)) -> Value {
    json!({ "path": path, "file": leak.file.to_string(), "members": leak.members, "leak": leak.path })
}
