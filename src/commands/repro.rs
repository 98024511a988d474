//! `larder repro`

use crate::CommandResult;
use crate::commands::diff::{ReportArgs, as_json, print, tree, write_html};
use crate::commands::show::derivation_of;
use crate::context::{Context, processors};
use crate::error::{CliError, with_causes};
use crate::installable::{EvalArgs, Target, outputs_of, resolve};
use crate::look::human;
use crate::output;
use crate::progress::{self, Progress, WatchArgs};
use crate::realising::{BuildArgs, realise};
use crate::{sandbox, text};
use builder::environment::Variation;
use builder::event::PlannedJob;
use builder::resolve::Resolved;
use builder::schedule::Failure;
use builder::{BuildError, Builder, Event, How, RunOptions, RunResult};
use repro::axes::{Axis, tokens, variation};
use repro::{HostTree, Options, Report, compare};
use std::ffi::OsString;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};
use store::local::Sealed;
use store::{OutputName, StorePath};

/// Build again in other circumstances and compare.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// An installable
    installable: OsString,
    /// Which circumstances are varied: names separated by commas, or `all`
    #[arg(long, value_name = "LIST", default_value = "all")]
    axes: String,
    /// How many times it is built again
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
    runs: u16,
    /// If it differs, build once more for each circumstance alone, to find out which it depends on
    #[arg(long)]
    bisect: bool,
    #[command(flatten)]
    report: ReportArgs,
    #[command(flatten)]
    build: BuildArgs,
    #[command(flatten)]
    eval: EvalArgs,
}

pub(crate) fn run(context: &Context, args: &Args) -> CommandResult {
    let axes = parse_axes(&args.axes)?;
    args.report.must_be_writable()?;
    let targets = resolve(context, std::slice::from_ref(&args.installable), &args.build.evaluation(&args.eval))?;
    let derivation = derivation_of(context, &targets[0])?;
    let builder = args.build.builder(context)?;
    let target = Target::Derivation { path: derivation.clone(), output: None };
    let result = realise(context, &builder, &args.build.watch, std::slice::from_ref(&target), RunOptions::default())?;
    let first = outputs_of(&target, &result.outputs);
    // The timeline is that of the first build.
    let watch = args.build.watch.clone().without_timeline();
    let resolved = sandbox::realise_inputs(context, &builder, &watch, &derivation)?;
    let again = Again { context, builder: &builder, watch: &watch, resolved: &resolved, first: &first };
    let mut reports = Vec::new();
    for number in 1..=args.runs {
        let name = if args.runs == 1 { "varied".to_owned() } else { format!("varied {number}") };
        reports.extend(again.compare(&axes, &name)?);
    }
    let differed = reports.iter().any(|report| !report.identical());
    let depends = if differed && args.bisect { Some(again.bisect(&axes)?) } else { None };
    tell(&reports, depends.as_ref(), args)?;
    let named: Vec<_> = axes.iter().map(|axis| axis.name()).collect();
    let verdict = if differed { "differs" } else { "came out identical" };
    output::error(&format!("{} {verdict}; varied: {}\n", human(&derivation), named.join(", ")));
    Ok(if differed { ExitCode::from(1) } else { ExitCode::SUCCESS })
}

/// What a build's result depends on.
enum Depends {
    /// Something that changes from run to run in the same circumstances.
    Chance,
    /// Each of these circumstances alone makes a difference; if there are none, only several at once do.
    On(Vec<&'static str>),
}

fn tell(reports: &[Report], depends: Option<&Depends>, args: &Args) -> Result<(), CliError> {
    for (index, report) in reports.iter().enumerate() {
        write_html(report, &args.report, index + 1)?;
    }
    if args.report.json {
        let depends = depends.map(|depends| match depends {
            Depends::Chance => serde_json::json!({ "chance": true, "axes": [] }),
            Depends::On(axes) => serde_json::json!({ "chance": false, "axes": axes }),
        });
        let identical = reports.iter().all(Report::identical);
        let reports = reports.iter().map(as_json).collect::<Result<Vec<_>, _>>()?;
        return output::json(
            "repro/1",
            serde_json::json!({ "identical": identical, "reports": reports, "depends": depends }),
        );
    }
    reports.iter().try_for_each(print)?;
    match depends {
        None => Ok(()),
        Some(Depends::Chance) => output::line(
            "it differs from itself in the same circumstances: random numbers, addresses, the clock or a race",
        ),
        Some(Depends::On(axes)) if axes.is_empty() => {
            output::line("no circumstance alone makes a difference: it takes several at once")
        }
        Some(Depends::On(axes)) => output::line(format!("it depends on: {}", axes.join(", "))),
    }
}

fn parse_axes(list: &str) -> Result<Vec<Axis>, CliError> {
    let names: Vec<_> = list.split(',').map(str::trim).filter(|name| !name.is_empty()).collect();
    let parse = |name: &&str| name.parse::<Axis>().map_err(|error| CliError::usage(error.to_string()));
    let listed = names.iter().filter(|name| **name != "all").map(parse).collect::<Result<Vec<_>, _>>()?;
    Ok(if names.contains(&"all") { Axis::ALL.to_vec() } else { listed })
}

/// Building the same action again.
struct Again<'a> {
    context: &'a Context,
    builder: &'a Builder<'a>,
    watch: &'a WatchArgs,
    resolved: &'a Resolved,
    first: &'a [(Option<OutputName>, StorePath)],
}

