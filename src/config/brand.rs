//! `[brand]`: how people know this server.

use crate::config::key::{Key, Kind, Section};
use crate::config::values::Values;

pub(super) const SECTION: Section = Section {
    name: "brand",
    doc: "How people know this server.",
    keys: &[Key {
        name: "name",
        kind: Kind::Text,
        written: "\"Linkspan\"",
        default_note: "",
        secret: false,
        doc: "The name on the pages and in the metadata.",
    }],
};

/// `[brand]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Brand {
    pub name: String,
}

impl Brand {
    pub(super) fn read(values: &mut Values) -> Self {
        let name = match values.text("brand.name") {
            Some(name) => name,
            None => {
                values.note_default("brand.name");
                "Linkspan".to_owned()
            }
        };
        if name.chars().count() > 80 || name.chars().any(char::is_control) {
            values.problem(
                "brand.name",
                "brand.name is longer than 80 characters or has a control character".to_owned(),
                "give a short name",
            );
        }
        Self { name }
    }
}
