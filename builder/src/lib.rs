//! Realising derivations: plan, schedule, sandbox, outputs, and the builders that run inside larder.
//!
//! A [plan](plan) says what must be done; the [schedule] runs it; the [builder](builder::Builder) does one piece: it
//! [resolves](resolve) a derivation to an action, runs that in a [sandbox], verifies the [run-time closure](runtime) of what came out and
//! publishes it. Nothing here knows the language that derivations are written in.

mod action_lock;
mod activity;
mod aftermath;
mod archive;
mod began;
pub mod builder;
mod builtin;
mod command;
pub mod compose;
pub mod control_group;
mod desk;
mod disk_use;
mod ending;
pub mod environment;
pub mod error;
pub mod event;
pub mod fetch;
mod graph;
mod groups;
mod grow;
pub mod input_use;
mod job_server;
pub mod known_failure;
mod lack;
pub mod leak;
mod limits;
pub mod log;
mod memory;
mod outlook;
mod passed;
mod permitted;
pub mod plan;
pub mod providers;
mod publisher;
mod reason;
mod refused;
pub mod resolve;
pub mod running;
pub mod runtime;
#[deny(unsafe_code)]
pub mod sandbox;
pub mod schedule;
mod site;
#[deny(unsafe_code)]
pub mod spawner;
mod tokens;
pub mod trace;
pub mod unpack;
pub mod usage;
pub mod world;

pub use builder::{Builder, Settings};
pub use ending::Ending;
pub use error::BuildError;
pub use event::{Event, How, Kind, Sink};
pub use lack::Lack;
pub use limits::{Allowance, Overrun, RunLimits};
pub use outlook::Outlook;
pub use reason::Reason;
pub use schedule::{RunOptions, RunResult};
