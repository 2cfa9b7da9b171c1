//! `[saml]`: who we are to SAML apps.

use std::path::PathBuf;

use crate::config::key::{Key, Kind, Section};
use crate::config::public_url::PublicUrl;
use crate::config::values::Values;
use crate::model::id::EntityId;

pub(super) const SECTION: Section = Section {
    name: "saml",
    doc: "Who this server is to SAML apps.",
    keys: &[
        Key {
            name: "entity_id",
            kind: Kind::Text,
            written: "\"https://id.example.com/saml/metadata\"",
            default_note: "public_url + /saml/metadata",
            secret: false,
            doc: "The name by which apps know this identity provider; changing it cuts every app off.",
        },
        Key {
            name: "metadata_dir",
            kind: Kind::Path,
            written: "\"metadata\"",
            default_note: "",
            secret: false,
            doc: "A folder of *.xml files with metadata of apps; read at start and whenever a file changes.",
        },
        Key {
            name: "authn_contexts",
            kind: Kind::Texts,
            written: "[\"urn:oasis:names:tc:SAML:2.0:ac:classes:Password\", \
                      \"urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport\"]",
            default_note: "",
            secret: false,
            doc: "Authentication context classes from the weakest to the strongest: what minimum, better and maximum mean.",
        },
    ],
};

/// `[saml]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Saml {
    pub entity_id: EntityId,
    /// The folder of metadata files, absolute; it need not exist.
    pub metadata_dir: PathBuf,
    /// Context classes from the weakest to the strongest, where they are configured.
    pub authn_contexts: Option<Vec<String>>,
}

impl Saml {
    /// Fails only if not even the default is an entity ID.
    pub(super) fn read(values: &mut Values, public_url: &PublicUrl, notices: &mut Vec<String>) -> Option<Self> {
        let default = public_url.join("/saml/metadata");
        let text = match values.text("saml.entity_id") {
            Some(text) => text,
            None => {
                values.derived("saml.entity_id", &default, "default, from public_url");
                default.clone()
            }
        };
        let entity_id = match EntityId::parse(text) {
            Ok(entity_id) if entity_id.as_str().contains(':') => Some(entity_id),
            Ok(_) => {
                values.problem("saml.entity_id", "saml.entity_id is no URI".to_owned(), format!("write a URL or URN, as \"{default}\""));
                None
            }
            Err(error) => {
                values.problem("saml.entity_id", format!("saml.entity_id: {error}"), format!("write a URL or URN, as \"{default}\""));
                None
            }
        };
        let metadata_dir = values.path("saml.metadata_dir");
        if let Some(folder) = metadata_dir.as_ref().filter(|folder| !folder.is_dir()) {
            notices.push(format!("saml.metadata_dir: {} is not there yet", folder.display()));
        }
        let metadata_dir = metadata_dir.unwrap_or_else(|| {
            values.note_default("saml.metadata_dir");
            values.base().join("metadata")
        });
        let authn_contexts = values.texts("saml.authn_contexts");
        if let Some(classes) = &authn_contexts {
            check_classes(values, classes);
        }
        Some(Self { entity_id: entity_id.or_else(|| EntityId::parse(default).ok())?, metadata_dir, authn_contexts })
    }
}

fn check_classes(values: &mut Values, classes: &[String]) {
    const KEY: &str = "saml.authn_contexts";
    if classes.is_empty() {
        values.problem(KEY, format!("{KEY} is empty"), "name at least one class, or take the key out");
    }
    for (at, class) in classes.iter().enumerate() {
        if !class.contains(':') || class.contains(char::is_whitespace) {
            values.problem(
                KEY,
                format!("\"{class}\" is no URI"),
                "write classes as URIs, as urn:oasis:names:tc:SAML:2.0:ac:classes:Password",
            );
        } else if classes.iter().skip(at + 1).any(|other| other == class) {
            values.problem(KEY, format!("\"{class}\" stands there twice"), "each class has one place in the order");
        }
    }
}
