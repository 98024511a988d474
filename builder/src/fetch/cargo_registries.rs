//! Where this machine's cargo gets crates: what the indexes of registries that it has read say (`config.json` in each).

use super::apt_sources::or_absent;
use super::url::Url;
use std::fs;
use std::io;
use std::path::Path;

/// Base URLs of the registries whose indexes are in `home`, cargo's own directory: a crate is at `NAME/VERSION/download` below one.
/// Empty where there are none; registries that lay out crates in another way are left out.
///
/// # Errors
/// When a file or directory exists but cannot be read.
pub fn read_cargo_registries(home: &Path) -> io::Result<Vec<String>> {
    let Some(entries) = or_absent(fs::read_dir(home.join("registry/index")))? else { return Ok(Vec::new()) };
    let mut indexes = entries.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
    indexes.sort();
    let mut bases = Vec::new();
    for index in indexes {
        let text = or_absent(fs::read_to_string(index.join("config.json")))?;
        bases.extend(text.as_deref().and_then(downloads));
    }
    Ok(bases)
}

/// What an index says of downloads: an address that `/NAME/VERSION/download` is appended to, unless it has markers.
fn downloads(config: &str) -> Option<String> {
    let config: serde_json::Value = serde_json::from_str(config).ok()?;
    let address = config.get("dl")?.as_str()?;
    // It is no configuration of this machine: a file here, or nothing that can be asked, spoils no other registry.
    Url::parse(address).ok().filter(|_| !address.contains('{')).map(|_| address.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registries_are_those_that_cargo_has_read() {
        let home = tempfile::tempdir().unwrap();
        assert_eq!(read_cargo_registries(home.path()).unwrap(), Vec::<String>::new());
        let index = |name: &str, config: &str| {
            let directory = home.path().join("registry/index").join(name);
            fs::create_dir_all(&directory).unwrap();
            fs::write(directory.join("config.json"), config).unwrap();
        };
        index("b.example-2", r#"{"dl": "https://b.example/crates", "api": "https://b.example"}"#);
        index("a.example-1", r#"{"dl": "https://a.example/get"}"#);
        index("c.example-3", r#"{"dl": "https://c.example/{crate}-{version}.crate"}"#);
        index("d.example-4", "no JSON");
        index("f.example-6", r#"{"dl": "file:///srv/crates"}"#);
        index("g.example-7", r#"{"dl": "nowhere"}"#);
        fs::create_dir(home.path().join("registry/index/e.example-5")).unwrap();
        assert_eq!(read_cargo_registries(home.path()).unwrap(), ["https://a.example/get", "https://b.example/crates"]);
    }
}
