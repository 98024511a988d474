//! The rules: stable codes, titles, severities, and explanations for `larder help CODE`.

use crate::finding::Severity;

macro_rules! rated_rules {
    ($($name:ident = $number:literal, $severity:ident, $title:literal, $explanation:literal;)*) => {
        eval::rules! {
            /// A rule for trees of recipes. Numbers are stable: they are never given to another rule.
            pub enum Rule;
            $($name = $number, $title, $explanation;)*
        }

        impl Rule {
            /// How bad what it finds is, as a rule.
            #[must_use]
            pub const fn severity(self) -> Severity {
                match self { $(Self::$name => Severity::$severity),* }
            }
        }
    };
}

rated_rules! {
    Unreadable = "R0001", Error, "a file that cannot be read as what it is",
        "package.yml must be one YAML document in UTF-8, a mapping without repeated keys, indented with spaces;\nbuild.sh must be UTF-8, without a byte order mark or NUL bytes, and its lines end as on Unix. Both are\nregular files of at most 1 MiB, in TIER/NAME. Of a recipe whose package.yml is none nothing else is looked at.";
    UnknownKey = "R0002", Error, "a key that nothing reads",
        "A misspelt key is silently no key at all: what it says is not done.";
    MissingKey = "R0003", Error, "a key that is missing",
        "Every recipe says at least its name, version and tier.";
    WrongType = "R0004", Error, "a value of the wrong type",
        "YAML makes numbers of what looks like one: the version 2.30 is 2.3 when it is read. Put versions in\nquotes: \"2.30\".";
    WrongValue = "R0005", Error, "a value that is not among those known",
        "For instance a build style that does not exist, a path that is not absolute, or tests that are off\nwithout a reason.";
    NameNotDirectory = "R0006", Error, "a name that is not the directory's",
        "Dependencies name recipes by `name`; people look for them by directory.";
    TierNotDirectory = "R0007", Error, "a tier that is not the directory's",
        "The tier decides with which environment a recipe is built; the directory decides which tier it is in.";
    DuplicateName = "R0008", Error, "two recipes of one name",
        "Nothing can tell which of them a dependency means.";
    UnknownVariable = "R0009", Error, "a variable that does not exist",
        "`${name}`, `${version}`, `${version_major}`, `${version_minor}`, `${version_patch}` and\n`${version_major_minor}` are filled in.";
    UnknownPackage = "R0010", Error, "a dependency on a recipe that does not exist",
        "Dependencies are names of recipes of the same tree.";
    Cycle = "R0011", Error, "recipes that need each other",
        "What needs itself by way of others cannot be built. Split one of them in two passes (`supersedes`), or leave out the need.\nA cycle through needs at run time is a warning: it is cut where it closes.";
    Orphan = "R0012", Warning, "a recipe that no image reaches",
        "It is in no image, and nothing that is in one needs it: nobody notices when it breaks. Say\n`iso_include: true`, make something need it, or say `iso_include: false` if that is meant.";
    SupersedesNothing = "R0013", Error, "a recipe that takes the place of none",
        "`supersedes` names recipes of the same tree.";
    ContestedPlace = "R0014", Error, "two recipes that take the place of one",
        "Who needs the old one gets the new one, and nothing says which of them that is.";
    CircularPlaces = "R0015", Error, "recipes that take each other's place",
        "None of them would be left.";
    SourceWithoutHash = "R0020", Error, "a source without a hash",
        "What is downloaded is known by its sha256 only.";
    SourceForm = "R0021", Error, "a source of the wrong form",
        "A source has a `url` (http, https or mirror) and a `sha256` of 64 hexadecimal digits, which are not all the same.";
    Unobtainable = "R0022", Error, "a source that nobody can obtain",
        "A `file:///` address is on somebody's disk. Publish the file, or put it in a mirror by content:\nLARDER_MIRRORS='hash=file:///DIR/{algorithm}/{hash}'.";
    UndeclaredSource = "R0023", Error, "a source that is used but not declared",
        "build.sh reads a file of $IGOS_SOURCES that package.yml does not list, so its content is nobody's. With\n`if [ -f … ]` around it, the build is silently another one where it is missing.";
    ArtifactWithoutHash = "R0024", Error, "a build artifact without a hash",
        "A vendored tarball is a source like any other: give it a `sha256`, and a `url` if it has one.";
    RepeatedSource = "R0025", Error, "two sources of one file name",
        "Sources lie side by side in $IGOS_SOURCES, so the second one hides the first. Use `filename`.";
    Unreachable = "R0026", Error, "a source that cannot be had now",
        "None of its addresses and no mirror answers with it (`larder lint --sources`). Its content is looked at\nonly when it is fetched.";
    MissingPatch = "R0030", Error, "a patch that is not there",
        "Patches lie in the tree's directory of patches or beside the recipe.";
    RepeatedPatch = "R0031", Error, "a patch that is listed twice",
        "It would be applied twice, which fails, or is taken back by some versions of patch.";
    UndeclaredPatch = "R0032", Error, "a patch that is applied but not declared",
        "build.sh applies a patch of $IGOS_PATCHES that package.yml does not list with its sha256.";
    PatchWithoutHash = "R0033", Warning, "a patch without a hash",
        "Write `file:` and `sha256:`.";
    PatchHash = "R0034", Error, "a patch with another hash",
        "The file is not the one that somebody has looked at.";
    UnusedPatch = "R0035", Warning, "a patch file that no recipe uses",
        "It is left over, or a recipe has lost it.";
    ShortPromise = "R0040", Error, "a promise of fewer than three parts",
        "`/usr/bin` is there whatever a package installs; `/usr/bin/tool` is a promise.";
    SharedPromise = "R0041", Error, "a promise of what all share",
        "A directory that is there whatever this package installs, or an index of the whole system (info/dir,\nld.so.cache, icon caches), which packages are built without. A warning where another package promises\nsomething below it.";
    NoPromise = "R0042", Error, "neither a promise nor a reason",
        "A package says in `verify_paths` what it installs, or in `pending_acquisition` why it cannot be built.";
    ContestedPromise = "R0043", Error, "two packages that promise one path",
        "One of them would overwrite the other's file. A recipe that `supersedes` the other may promise the same.";
    Stub = "R0050", Error, "a recipe that does nothing",
        "All phases are `:`, or do_install is. A warning if check() tests nothing, or if do_install makes directories only.";
    IgnoredFailure = "R0051", Error, "tests that cannot fail",
        "`|| true` in check() makes every test pass; so do `make -i`, a condition that does nothing about it, `set +e`,\nand `| tee` without `set -o pipefail`. Say `tests: {failure_policy: known_failures, reason: …}`.";
    DeadFlags = "R0052", Warning, "configure_flags that nothing reads",
        "Where there is a build.sh it decides alone, so the flags in package.yml have no effect.";
    LiveRoot = "R0053", Error, "a build that acts on the running system",
        "No phase but post_install may touch what is not in the source directory or $DESTDIR: users, services,\nabsolute paths, the distribution's own tree.";
    NoInstall = "R0054", Error, "a build.sh that installs nothing",
        "The function that `install_func` names (`do_install` if none) is missing. A warning where build.sh sources files\nthat are not looked at; those beside it are if `source` names them by `$(dirname \"${BASH_SOURCE[0]}\")`.";
    NoErrexit = "R0055", Warning, "a build.sh without `set -e`",
        "larder stops at the first failing command in any case; other builders go on.";
    EndsEarly = "R0056", Warning, "a build.sh that may end before its functions are called",
        "`exit` outside of functions ends the shell that reads build.sh, so no phase runs. Of conditions only the\nindentation is looked at.";
    ErrexitOff = "R0057", Warning, "`set +e`, after which failures are not seen",
        "What fails behind it is passed over. Say `|| status=$?` behind the one command that may fail, and look at it.";
    LostStatus = "R0058", Warning, "a build whose failure a pipe hides",
        "The status of `make | tee log` is that of tee. Say `set -o pipefail` at the top of build.sh.";
}

#[cfg(test)]
mod tests {
    use super::Rule;

    #[test]
    fn numbers_are_sorted_and_unique() {
        assert!(Rule::ALL.windows(2).all(|pair| pair[0].number() < pair[1].number()));
    }
}
