//! Symbolic links in what evaluation has built and looks into: whoever made the source chose where they lead.

use crate::harness::{Ran, Scratch};
use std::os::unix::fs::symlink;

const SECRET: &str = "nobody-may-read-this";

/// Trees with links, and a secret beside the store that they lead to.
struct Linked {
    scratch: Scratch,
}

impl Linked {
    fn new() -> Self {
        let scratch = Scratch::new("{ }");
        scratch.write("secret", format!("{SECRET} ="));
        std::fs::create_dir(scratch.path("private")).unwrap();
        scratch.write("private/default.nix", format!("\"{SECRET}\""));
        let outside = scratch.path("").display().to_string();
        let outside = outside.trim_end_matches('/');
        scratch.recipes(&format!(
            r#"rec {{
              other = write "other" {{ "file" = {{ text = "\"other\""; }}; }};
              tree = write "tree" (builtins.mapAttrs (name: symlink: {{ inherit symlink; }}) {{
                absolute = "{outside}/secret";
                relative = "../../../secret";
                logical = "../../..{outside}/secret";
                directory = "{outside}/private";
                trees = "{outside}/home/store";
                chain = "d/next";
                "d/next" = "../absolute";
                loop = "loop";
                dangling = "d/none";
                inside = "d/up";
                "d/up" = "../lib/file";
                lib = "d";
                other = "${{other}}";
              }} // {{ "d/file" = {{ text = "\"inside\""; }}; }});
              linked = mini "linked" "link {outside}/secret $out" {{ }};
              user = write "user" {{ "dangling" = {{ symlink = "${{tree}}/dangling"; }}; }};
            }}"#
        ));
        Self { scratch }
    }

    fn eval(&self, expression: &str) -> Ran {
        let text = format!("with import ./default.nix; {expression}");
        self.scratch.larder_with(&["eval", "--json", "--no-eval-cache", "--expr", &text])
    }

    #[track_caller]
    fn is_refused(&self, expression: &str) {
        let ran = self.eval(expression).fails(3, &["E0201", "is a symbolic link to", "outside of the store"]);
        assert!(!ran.stdout.contains(SECRET) && !ran.stderr.contains(SECRET), "{expression}: {}", ran.stderr);
    }

    #[track_caller]
    fn gives(&self, expression: &str, expected: &str) {
        assert_eq!(self.eval(expression).ok().stdout.trim_end(), expected, "{expression}");
    }
}

#[test]
fn links_that_lead_out_of_the_store_are_not_followed() {
    let linked = Linked::new();
    for path in ["${tree}/absolute", "${tree}/relative", "${tree}/logical", "${tree}/chain", "${linked}"] {
        for look in ["builtins.readFile", "import", "builtins.hashFile \"sha256\""] {
            linked.is_refused(&format!("{look} \"{path}\""));
        }
    }
    for expression in [
        r#"builtins.readDir "${tree}/directory""#,
        r#"import "${tree}/directory""#,
        r#"builtins.scopedImport { } "${tree}/directory""#,
        r#"builtins.readFile "${tree}/directory/default.nix""#,
        r#"builtins.readFileType "${tree}/directory/default.nix""#,
        r#"builtins.readDir "${tree}/trees""#,
        r#"builtins.path { path = "${tree}/directory/default.nix"; name = "x"; }"#,
        r#"builtins.filterSource (path: type: true) "${tree}/directory/default.nix""#,
        r#"builtins.readFile (builtins.path { path = "${tree}/absolute"; name = "x"; })"#,
        r#"builtins.fromTOML (builtins.readFile "${tree}/absolute")"#,
    ] {
        linked.is_refused(expression);
    }
    linked.gives(
        r#"map builtins.pathExists [ "${tree}/directory/default.nix" "${tree}/directory/" "${tree}/absolute" ]"#,
        "[false,false,true]",
    );
    linked.eval(r#"builtins.readFile "${tree}/loop""#).fails(3, &["too many symbolic links"]);
}

#[test]
fn links_inside_the_store_are_followed() {
    let linked = Linked::new();
    linked.gives(r#"import "${tree}/inside""#, r#""inside""#);
    linked.gives(r#"import "${tree}/lib/up""#, r#""inside""#);
    linked.gives(r#"builtins.readDir "${tree}/other""#, r#"{"file":"regular"}"#);
    linked.gives(r#"builtins.readFile "${tree}/other/file""#, r#""\"other\"""#);
    linked.gives(r#"map builtins.readFileType [ "${tree}/other" "${tree}/lib/file" ]"#, r#"["symlink","regular"]"#);
    // What is remembered of it is what it was.
    for _ in 0..2 {
        let ran = linked.scratch.larder_with(&["eval", "-E", r#"import "${(import ./default.nix).tree}/other/file""#]);
        assert_eq!(ran.ok().stdout, "\"other\"\n");
    }
}

#[test]
fn a_link_that_leads_nowhere_can_be_named() {
    let linked = Linked::new();
    linked.eval(r#""${tree}/dangling""#).ok();
    linked.eval(r#"builtins.readFile "${tree}/dangling""#).fails(3, &["/d/none does not exist"]);
    linked.scratch.larder("instantiate .#user").ok();
    linked.scratch.larder("build --no-link .#user").ok();
}

/// As a link, whatever it leads to; what it leads to is read through it all the same.
#[test]
fn a_link_of_the_user_is_added_as_a_link() {
    let linked = Linked::new();
    symlink("secret", linked.scratch.path("link")).unwrap();
    symlink("nowhere", linked.scratch.path("astray")).unwrap();
    // The store is below it.
    symlink("/", linked.scratch.path("root")).unwrap();
    for (name, target) in [("link", "secret"), ("astray", "nowhere"), ("root", "/")] {
        let ran = linked.scratch.larder_with(&["eval", "--raw", "--expr", &format!("\"${{./{name}}}\"")]).ok();
        assert_eq!(std::fs::read_link(linked.scratch.physical(&ran.stdout)).unwrap().as_os_str(), target);
    }
    linked.gives("builtins.readFile ./link", &format!("\"{SECRET} =\""));
}
