//! Who needs whom: names that do not exist, cycles, recipes that no image reaches.

use crate::finding::Finding;
use crate::inspect::Recipe;
use crate::manifest::{Need, NeedKind};
use crate::rule::Rule;
use eval::near::did_you_mean;
use rustc_hash::{FxHashMap, FxHashSet};
use std::collections::VecDeque;

/// Tiers that are in no image unless a recipe says so.
const OUTSIDE: [&str; 2] = ["extra", "toolchain"];

/// How often cycles are looked for anew, after each that is found is cut.
const ROUNDS: usize = 20;

/// How many recipes are looked at to tell whether one takes another's place.
const MAX_PLACES: usize = 100;

/// For each recipe, which others it needs and how.
struct Graph {
    needs: Vec<Vec<(usize, NeedKind, usize)>>,
}

/// Looks at what recipes need. `unreadable` are names of recipes that exist, but could not be read.
pub(crate) fn inspect(recipes: &[Recipe<'_>], unreadable: &[&str], findings: &mut Vec<Finding>) {
    let mut numbers: FxHashMap<&str, usize> = FxHashMap::default();
    for (number, recipe) in recipes.iter().enumerate() {
        numbers.entry(&recipe.manifest.name.value).or_insert(number);
        numbers.entry(&recipe.files.name).or_insert(number);
    }
    let mut graph = Graph { needs: vec![Vec::new(); recipes.len()] };
    for (number, recipe) in recipes.iter().enumerate() {
        for Need { kind, name } in &recipe.manifest.needs {
            match numbers.get(name.value.as_str()) {
                Some(&other) => graph.needs[number].push((other, *kind, name.line)),
                None if unreadable.contains(&name.value.as_str()) => {}
                None => {
                    let message = format!("no recipe is called `{}`", name.value);
                    let file = recipe.files.manifest_path();
                    let hint = instead_of(&name.value, &numbers);
                    findings.push(Finding::new(Rule::UnknownPackage, file, name.line, message).maybe_hint(hint));
                }
            }
        }
    }
    inspect_supersedes(recipes, &numbers, unreadable, findings);
    inspect_cycles(recipes, &graph, findings);
    inspect_orphans(recipes, &numbers, &graph, findings);
}

/// What to say for a name that no recipe has, if anything is near: other distributions write `zlib >= 1.2`.
fn instead_of(name: &str, numbers: &FxHashMap<&str, usize>) -> Option<String> {
    let (bare, _) = name.split_once(['<', '>', '=', '~', '!', '(']).unwrap_or((name, ""));
    let bare = bare.trim_end();
    if bare != name && numbers.contains_key(bare) {
        return Some(format!("no version can be asked for: say `{bare}`"));
    }
    did_you_mean(name.as_bytes(), numbers.keys().map(|name| name.as_bytes()))
}

fn inspect_supersedes(
    recipes: &[Recipe<'_>],
    numbers: &FxHashMap<&str, usize>,
    unreadable: &[&str],
    findings: &mut Vec<Finding>,
) {
    for recipe in recipes {
        for old in &recipe.manifest.supersedes {
            let exists = numbers.contains_key(old.value.as_str()) || unreadable.contains(&old.value.as_str());
            let (message, near) = if old.value == recipe.manifest.name.value {
                (format!("`{}` takes its own place", old.value), None)
            } else if exists {
                continue;
            } else {
                (format!("no recipe is called `{}`", old.value), instead_of(&old.value, numbers))
            };
            let file = recipe.files.manifest_path();
            findings.push(Finding::new(Rule::SupersedesNothing, file, old.line, message).maybe_hint(near));
        }
    }
    inspect_places(recipes, numbers, findings);
}

/// One recipe can take the place of another, and not while that takes its own.
fn inspect_places(recipes: &[Recipe<'_>], numbers: &FxHashMap<&str, usize>, findings: &mut Vec<Finding>) {
    let old = |recipe: &Recipe<'_>| -> Vec<usize> {
        recipe.manifest.supersedes.iter().filter_map(|old| numbers.get(old.value.as_str()).copied()).collect()
    };
    let places: Vec<Vec<usize>> = recipes.iter().map(old).collect();
    let find = |rule, number: usize, old: usize, message| {
        let supersedes = &recipes[number].manifest.supersedes;
        let line =
            supersedes.iter().find(|name| numbers.get(name.value.as_str()) == Some(&old)).map_or(1, |name| name.line);
        Finding::new(rule, recipes[number].files.manifest_path(), line, message)
    };
    let cycles = components(&places).into_iter().filter(|members| members.len() > 1);
    for members in cycles {
        let cycle = shortest_cycle(&places, &members);
        let names: Vec<&str> = cycle.iter().map(|at| recipes[*at].files.name.as_str()).collect();
        let message = format!("recipes take each other's place: {}", names.join(" -> "));
        findings.push(find(Rule::CircularPlaces, cycle[0], cycle[1], message));
    }
    let mut takers: FxHashMap<usize, usize> = FxHashMap::default();
    for (number, olds) in places.iter().enumerate() {
        for &old in olds.iter().filter(|old| **old != number) {
            let Some(&other) = takers.get(&old).filter(|other| **other != number) else {
                takers.insert(old, number);
                continue;
            };
            // The third of three passes takes the place of the first, too.
            if !takes_place(&places, number, other) && !takes_place(&places, other, number) {
                let (old_name, other) = (&recipes[old].files.name, &recipes[other].files.name);
                let message = format!("{other} takes the place of {old_name} too");
                let hint = "only one of them can: let it take the place of the other, or of none";
                findings.push(find(Rule::ContestedPlace, number, old, message).hint(hint));
            }
        }
    }
}

/// Whether one recipe takes the place of another, by way of others perhaps.
fn takes_place(places: &[Vec<usize>], one: usize, other: usize) -> bool {
    let (mut seen, mut at) = (vec![one], 0);
    while at < seen.len().min(MAX_PLACES) {
        for old in &places[seen[at]] {
            if *old == other {
                return true;
            }
            if seen.len() < MAX_PLACES && !seen.contains(old) {
                seen.push(*old);
            }
        }
        at += 1;
    }
    false
}

/// Cycles among needs of builds, then with those at run time.
fn inspect_cycles(recipes: &[Recipe<'_>], graph: &Graph, findings: &mut Vec<Finding>) {
    let mut of_builds = graph.successors(|kind| kind == NeedKind::Build);
    let mut of_all = graph.successors(|_| true);
    let (cycles, all) = cut_cycles(&mut of_builds, &FxHashSet::default());
    // Of those whose cycles are not all known, no cycle at run time can be told from the rest.
    let mut unclear = FxHashSet::default();
    for cycle in &cycles {
        findings.push(cycle_finding(recipes, graph, cycle, false));
        cut(&mut of_all, cycle);
        unclear.extend(cycle.iter().filter(|_| !all).copied());
    }
    for cycle in cut_cycles(&mut of_all, &unclear).0 {
        findings.push(cycle_finding(recipes, graph, &cycle, true));
    }
}

/// One cycle for each set of recipes that need each other, and those that are left when these are cut; whether that is all of them.
fn cut_cycles(successors: &mut [Vec<usize>], without: &FxHashSet<usize>) -> (Vec<Vec<usize>>, bool) {
    let mut found = Vec::new();
    for _ in 0..ROUNDS {
        let is_cycle = |members: &Vec<usize>| {
            let start = members[0];
            (members.len() > 1 || successors[start].contains(&start)) && !members.iter().any(|at| without.contains(at))
        };
        let cycles: Vec<_> = components(successors).into_iter().filter(is_cycle).collect();
        if cycles.is_empty() {
            return (found, true);
        }
        for members in cycles {
            let cycle = shortest_cycle(successors, &members);
            cut(successors, &cycle);
            found.push(cycle);
        }
    }
    (found, false)
}

/// Takes the need away that closes a cycle.
fn cut(successors: &mut [Vec<usize>], cycle: &[usize]) {
    if let [.., last, start] = cycle {
        successors[*last].retain(|other| other != start);
    }
}

fn cycle_finding(recipes: &[Recipe<'_>], graph: &Graph, cycle: &[usize], runtime: bool) -> Finding {
    let [from, to, ..] = cycle else { unreachable!("a cycle has a first need") };
    let names: Vec<&str> = cycle.iter().map(|at| recipes[*at].files.name.as_str()).collect();
    let line = graph.needs[*from].iter().find(|(other, _, _)| other == to).map_or(1, |(_, _, line)| *line);
    let file = recipes[*from].files.manifest_path();
    let when = if runtime { " at run time" } else { "" };
    let (message, hint) = if from == to {
        (format!("{} needs itself{when}", names[0]), "leave this need out: nothing comes of it")
    } else {
        let hint = "leave out one of these needs, or build one of the recipes in two passes (`supersedes`)";
        (format!("recipes need each other{when}: {}", names.join(" -> ")), hint)
    };
    let finding = Finding::new(Rule::Cycle, file, line, message);
    // A cycle at run time is cut where it closes, so nobody need do anything.
    if runtime { finding.warning() } else { finding.hint(hint) }
}

impl Graph {
    fn successors(&self, wanted: impl Fn(NeedKind) -> bool) -> Vec<Vec<usize>> {
        let of = |needs: &Vec<(usize, NeedKind, usize)>| {
            needs.iter().filter(|(_, kind, _)| wanted(*kind)).map(|(other, _, _)| *other).collect()
        };
        self.needs.iter().map(of).collect()
    }
}

/// Strongly connected components (Tarjan's algorithm with a stack of its own), each sorted.
fn components(successors: &[Vec<usize>]) -> Vec<Vec<usize>> {
    const NEW: usize = usize::MAX;
    let count = successors.len();
    let (mut index, mut low, mut on_stack) = (vec![NEW; count], vec![0; count], vec![false; count]);
    let (mut stack, mut found, mut next) = (Vec::new(), Vec::new(), 0);
    for start in 0..count {
        if index[start] != NEW {
            continue;
        }
        let mut calls = vec![(start, 0)];
        while let Some((at, child)) = calls.pop() {
            if child == 0 {
                (index[at], low[at], on_stack[at]) = (next, next, true);
                next += 1;
                stack.push(at);
            } else {
                low[at] = low[at].min(low[successors[at][child - 1]]);
            }
            let unseen = (child..successors[at].len()).find(|&child| {
                let other = successors[at][child];
                if index[other] != NEW && on_stack[other] {
                    low[at] = low[at].min(index[other]);
                }
                index[other] == NEW
            });
            if let Some(child) = unseen {
                calls.push((at, child + 1));
                calls.push((successors[at][child], 0));
            } else if low[at] == index[at] {
                found.push(pop_component(&mut stack, &mut on_stack, at));
            }
        }
    }
    found.sort_unstable();
    found
}

fn pop_component(stack: &mut Vec<usize>, on_stack: &mut [bool], root: usize) -> Vec<usize> {
    let mut members = Vec::new();
    while let Some(member) = stack.pop() {
        on_stack[member] = false;
        members.push(member);
        if member == root {
            break;
        }
    }
    members.sort_unstable();
    members
}

/// The shortest way from the first member that is on a cycle back to itself.
fn shortest_cycle(successors: &[Vec<usize>], members: &[usize]) -> Vec<usize> {
    let inside: FxHashSet<usize> = members.iter().copied().collect();
    let start = members[0];
    let mut came_from: FxHashMap<usize, usize> = FxHashMap::default();
    let mut queue = VecDeque::from([start]);
    while let Some(at) = queue.pop_front() {
        for &other in successors[at].iter().filter(|other| inside.contains(other)) {
            if other == start {
                let mut path = vec![start, at];
                let mut at = at;
                while at != start {
                    at = came_from[&at];
                    path.push(at);
                }
                if path.len() > 2 && path[path.len() - 1] == path[path.len() - 2] {
                    path.pop();
                }
                path.reverse();
                return path;
            }
            if other != start && !came_from.contains_key(&other) {
                came_from.insert(other, at);
                queue.push_back(other);
            }
        }
    }
    vec![start, start]
}

fn inspect_orphans(
    recipes: &[Recipe<'_>],
    numbers: &FxHashMap<&str, usize>,
    graph: &Graph,
    findings: &mut Vec<Finding>,
) {
    let in_image =
        |recipe: &Recipe<'_>| recipe.manifest.iso_include.unwrap_or(!OUTSIDE.contains(&recipe.files.tier.as_str()));
    let mut pending: Vec<usize> = (0..recipes.len()).filter(|at| in_image(&recipes[*at])).collect();
    let mut reached: FxHashSet<usize> = pending.iter().copied().collect();
    // Who takes another's place is reached with it.
    let mut successors: FxHashMap<usize, Vec<usize>> = FxHashMap::default();
    for (number, recipe) in recipes.iter().enumerate() {
        for old in recipe.manifest.supersedes.iter().filter_map(|old| numbers.get(old.value.as_str())) {
            successors.entry(*old).or_default().push(number);
        }
    }
    while let Some(at) = pending.pop() {
        let needs = graph.needs[at].iter().map(|(other, _, _)| *other);
        for other in needs.chain(successors.get(&at).into_iter().flatten().copied()) {
            if reached.insert(other) {
                pending.push(other);
            }
        }
    }
    for (number, recipe) in recipes.iter().enumerate() {
        let excused = recipe.manifest.iso_include == Some(false) || recipe.files.tier == "toolchain";
        if !reached.contains(&number) && !excused {
            let message = format!("no image reaches {}", recipe.files.name);
            let (file, line) = (recipe.files.manifest_path(), recipe.manifest.name.line.max(1));
            findings.push(Finding::new(Rule::Orphan, file, line, message));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn components_are_found() {
        // 0 -> 1 -> 2 -> 0, 2 -> 3 -> 4, 4 -> 4, 5 alone
        let successors = vec![vec![1], vec![2], vec![0, 3], vec![4], vec![4], vec![]];
        assert_eq!(components(&successors), [vec![0, 1, 2], vec![3], vec![4], vec![5]]);
        assert_eq!(shortest_cycle(&successors, &[0, 1, 2]), [0, 1, 2, 0]);
        assert_eq!(shortest_cycle(&successors, &[4]), [4, 4]);
    }

    #[test]
    fn the_shortest_cycle_is_shown() {
        // 0 -> 1 -> 2 -> 3 -> 0 and 0 -> 3
        let successors = vec![vec![1, 3], vec![2], vec![3], vec![0]];
        assert_eq!(shortest_cycle(&successors, &[0, 1, 2, 3]), [0, 3, 0]);
    }

    #[test]
    fn all_cycles_of_a_set_are_found() {
        // 0 -> 1 -> 0, 1 -> 2 -> 1, 2 -> 0, 3 -> 3
        let mut successors = vec![vec![1], vec![0, 2], vec![1, 0], vec![3]];
        let (cycles, all) = cut_cycles(&mut successors, &FxHashSet::default());
        assert_eq!(cycles, [vec![0, 1, 0], vec![3, 3], vec![0, 1, 2, 0], vec![1, 2, 1]]);
        assert!(all);
        let mut many: Vec<Vec<usize>> = (0..30).map(|at| (0..30).filter(|other| *other != at).collect()).collect();
        let (cycles, all) = cut_cycles(&mut many, &FxHashSet::default());
        assert!(cycles.len() == ROUNDS && !all);
    }

    #[test]
    fn versions_are_not_asked_for() {
        let numbers = FxHashMap::from_iter([("zlib", 0), ("gtk+", 1)]);
        for name in ["zlib >= 1.2", "zlib>=1.2", "zlib~1", "zlib (= 1)", "zlib != 2"] {
            assert_eq!(
                instead_of(name, &numbers).as_deref(),
                Some("no version can be asked for: say `zlib`"),
                "{name}"
            );
        }
        assert_eq!(instead_of("gtk+ > 3", &numbers).as_deref(), Some("no version can be asked for: say `gtk+`"));
        assert_eq!(instead_of("zlb", &numbers).as_deref(), Some("did you mean `zlib`?"));
        assert_eq!(instead_of("none >= 1", &numbers), None);
    }

    #[test]
    fn places_lead_through_others() {
        let places = vec![vec![], vec![0], vec![1], vec![3]];
        assert!(takes_place(&places, 2, 0) && !takes_place(&places, 0, 2) && !takes_place(&places, 3, 0));
    }

    #[test]
    fn a_long_chain_needs_no_stack() {
        let successors: Vec<Vec<usize>> = (0..200_000).map(|at| vec![(at + 1) % 200_000]).collect();
        assert_eq!(components(&successors).len(), 1);
    }
}
