//! Where this machine's cargo gets crates: what the indexes of registries that it has read say (`config.json` in each).

use super::url::Url;
use std::fs;
use std::path::Path;

/// Base URLs of the registries whose indexes are in `home`, cargo's own directory: a crate is at `NAME/VERSION/download` below one.
/// Registries that lay out crates in another way, or whose indexes cannot be read, are left out.
#[must_use]
pub fn read_cargo_registries(home: &Path) -> Vec<String> {
    let entries = fs::read_dir(home.join("registry/index")).into_iter().flatten().flatten();
    let mut indexes: Vec<_> = entries.map(|entry| entry.path()).collect();
    indexes.sort();
    let configurations = indexes.iter().filter_map(|index| fs::read_to_string(index.join("config.json")).ok());
    configurations.filter_map(|text| downloads(&text)).collect()
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
        assert_eq!(read_cargo_registries(home.path()), [""; 0]);
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
        fs::write(home.path().join("registry/index/file"), "").unwrap();
        assert_eq!(read_cargo_registries(home.path()), ["https://a.example/get", "https://b.example/crates"]);
    }
}
