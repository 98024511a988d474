//! A tree as it was read: data, not yet understood.

/// A tree of recipes.
#[derive(Debug, Clone, Default)]
pub struct Tree {
    /// The recipes, in any order.
    pub recipes: Vec<RecipeFiles>,
    /// The patch files that all recipes share; `None` if the tree has no such directory.
    pub patches: Option<Vec<PatchFile>>,
    /// What the directory of the patch files is called in messages.
    pub patch_directory: String,
    /// What could not be read, beside files of recipes.
    pub unread: Vec<Unread>,
}

/// A path of a tree that could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unread {
    /// The path, as messages show it.
    pub path: String,
    /// Why: lower case, no period.
    pub problem: String,
}

/// A file, as far as it is there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum FileContent {
    /// There is no such file.
    #[default]
    Missing,
    /// There is one that cannot be read: why.
    Unreadable(String),
    /// Its bytes.
    Read(Vec<u8>),
}

impl FileContent {
    /// Its bytes, if it could be read.
    #[must_use]
    pub fn bytes(&self) -> Option<&[u8]> {
        match self {
            Self::Read(bytes) => Some(bytes),
            Self::Missing | Self::Unreadable(_) => None,
        }
    }

    /// Whether there is no such file.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        *self == Self::Missing
    }
}

/// The directory of one recipe.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RecipeFiles {
    /// The directory that it is in.
    pub tier: String,
    /// What its own directory is called.
    pub name: String,
    /// What the directory is called in messages, as `packages/core/zlib`.
    pub directory: String,
    /// `package.yml`.
    pub manifest: FileContent,
    /// `build.sh`.
    pub script: FileContent,
    /// Paths of all files in it.
    pub files: Vec<String>,
    /// The patch files among them.
    pub patches: Vec<PatchFile>,
    /// Those that `build.sh` may source, and what they say.
    pub scripts: Vec<(String, Vec<u8>)>,
}

/// A patch file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PatchFile {
    /// Its path in the directory that it was looked for in.
    pub name: String,
    /// Its SHA-256, in hexadecimal; nothing if it could not be read.
    pub sha256: Option<String>,
}

impl PatchFile {
    /// Whether a file is one by its name.
    #[must_use]
    pub fn is_patch(name: &str) -> bool {
        let name = [".gz", ".bz2", ".xz", ".zst"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name);
        name.ends_with(".patch") || name.ends_with(".diff")
    }
}

impl RecipeFiles {
    /// What `package.yml` is called in messages.
    #[must_use]
    pub fn manifest_path(&self) -> String {
        format!("{}/package.yml", self.directory)
    }

    /// What `build.sh` is called in messages.
    #[must_use]
    pub fn script_path(&self) -> String {
        format!("{}/build.sh", self.directory)
    }
}
