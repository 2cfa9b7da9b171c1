//! The catalogue of texts: one TOML file a language, the same keys in each.

use std::collections::BTreeMap;

use minijinja::{Error, ErrorKind};

/// The texts of one language by `section.key`.
pub struct Catalogue {
    texts: BTreeMap<String, String>,
}

impl Catalogue {
    /// Reads the English file.
    pub fn english() -> Result<Self, Error> {
        Self::parse(include_str!("../../../templates/messages/en.toml"))
    }

    fn parse(toml: &str) -> Result<Self, Error> {
        let broken = |what: String| Error::new(ErrorKind::InvalidOperation, what);
        let document: toml_edit::DocumentMut = toml.parse().map_err(|e: toml_edit::TomlError| broken(e.to_string()))?;
        let mut texts = BTreeMap::new();
        for (section, table) in document.as_table() {
            let table = table.as_table().ok_or_else(|| broken(format!("{section} is not a section")))?;
            for (key, value) in table {
                let text = value.as_str().ok_or_else(|| broken(format!("{section}.{key} is not a text")))?;
                texts.insert(format!("{section}.{key}"), text.to_owned());
            }
        }
        Ok(Self { texts })
    }

    /// The text with its `{names}` filled in. A missing key or value is an error: a test renders every page.
    pub fn text(&self, key: &str, values: &[(String, String)]) -> Result<String, Error> {
        let broken = |what: String| Error::new(ErrorKind::InvalidOperation, what);
        let text = self.texts.get(key).ok_or_else(|| broken(format!("there is no text {key}")))?;
        let mut out = String::with_capacity(text.len() + 32);
        let mut rest = text.as_str();
        while let Some((before, after)) = rest.split_once('{') {
            let (name, next) = after.split_once('}').ok_or_else(|| broken(format!("{key} has a brace without an end")))?;
            let value = values.iter().find(|(n, _)| n == name).ok_or_else(|| broken(format!("{key} needs {name}")))?;
            out.push_str(before);
            out.push_str(&value.1);
            rest = next;
        }
        out.push_str(rest);
        Ok(out)
    }
}
