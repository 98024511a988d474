//! `larder why`

use crate::CommandResult;
use crate::commands::query::realised;
use crate::commands::show::derivation_of;
use crate::context::Context;
use crate::error::CliError;
use crate::installable::{EvalArgs, Target, resolve};
use crate::look::{Look, human};
use crate::output;
use crate::realising::BuildArgs;
use crate::text;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::ffi::OsString;
use std::process::ExitCode;
use store::local::{LocalStore, Mention};
use store::{Derivation, Graph, Input, Need, StorePath};

/// Files that are named where something is mentioned in more of them.
const SHOWN: usize = 3;

/// Show why one store path needs another: the shortest chain of mentions and declared run-time dependencies, with the files that mention.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// What needs
    from: OsString,
    /// What is needed
    to: OsString,
    /// Show every way from the one to the other
    #[arg(long)]
    all: bool,
    /// Ask why building the one needs the other, a derivation or a source; nothing is built
    #[arg(long)]
    build: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    building: BuildArgs,
    #[command(flatten)]
    eval: EvalArgs,
}

pub(crate) fn run(context: &Context, args: &Args) -> CommandResult {
    let store = context.store()?;
    let (mut graph, from, to) = if args.build { inputs(context, args)? } else { closure(context, args)? };
    graph.sort();
    let number = |path: &StorePath| graph.number(path);
    let ends = number(&from).zip(number(&to));
    let Some((chain, (from, to))) = ends.and_then(|(from, to)| Some((graph.shortest(from, to)?, (from, to)))) else {
        let error = CliError::failed(format!("{from} does not need {to}"));
        return Err(if args.build { error } else { error.hint("`--build` asks what it needs to be built") });
    };
    let steps = Steps { store, graph: &graph };
    let edges =
        if args.all { all_edges(&graph, from, to) } else { chain.windows(2).map(|pair| (pair[0], pair[1])).collect() };
    let reasons = steps.all_reasons(&edges)?;
    if args.json {
        output::json("why/2", as_json(&graph, &chain, &edges, &reasons))?;
    } else {
        output::write(shown(&graph, from, &edges, &reasons, Look::of_stdout()).as_bytes())?;
    }
    Ok(ExitCode::SUCCESS)
}

fn closure(context: &Context, args: &Args) -> Result<(Graph, StorePath, StorePath), CliError> {
    let built = realised(context, &[&args.from, &args.to], &args.building, &args.eval)?;
    let [from, to] = [0, 1].map(|side: usize| built[side].1[0].clone());
    Ok((context.store()?.closure_graph(std::slice::from_ref(&from))?, from, to))
}

fn inputs(context: &Context, args: &Args) -> Result<(Graph, StorePath, StorePath), CliError> {
    let targets = resolve(context, &[args.from.clone(), args.to.clone()], &args.building.evaluation(&args.eval))?;
    let from = derivation_of(context, &targets[0])?;
    let graph = context.store()?.derivation_graph(std::slice::from_ref(&from))?;
    let to = match &targets[1] {
        // A source is named itself; of what was built, the derivation.
        target @ Target::Tree(path) if graph.number(path).is_none() => {
            derivation_of(context, target).unwrap_or_else(|_| path.clone())
        }
        Target::Tree(path) => path.clone(),
        target => derivation_of(context, target)?,
    };
    Ok((graph, from, to))
}

/// The edges of all ways, each once, nearest first.
fn all_edges(graph: &Graph, from: usize, to: usize) -> Vec<(usize, usize)> {
    let between = graph.between(from, to);
    let mut seen = vec![false; graph.len()];
    let mut edges = Vec::new();
    let mut pending = std::collections::VecDeque::from([from]);
    seen[from] = true;
    while let Some(number) = pending.pop_front() {
        for next in graph.needed(number).into_iter().filter(|next| between[*next] && number != to) {
            edges.push((number, next));
            if !std::mem::replace(&mut seen[next], true) {
                pending.push_back(next);
            }
        }
    }
    edges
}

/// Why one path needs the next.
#[derive(Debug, PartialEq, Eq)]
enum Reason {
    /// Files and links mention it.
    Mentioned(Vec<Mention>),
    /// It was declared.
    Declared,
    /// A derivation has it in its root.
    Root,
    /// A derivation declares it for run time.
    Runtime,
    /// A variable, argument or the builder of a derivation mentions it.
    Text(String),
}

struct Steps<'s> {
    store: &'s LocalStore,
    graph: &'s Graph,
}

impl Steps<'_> {
    /// Why each of these edges is there. Those from one path stand together, so what needs many others is read once.
    fn all_reasons(&self, edges: &[(usize, usize)]) -> Result<Vec<Vec<Reason>>, CliError> {
        let mut reasons = Vec::with_capacity(edges.len());
        for group in edges.chunk_by(|a, b| a.0 == b.0) {
            let from = group[0].0;
            let path = self.graph.path(from);
            if let Some(digest) = path.derivation() {
                let derivation = self.store.derivation(&digest)?;
                reasons.extend(group.iter().map(|(_, to)| input_reasons(&derivation, self.graph.path(*to))));
                continue;
            }
            reasons.extend(self.tree_reasons(from, group)?);
        }
        Ok(reasons)
    }

    /// The same for edges from one tree: its files are read once for all of them.
    fn tree_reasons(&self, from: usize, edges: &[(usize, usize)]) -> Result<Vec<Vec<Reason>>, CliError> {
        let mut needs = HashMap::<_, Vec<_>>::new();
        self.graph.needs(from).iter().for_each(|(to, need)| needs.entry(*to).or_default().push(*need));
        let needs_of = |to: &usize| needs.get(to).into_iter().flatten();
        let is_mentioned = |to: &usize| needs_of(to).any(|need| *need == Need::Mention);
        let mentioned: Vec<_> = edges.iter().map(|(_, to)| *to).filter(is_mentioned).collect();
        let targets: Vec<_> = mentioned.iter().map(|to| self.graph.path(*to).clone()).collect();
        let places =
            if targets.is_empty() { Vec::new() } else { self.store.places_of(self.graph.path(from), &targets)? };
        let mut places: HashMap<_, _> = mentioned.into_iter().zip(places).collect();
        let mut reason = |to: &usize, need: &Need| match need {
            Need::Mention => Reason::Mentioned(places.remove(to).unwrap_or_default()),
            Need::Runtime | Need::Input => Reason::Declared,
        };
        Ok(edges.iter().map(|(_, to)| needs_of(to).map(|need| reason(to, need)).collect()).collect())
    }
}

