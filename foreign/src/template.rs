//! Filling in `${version}` and the like.

/// What texts of a package.yml may refer to.
pub(crate) const NAMES: [&str; 6] =
    ["name", "version", "version_major", "version_minor", "version_patch", "version_major_minor"];

/// The values for one recipe.
#[derive(Debug, Clone, Default)]
pub(crate) struct Values {
    name: String,
    version: String,
}

impl Values {
    pub(crate) fn new(name: &str, version: &str) -> Self {
        Self { name: name.to_owned(), version: version.to_owned() }
    }

    fn get(&self, name: &str) -> Option<String> {
        let part = |index: usize| self.version.split('.').nth(index).unwrap_or("0");
        Some(match name {
            "name" => self.name.clone(),
            "version" => self.version.clone(),
            "version_major" => part(0).to_owned(),
            "version_minor" => part(1).to_owned(),
            "version_patch" => part(2).to_owned(),
            "version_major_minor" => format!("{}.{}", part(0), part(1)),
            _ => return None,
        })
    }

    /// Fills in what is known, and returns the names that are not, beside it.
    pub(crate) fn fill(&self, text: &str) -> (String, Vec<String>) {
        let (mut filled, mut unknown, mut rest) = (String::new(), Vec::new(), text);
        while let Some((before, after)) = rest.split_once("${") {
            filled.push_str(before);
            let Some((name, after)) = after.split_once('}') else {
                filled.push_str("${");
                rest = after;
                continue;
            };
            match self.get(name) {
                Some(value) => filled.push_str(&value),
                None => unknown.push(name.to_owned()),
            }
            rest = after;
        }
        filled.push_str(rest);
        (filled, unknown)
    }

    /// Fills in what a shell makes of its variables for name and version.
    pub(crate) fn fill_shell(&self, text: &str) -> String {
        let version = ["${PKG_VERSION}", "$PKG_VERSION", "${version}", "$version"];
        let name = ["${PKG_NAME}", "$PKG_NAME"];
        let text = version.iter().fold(text.to_owned(), |text, variable| text.replace(variable, &self.version));
        name.iter().fold(text, |text, variable| text.replace(variable, &self.name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_filled_in() {
        let values = Values::new("glib", "2.80.4");
        let filled = |text: &str| values.fill(text);
        assert_eq!(filled("${name}-${version}.tar"), ("glib-2.80.4.tar".to_owned(), vec![]));
        assert_eq!(filled("${version_major_minor}/${version_patch}").0, "2.80/4");
        assert_eq!(filled("a${vresion}b"), ("ab".to_owned(), vec!["vresion".to_owned()]));
        assert_eq!(filled("${open").0, "${open");
        assert_eq!(Values::new("a", "7").fill("${version_major_minor}").0, "7.0");
    }
}
