//! Drawings of graphs of store paths: trees for the terminal, Graphviz, and JSON.

use crate::look::{Look, human};
use serde_json::{Value, json};
use std::fmt::Write;
use store::{Graph, Need, StorePath};

/// How many levels are drawn as lines; what is deeper is moved to the left.
const LEVELS: usize = 40;

/// A tree for the terminal. What is below a path is shown where it comes first; elsewhere it has a mark.
pub(crate) fn tree(graph: &Graph, roots: &[usize], depth: Option<usize>, look: Look) -> String {
    let mut text = String::new();
    let mut shown = vec![false; graph.len()];
    for root in roots {
        draw(graph, *root, depth.unwrap_or(usize::MAX), look, &mut shown, &mut text);
    }
    text
}

/// One level of a tree that is being drawn.
struct Level {
    children: std::vec::IntoIter<usize>,
    is_last: bool,
}

fn draw(graph: &Graph, root: usize, depth: usize, look: Look, shown: &mut [bool], text: &mut String) {
    let mut levels: Vec<Level> = Vec::new();
    let mut at = root;
    loop {
        let children = graph.needed(at);
        let repeated = std::mem::replace(&mut shown[at], true);
        let is_cut = levels.len() >= depth;
        let mark = match (children.is_empty(), repeated, is_cut) {
            (true, ..) | (false, false, false) => "",
            (false, true, _) => " (above)",
            (false, false, true) => " …",
        };
        let line = format!("{}{}{}", lines(&levels), look.path(graph.path(at)), look.styled(mark, "2"));
        text.push_str(&look.cut(&line));
        text.push('\n');
        // What was only cut off here may be shown elsewhere.
        shown[at] = repeated || !is_cut;
        let below = if repeated || is_cut { Vec::new() } else { children };
        levels.push(Level { children: below.into_iter(), is_last: false });
        at = loop {
            let Some(level) = levels.last_mut() else { return };
            if let Some(next) = level.children.next() {
                level.is_last = level.children.len() == 0;
                break next;
            }
            levels.pop();
        };
    }
}

/// The lines that lead to an entry below these levels.
fn lines(levels: &[Level]) -> String {
    let Some((own, above)) = levels.split_last() else { return String::new() };
    let hidden = above.len().saturating_sub(LEVELS);
    let mut text = if hidden > 0 { format!("[{hidden}] ") } else { String::new() };
    above[hidden..].iter().for_each(|level| text.push_str(if level.is_last { "    " } else { "│   " }));
    text + if own.is_last { "└── " } else { "├── " }
}

/// Graphviz: a box for each path, dashed arrows for what is declared.
pub(crate) fn graphviz(graph: &Graph, detail: &dyn Fn(&StorePath) -> Option<String>) -> String {
    let mut text =
        String::from("digraph larder {\n  rankdir = LR;\n  node [shape = box, fontname = \"sans-serif\"];\n");
    let _ = (0..graph.len()).try_for_each(|number| node(graph, number, detail, &mut text));
    text + "}\n"
}

fn node(
    graph: &Graph,
    number: usize,
    detail: &dyn Fn(&StorePath) -> Option<String>,
    text: &mut String,
) -> std::fmt::Result {
    let path = graph.path(number);
    // Names have neither quotes nor backslashes.
    let detail = detail(path).map(|detail| format!("\\n{detail}")).unwrap_or_default();
    let shape = if path.derivation().is_some() { ", style = rounded" } else { "" };
    writeln!(text, "  \"{}\" [label = \"{}{detail}\"{shape}];", path.base_name(), human(path))?;
    for to in graph.needed(number) {
        let only_declared = !graph.needs(number).iter().any(|(other, need)| *other == to && *need != Need::Runtime);
        let style = if only_declared { " [style = dashed]" } else { "" };
        writeln!(text, "  \"{}\" -> \"{}\"{style};", path.base_name(), graph.path(to).base_name())?;
    }
    Ok(())
}

