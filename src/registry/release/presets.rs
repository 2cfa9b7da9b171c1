//! Ready-made rows of release, one file each in `presets/`, so that anyone can add one.

use std::sync::LazyLock;

use serde::Deserialize;

use crate::model::app::ReleaseRow;

/// The preset of an app that is added without any.
pub const DEFAULT: &str = "basic";

/// One preset.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preset {
    /// The name of its file: `eduperson`.
    #[serde(skip)]
    pub name: &'static str,
    pub title: String,
    /// What it tells the app, in a sentence.
    pub about: String,
    /// What to know before using it.
    pub quirks: Vec<String>,
    pub rows: Vec<ReleaseRow>,
}

/// All presets, in the order in which they are offered.
pub fn all() -> &'static [Preset] {
    &PRESETS
}

/// The preset of this name.
pub fn find(name: &str) -> Option<&'static Preset> {
    PRESETS.iter().find(|preset| preset.name == name)
}

static PRESETS: LazyLock<Vec<Preset>> = LazyLock::new(|| {
    let files = [
        ("basic", include_str!("presets/basic.toml")),
        ("groups", include_str!("presets/groups.toml")),
        ("eduperson", include_str!("presets/eduperson.toml")),
        ("microsoft", include_str!("presets/microsoft.toml")),
        ("aws", include_str!("presets/aws.toml")),
    ];
    let read = |(name, text)| Preset { name, ..toml_edit::de::from_str(text).expect("the files are in the binary and a test reads them") };
    files.into_iter().map(read).collect()
});

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::release::expression::Expression;

    #[test]
    fn every_preset_reads_and_compiles() {
        for preset in all() {
            assert!(!preset.rows.is_empty() && !preset.about.is_empty(), "{}", preset.name);
            for row in &preset.rows {
                Expression::compile(&row.value).unwrap_or_else(|error| panic!("{}: {}: {error}", preset.name, row.name));
            }
        }
        assert!(find(DEFAULT).is_some());
        assert!(find("grafana").is_none());
    }
}
