//! `verify_paths`: promises that say something, and of one package each.

use crate::finding::Finding;
use crate::inspect::Recipe;
use crate::rule::Rule;
use rustc_hash::FxHashMap;

/// Directories that are there whatever a package installs.
const SHARED: [&str; 52] = [
    "/etc/profile.d",
    "/etc/systemd/system",
    "/etc/xdg/autostart",
    "/usr/include/c++",
    "/usr/lib/cmake",
    "/usr/lib/girepository-1.0",
    "/usr/lib/modules",
    "/usr/lib/modules-load.d",
    "/usr/lib/pkgconfig",
    "/usr/lib/python3",
    "/usr/lib/sysctl.d",
    "/usr/lib/systemd",
    "/usr/lib/systemd/system",
    "/usr/lib/systemd/user",
    "/usr/lib/sysusers.d",
    "/usr/lib/tmpfiles.d",
    "/usr/lib/udev",
    "/usr/lib/udev/rules.d",
    "/usr/local/bin",
    "/usr/local/lib",
    "/usr/local/share",
    "/usr/share/aclocal",
    "/usr/share/applications",
    "/usr/share/bash-completion",
    "/usr/share/bash-completion/completions",
    "/usr/share/dbus-1",
    "/usr/share/dbus-1/services",
    "/usr/share/dbus-1/system-services",
    "/usr/share/dbus-1/system.d",
    "/usr/share/doc",
    "/usr/share/fonts",
    "/usr/share/gir-1.0",
    "/usr/share/glib-2.0",
    "/usr/share/glib-2.0/schemas",
    "/usr/share/gnome-shell/extensions",
    "/usr/share/gtk-doc",
    "/usr/share/gtk-doc/html",
    "/usr/share/icons",
    "/usr/share/icons/hicolor",
    "/usr/share/info",
    "/usr/share/licenses",
    "/usr/share/locale",
    "/usr/share/man",
    "/usr/share/metainfo",
    "/usr/share/mime",
    "/usr/share/mime/packages",
    "/usr/share/pixmaps",
    "/usr/share/pkgconfig",
    "/usr/share/polkit-1",
    "/usr/share/polkit-1/actions",
    "/usr/share/vala",
    "/usr/share/zsh/site-functions",
];

/// Indexes of the whole system, which packages are built without.
const INDEXES: [&str; 8] = [
    "/etc/ld.so.cache",
    "/etc/machine-id",
    "/usr/lib/gdk-pixbuf-2.0/2.10.0/loaders.cache",
    "/usr/lib/gio/modules/giomodule.cache",
    "/usr/share/applications/mimeinfo.cache",
    "/usr/share/glib-2.0/schemas/gschemas.compiled",
    "/usr/share/info/dir",
    "/usr/share/mime/mime.cache",
];

/// Looks at what the recipes promise.
pub(crate) fn inspect(recipes: &[Recipe<'_>], findings: &mut Vec<Finding>) {
    let mut owners: FxHashMap<String, Vec<(usize, usize)>> = FxHashMap::default();
    for (number, recipe) in recipes.iter().enumerate() {
        inspect_recipe(recipe, findings);
        for promise in &recipe.manifest.promises {
            let path = normal(&promise.value);
            if path.is_empty() {
                // Nothing that anybody could promise, which is said of it.
                continue;
            }
            owners.entry(path).or_default().push((number, promise.line));
        }
    }
    let mut contested: Vec<_> = owners.into_iter().filter(|(_, owners)| owners.len() > 1).collect();
    contested.sort_unstable();
    for (path, owners) in contested {
        inspect_owners(recipes, &path, &owners, findings);
    }
}

fn inspect_owners(recipes: &[Recipe<'_>], path: &str, owners: &[(usize, usize)], findings: &mut Vec<Finding>) {
    let [(first, _), others @ ..] = owners else { return };
    for (other, line) in others {
        let (one, two) = (&recipes[*first], &recipes[*other]);
        let pair = |a: &Recipe<'_>, b: &Recipe<'_>| {
            a.manifest.supersedes.iter().any(|name| name.value == b.manifest.name.value)
        };
        if pair(one, two) || pair(two, one) || one.files.tier == "toolchain" || two.files.tier == "toolchain" {
            continue;
        }
        let message = if first == other {
            format!("{path} is promised twice")
        } else {
            format!("{path} is promised by {} too", one.manifest.name.value)
        };
        let finding = Finding::new(Rule::ContestedPromise, two.files.manifest_path(), *line, message);
        findings.push(if first == other { finding.warning() } else { finding });
    }
}

fn inspect_recipe(recipe: &Recipe<'_>, findings: &mut Vec<Finding>) {
    let (manifest, file) = (&recipe.manifest, recipe.files.manifest_path());
    if manifest.promises.is_empty() && !manifest.pending {
        let message = format!("{} promises nothing, and says no reason", recipe.files.name);
        let hint = "list what it installs in `verify_paths`, or say `pending_acquisition`";
        findings.push(Finding::new(Rule::NoPromise, &file, manifest.name.line.max(1), message).hint(hint));
    }
    for promise in &manifest.promises {
        let path = normal(&promise.value);
        let segments: Vec<&str> = path.split('/').skip(1).collect();
        if !promise.value.starts_with('/') {
            let message = format!("the promise `{}` is not an absolute path", promise.value);
            findings.push(Finding::new(Rule::WrongValue, &file, promise.line, message));
        } else if segments.contains(&"..") || segments.contains(&".") {
            let message = format!("the promise `{}` has `.` or `..` in it", promise.value);
            findings.push(Finding::new(Rule::WrongValue, &file, promise.line, message));
        } else if SHARED.contains(&path.as_str()) || is_manual_section(&path) {
            let message = format!("{path} is a directory that all share");
            findings.push(Finding::new(Rule::SharedPromise, &file, promise.line, message));
        } else if is_index(&path) {
            let message = format!("{path} is an index of the whole system, which no package has");
            findings.push(Finding::new(Rule::SharedPromise, &file, promise.line, message));
        } else if segments.len() < 3 {
            let shown = if path.is_empty() { "/" } else { &path };
            let message = format!("{shown} has fewer than three parts");
            findings.push(Finding::new(Rule::ShortPromise, &file, promise.line, message));
        }
    }
}

fn is_index(path: &str) -> bool {
    INDEXES.contains(&path) || path.ends_with("/icon-theme.cache") || path.ends_with("/perllocal.pod")
}

fn is_manual_section(path: &str) -> bool {
    path.strip_prefix("/usr/share/man/").is_some_and(|rest| rest.starts_with("man") && !rest.contains('/'))
}

/// Without doubled and final slashes.
fn normal(path: &str) -> String {
    let segments = path.split('/').filter(|segment| !segment.is_empty());
    segments.fold(String::new(), |path, segment| path + "/" + segment)
}