/// The fields of `larder/graph/1`.
pub(crate) fn json(graph: &Graph, roots: &[usize], bytes: &dyn Fn(&StorePath) -> Option<u64>) -> Value {
    let node = |number: usize| {
        let path = graph.path(number);
        let needed = |how: Need| -> Vec<String> {
            let needs = graph.needs(number).iter().filter(|(_, need)| *need == how);
            needs.map(|(to, _)| graph.path(*to).to_string()).collect()
        };
        json!({
            "path": path.to_string(),
            "name": path.name().as_str(),
            "bytes": bytes(path),
            "references": needed(Need::Mention),
            "runtime": needed(Need::Runtime),
            "inputs": needed(Need::Input),
        })
    };
    let roots: Vec<_> = roots.iter().map(|root| graph.path(*root).to_string()).collect();
    json!({ "roots": roots, "nodes": (0..graph.len()).map(node).collect::<Vec<_>>() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use store::{StoreName, TreeDigest};

    fn graph(names: &[&str], edges: &[(usize, usize)]) -> Graph {
        let mut graph = Graph::default();
        for (number, name) in names.iter().enumerate() {
            let name = StoreName::parse(name).expect("valid");
            let digest = TreeDigest::from_bytes([u8::try_from(number).expect("few"); 32]);
            graph.add_path(StorePath::from_tree(digest, name).expect("valid"));
        }
        edges.iter().for_each(|(from, to)| graph.add_need(*from, *to, Need::Mention));
        graph
    }

    /// Without digests, so that the shape is seen.
    fn shape(text: &str, graph: &Graph) -> String {
        let name = |text: String, path: &StorePath| text.replace(&path.to_string(), path.name().as_str());
        graph.paths().iter().fold(text.to_owned(), name)
    }

    #[test]
    fn a_shared_part_is_drawn_once() {
        let graph = graph(&["top", "left", "right", "base", "leaf"], &[(0, 1), (0, 2), (1, 3), (2, 3), (3, 4), (2, 4)]);
        let drawn = tree(&graph, &[0], None, Look::PLAIN);
        let expected = "\
top
├── left
│   └── base
│       └── leaf
└── right
    ├── base (above)
    └── leaf
";
        assert_eq!(shape(&drawn, &graph), expected);
        let cut = tree(&graph, &[0], Some(1), Look::PLAIN);
        assert_eq!(shape(&cut, &graph), "top\n├── left …\n└── right …\n");
    }

    #[test]
    fn what_is_cut_off_in_one_place_is_shown_in_another() {
        // `base` is below the limit on the left, and within it on the right.
        let graph = graph(&["top", "left", "base", "leaf"], &[(0, 1), (1, 2), (0, 2), (2, 3)]);
        let expected = "top\n├── left\n│   └── base …\n└── base\n    └── leaf\n";
        assert_eq!(shape(&tree(&graph, &[0], Some(2), Look::PLAIN), &graph), expected);
    }

    #[test]
    fn circles_and_great_depth_end() {
        let circle = graph(&["a", "b"], &[(0, 1), (1, 0)]);
        assert_eq!(shape(&tree(&circle, &[0], None, Look::PLAIN), &circle), "a\n└── b\n    └── a (above)\n");
        let names: Vec<_> = (0..100).map(|number| format!("n{number}")).collect();
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        let chain = graph(&names, &(0..99).map(|number| (number, number + 1)).collect::<Vec<_>>());
        let drawn = tree(&chain, &[0], None, Look::PLAIN);
        let last = drawn.lines().last().expect("lines");
        assert!(last.starts_with("[58] ") && last.contains(&" ".repeat(4 * LEVELS)), "{last}");
    }

    #[test]
    fn graphviz_has_every_node_and_edge_once() {
        let mut graph = graph(&["a+b", "c=d?", "e.f"], &[(0, 1), (0, 2)]);
        graph.add_need(0, 1, Need::Runtime);
        graph.add_need(1, 2, Need::Runtime);
        let text = graphviz(&graph, &|path| (path.name().as_str() == "e.f").then(|| "7 B".to_owned()));
        let text = graph.paths().iter().fold(text, |text, path| text.replace(&path.base_name(), path.name().as_str()));
        let expected = "\
digraph larder {
  rankdir = LR;
  node [shape = box, fontname = \"sans-serif\"];
  \"a+b\" [label = \"a+b\"];
  \"a+b\" -> \"c=d?\";
  \"a+b\" -> \"e.f\";
  \"c=d?\" [label = \"c=d?\"];
  \"c=d?\" -> \"e.f\" [style = dashed];
  \"e.f\" [label = \"e.f\\n7 B\"];
}
";
        assert_eq!(text, expected);
    }
}
