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
    pub manifest: Vec<u8>,
    /// `build.sh`, if there is one.
    pub script: Option<Vec<u8>>,
    /// Paths of all files in it.
    pub files: Vec<String>,
}

/// A patch file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PatchFile {
    /// Its name.
    pub name: String,
    /// Its SHA-256, in hexadecimal.
    pub sha256: String,
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