/// For what a derivation has an input.
fn input_reasons(derivation: &Derivation, target: &StorePath) -> Vec<Reason> {
    let is_target = |input: &&Input| input.path() == target;
    let mut reasons = Vec::new();
    reasons.extend(derivation.root.iter().any(|input| is_target(&input)).then_some(Reason::Root));
    reasons.extend(derivation.runtime.iter().any(|input| is_target(&input)).then_some(Reason::Runtime));
    let mentions: Vec<_> = derivation.inputs.iter().filter(is_target).map(Input::mention).collect();
    let mentioned = |text: &str| mentions.iter().any(|mention| text.contains(mention.as_str()));
    let variables =
        derivation.env.iter().filter(|(_, text)| mentioned(text)).map(|(name, _)| format!("variable `{name}`"));
    let arguments = derivation.args.iter().enumerate().filter(|(_, text)| mentioned(text));
    let arguments = arguments.map(|(index, _)| format!("argument {}", index + 1));
    let builder = mentioned(&derivation.builder).then(|| "the builder".to_owned());
    reasons.extend(builder.into_iter().chain(arguments).chain(variables).map(Reason::Text));
    reasons
}

impl Reason {
    fn text(&self, look: Look) -> String {
        match self {
            Self::Mentioned(places) if places.is_empty() => "mentions".to_owned(),
            Self::Mentioned(places) => {
                let mut names: Vec<_> = places.iter().take(SHOWN).map(place_name).collect();
                if places.len() > names.len() {
                    names.push(format!("{} more", places.len() - names.len()));
                }
                format!("mentions, in {}", look.styled(&names.join(", "), "1"))
            }
            Self::Declared | Self::Runtime => "needs at run time, as declared".to_owned(),
            Self::Root => "has in its root".to_owned(),
            Self::Text(place) => format!("mentions, in {place}"),
        }
    }

    fn json(&self) -> Value {
        match self {
            Self::Mentioned(places) => {
                json!({ "how": "mention", "places": places.iter().map(place_json).collect::<Vec<_>>() })
            }
            Self::Declared | Self::Runtime => json!({ "how": "runtime" }),
            Self::Root => json!({ "how": "root" }),
            Self::Text(place) => json!({ "how": "text", "place": place }),
        }
    }
}

/// A tree may be one file, which has no name of its own.
fn place_name(place: &Mention) -> String {
    if place.path.components().is_empty() { "the file itself".to_owned() } else { place.path.to_string() }
}

fn place_json(place: &Mention) -> Value {
    let mut json = json!({ "offset": place.offset, "excerpt": place.excerpt });
    text::put_name(&mut json, "path", &text::path_bytes(&place.path));
    json
}

/// Edges as a tree, each path with what is below it once.
fn shown(graph: &Graph, from: usize, edges: &[(usize, usize)], reasons: &[Vec<Reason>], look: Look) -> String {
    let mut text = look.path(graph.path(from)) + "\n";
    let mut edges_from = vec![Vec::new(); graph.len()];
    edges.iter().enumerate().rev().for_each(|(edge, (from, _))| edges_from[*from].push(edge));
    let below = |number: usize| edges_from[number].iter().copied();
    let mut pending: Vec<_> = below(from).map(|edge| (edge, 1)).collect();
    let mut expanded = vec![false; graph.len()];
    while let Some((edge, depth)) = pending.pop() {
        let next = edges[edge].1;
        let mut below: Vec<_> = below(next).map(|edge| (edge, depth + 1)).collect();
        let repeated = std::mem::replace(&mut expanded[next], true) && !below.is_empty();
        if repeated {
            below.clear();
        }
        let why: Vec<_> = reasons[edge].iter().map(|reason| reason.text(look)).collect();
        let above = if repeated { " (above)" } else { "" };
        let indent = "  ".repeat(depth);
        text.push_str(&format!("{indent}{}: {}{above}\n", why.join("; "), look.path(graph.path(next))));
        pending.extend(below);
    }
    text
}

fn as_json(graph: &Graph, chain: &[usize], edges: &[(usize, usize)], reasons: &[Vec<Reason>]) -> Value {
    let path = |number: &usize| graph.path(*number).to_string();
    let edge = |((from, to), reasons): (&(usize, usize), &Vec<Reason>)| json!({ "from": path(from), "to": path(to), "reasons": reasons.iter().map(Reason::json).collect::<Vec<_>>() });
    let names: Vec<_> = chain.iter().map(|number| human(graph.path(*number))).collect();
    json!({
        "chain": chain.iter().map(path).collect::<Vec<_>>(),
        "names": names,
        "edges": edges.iter().zip(reasons).map(edge).collect::<Vec<_>>(),
    })
}