impl Again<'_> {
    /// Builds with these axes varied and compares every output. What differs is kept in the store.
    fn compare(&self, axes: &[Axis], name: &str) -> Result<Vec<Report>, CliError> {
        let store = self.context.store()?;
        let varied = variation(axes, processors());
        let started = now();
        let made = self.make(&varied, name)?;
        let tokens = tokens((&Variation::default(), self.first_started()?), (&varied, started), processors());
        let mut reports = Vec::new();
        for (output, sealed) in made {
            let known = self.first.iter().find(|(name, _)| name.as_ref() == Some(&output));
            let path = &known.ok_or_else(|| CliError::internal("an output that the first build has not"))?.1;
            let label = path.name().to_string();
            let left = tree(store, path)?;
            let right = HostTree::from_listing(sealed.path(), sealed.listing().clone());
            let mut options = Options { names: (path.to_string(), format!("{label} ({name})")), ..Options::default() };
            options.tokens = tokens.clone();
            let report = compare(&left, &right, &options).map_err(|error| CliError::failed(with_causes(&error)))?;
            if !report.identical() {
                let other = store.publish(sealed, path.name().clone())?;
                output::error(&format!("the other result is kept as {other}\n"));
            }
            reports.push(report);
        }
        Ok(reports)
    }

    /// When the first build began, which may be long ago.
    fn first_started(&self) -> Result<i64, CliError> {
        let cost = self.context.store()?.build_cost(&self.resolved.digest)?;
        let started = cost.map(|cost| cost.finished.saturating_sub(cost.duration_ms / 1000));
        Ok(started.and_then(|time| i64::try_from(time).ok()).unwrap_or_else(now))
    }

    fn make(&self, varied: &Variation, name: &str) -> Result<Vec<(OutputName, Sealed)>, CliError> {
        let derivation = self.resolved.derivation.clone();
        let progress = Progress::start(self.context.quiet, 1, self.watch)?;
        let kind = builder::plan::kind(self.resolved.action.resolved());
        let job = PlannedJob { derivation: derivation.clone(), kind, expected: None, needs: Vec::new() };
        progress.take(&Event::Planned { jobs: vec![job] });
        progress.take(&Event::Started { derivation, kind, expected: None });
        let started = Instant::now();
        let made = self.builder.make(self.resolved, varied, &|event| progress.take(&event)).map_err(Arc::new);
        let (derivation, duration) = (self.resolved.derivation.clone(), started.elapsed());
        progress.take(&match &made {
            Ok(_) => Event::Realised { derivation: derivation.clone(), how: How::Built, duration },
            Err(error) => Event::Failed { derivation: derivation.clone(), error: Arc::clone(error) },
        });
        drop(progress);
        if self.watch.is_json() {
            let failures = made.as_ref().err().map(|error| Failure { derivation, error: Arc::clone(error) });
            let failures: Vec<_> = failures.into_iter().collect();
            let result = RunResult { built: 1 - failures.len(), failures, ..RunResult::default() };
            output::error(&format!("{}\n", progress::json::end(&result, self.builder.is_cancelled())));
        }
        // Why was told when it failed.
        let made = made.map_err(|error| match *error {
            BuildError::Cancelled => CliError::from(BuildError::Cancelled),
            _ => CliError::failed(format!("the build with circumstances {name} failed")),
        })?;
        if !self.context.quiet {
            output::error(&format!("built again ({name}) in {}\n", text::duration(started.elapsed())));
        }
        Ok(made.outputs)
    }

    /// Which axes, alone, make a difference.
    fn bisect(&self, axes: &[Axis]) -> Result<Depends, CliError> {
        if self.differs(&[])? {
            return Ok(Depends::Chance);
        }
        let mut found = Vec::new();
        for axis in axes {
            if self.differs(std::slice::from_ref(axis))? {
                found.push(axis.name());
            }
        }
        Ok(Depends::On(found))
    }

    fn differs(&self, axes: &[Axis]) -> Result<bool, CliError> {
        let name = axes.first().map_or("the same", |axis| axis.name());
        let made = self.make(&variation(axes, processors()), name)?;
        let same = |(output, sealed): &(OutputName, Sealed)| {
            self.first.iter().any(|(name, path)| name.as_ref() == Some(output) && path.tree() == Some(sealed.digest()))
        };
        Ok(!made.iter().all(same))
    }
}

fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| i64::try_from(time.as_secs()).unwrap_or(i64::MAX))
}
