//! `verify_paths`: promises that say something, and of one package each.

use crate::finding::Finding;
use crate::inspect::Recipe;
use crate::rule::Rule;
use rustc_hash::FxHashMap;

/// Directories that are there whatever a package installs. `*` stands for what else a part of the path has.
const SHARED: [&str; 65] = [
    "/etc/profile.d",
    "/etc/systemd/system",
    "/etc/xdg/autostart",
    "/usr/include/c++",
    "/usr/lib/cmake",
    "/usr/lib/dri",
    "/usr/lib/gio/modules",
    "/usr/lib/girepository-1.0",
    "/usr/lib/modules",
    "/usr/lib/modules-load.d",
    "/usr/lib/pkgconfig",
    "/usr/lib/python3",
    "/usr/lib/python3*/dist-packages",
    "/usr/lib/python3*/site-packages",
    "/usr/lib/security",
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
    "/usr/share/icons/hicolor/*/apps",
    "/usr/share/icons/hicolor/*/mimetypes",
    "/usr/share/info",
    "/usr/share/licenses",
    "/usr/share/locale",
    "/usr/share/locale/*/LC_MESSAGES",
    "/usr/share/man",
    "/usr/share/man/*/man*",
    "/usr/share/man/man*",
    "/usr/share/metainfo",
    "/usr/share/mime",
    "/usr/share/mime/packages",
    "/usr/share/pixmaps",
    "/usr/share/pkgconfig",
    "/usr/share/polkit-1",
    "/usr/share/polkit-1/actions",
    "/usr/share/themes",
    "/usr/share/vala",
    "/usr/share/wayland-sessions",
    "/usr/share/xsessions",
    "/usr/share/zsh/site-functions",
];

/// Indexes of the whole system, which packages are built without: those that phases.sh drops.
const INDEXES: [&str; 6] = [
    "/etc/ld.so.cache",
    "/etc/machine-id",
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
    inspect_parents(recipes, findings);
}

/// A promise that is met, or nearly so, by what another package has below it.
fn inspect_parents(recipes: &[Recipe<'_>], findings: &mut Vec<Finding>) {
    let all = recipes.iter().enumerate().flat_map(|(number, recipe)| {
        recipe.manifest.promises.iter().map(move |promise| (number, normal(&promise.value), promise.line))
    });
    let mut all: Vec<_> = all.filter(|(_, path, _)| !path.is_empty()).collect();
    // What lies below a path follows it at once, since `/` sorts before all else.
    all.sort_by(|a, b| a.1.split('/').cmp(b.1.split('/')).then(a.0.cmp(&b.0)));
    all.dedup_by(|a, b| (a.0, &a.1) == (b.0, &b.1));
    let mut above: Vec<&(usize, String, usize)> = Vec::new();
    for same in all.chunk_by(|a, b| a.1 == b.1) {
        let path = &same[0].1;
        while above.last().is_some_and(|(_, directory, _)| !is_below(path, directory)) {
            above.pop();
        }
        // Each is told of once.
        above.retain(|(owner, directory, line)| {
            let is_met = |other: usize| *owner != other && !may_share(&recipes[*owner], &recipes[other]);
            let Some((other, ..)) = same.iter().find(|(other, ..)| is_met(*other)) else { return true };
            // Of what anybody has something is said in any case.
            if !is_shared(directory) && directory.matches('/').count() > 2 {
                let file = recipes[*owner].files.manifest_path();
                let message =
                    format!("{} promises {path}, so {directory} says little", recipes[*other].manifest.name.value);
                findings.push(Finding::new(Rule::SharedPromise, file, *line, message).warning());
            }
            false
        });
        above.extend(same);
    }
}

/// Whether a path is this directory or in it.
fn is_below(path: &str, directory: &str) -> bool {
    path.strip_prefix(directory).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Whether two recipes may promise the same: one takes the other's place, or is of the toolchain.
fn may_share(one: &Recipe<'_>, two: &Recipe<'_>) -> bool {
    let supersedes =
        |a: &Recipe<'_>, b: &Recipe<'_>| a.manifest.supersedes.iter().any(|name| name.value == b.manifest.name.value);
    supersedes(one, two) || supersedes(two, one) || one.files.tier == "toolchain" || two.files.tier == "toolchain"
}

fn inspect_owners(recipes: &[Recipe<'_>], path: &str, owners: &[(usize, usize)], findings: &mut Vec<Finding>) {
    let [(first, _), others @ ..] = owners else { return };
    for (other, line) in others {
        let (one, two) = (&recipes[*first], &recipes[*other]);
        if may_share(one, two) {
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
        } else if is_shared(&path) {
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

fn is_shared(path: &str) -> bool {
    SHARED.iter().any(|shared| {
        let (mut shared, mut parts) = (shared.split('/'), path.split('/'));
        let alike = shared.by_ref().all(|shared| parts.next().is_some_and(|part| fits(part, shared)));
        alike && parts.next().is_none()
    })
}

/// Whether a part of a path is that of a shared directory, in which `*` stands for anything.
fn fits(part: &str, shared: &str) -> bool {
    shared.split_once('*').map_or(part == shared, |(start, _)| part.starts_with(start))
}

/// Without doubled and final slashes.
fn normal(path: &str) -> String {
    let segments = path.split('/').filter(|segment| !segment.is_empty());
    segments.fold(String::new(), |path, segment| path + "/" + segment)
}
