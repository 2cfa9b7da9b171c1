//! `[keys]`: where our private keys rest.

use std::path::{Path, PathBuf};

use crate::config::key::{Key, Kind, Section};
use crate::config::values::Values;
use crate::model::secret::Secret;

pub(super) const SECTION: Section = Section {
    name: "keys",
    doc: "Where the private keys rest.",
    keys: &[
        Key {
            name: "directory",
            kind: Kind::Path,
            written: "\"certs\"",
            default_note: "keys/ in storage.directory",
            secret: false,
            doc: "PEM files, mode 0600; shared by all nodes of a database.",
        },
        Key {
            name: "passphrase",
            kind: Kind::Text,
            written: "\"\"",
            default_note: "none, the files' mode protects them",
            secret: true,
            doc: "Encrypts the key files at rest; better given as passphrase_file.",
        },
    ],
};

/// `[keys]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keys {
    /// Absolute.
    pub directory: PathBuf,
    pub passphrase: Option<Secret<String>>,
}

impl Keys {
    pub(super) fn read(values: &mut Values, storage: &Path) -> Self {
        let directory = values.path("keys.directory").unwrap_or_else(|| {
            let directory = storage.join("keys");
            values.derived("keys.directory", &directory.display().to_string(), "default, in storage.directory");
            directory
        });
        Self { directory, passphrase: values.secret("keys.passphrase") }
    }
}
