//! `[storage]`: where state rests.

use std::path::PathBuf;

use crate::config::key::{Key, Kind, Section};
use crate::config::mask::mask_passwords;
use crate::config::values::Values;
use crate::model::secret::Secret;

pub(super) const SECTION: Section = Section {
    name: "storage",
    doc: "Where state rests.",
    keys: &[
        Key {
            name: "directory",
            kind: Kind::Path,
            written: "\"linkspan-data\"",
            default_note: "",
            secret: false,
            doc: "Keys, seal.key, the embedded stores, the control socket; made with mode 0700.",
        },
        Key {
            name: "data",
            kind: Kind::Store,
            written: "\"sqlite:linkspan-data/linkspan.db\"",
            default_note: "linkspan.db in storage.directory",
            secret: true,
            doc: "People, apps, audit: sqlite:PATH, or postgres://user@host/db.",
        },
        Key {
            name: "session",
            kind: Kind::Store,
            written: "\"embedded\"",
            default_note: "",
            secret: true,
            doc: "Sessions and what lives as shortly: embedded (one node), or redis://host:6379/0, rediss://…, \
                  redis+sentinel://h1,h2,h3/service, redis+cluster://h1,h2,h3.",
        },
        Key {
            name: "sync",
            kind: Kind::Choice(&["normal", "full"]),
            written: "\"normal\"",
            default_note: "",
            secret: false,
            doc: "What is acknowledged survives the death of the process; with full also power loss, at a price in speed.",
        },
    ],
};

const SESSION_SCHEMES: [&str; 5] = ["redis", "rediss", "redis+sentinel", "rediss+sentinel", "redis+cluster"];

/// `[storage]`, paths absolute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Storage {
    pub directory: PathBuf,
    /// `sqlite:/absolute/path` or `postgres://…`.
    pub data: Secret<String>,
    /// `embedded`, or a Redis address.
    pub session: Secret<String>,
    /// Whether acknowledged writes survive power loss.
    pub sync_full: bool,
}

impl Storage {
    pub(super) fn read(values: &mut Values, default_directory: &str) -> Self {
        let directory = match values.path("storage.directory") {
            Some(path) => path,
            None => {
                let because = if default_directory == DIRECTORY { "default" } else { "--demo (command line)" };
                values.derived("storage.directory", default_directory, because);
                values.base().join(default_directory)
            }
        };
        let default_data = format!("sqlite:{}", directory.join("linkspan.db").display());
        let data = match values.store("storage.data") {
            Some(url) => data_url(values, url.expose()).unwrap_or(default_data),
            None => {
                if !values.is_set("storage.data_file") {
                    values.derived("storage.data", &default_data, "default, in storage.directory");
                }
                default_data
            }
        };
        let session = match values.store("storage.session") {
            Some(url) => {
                check_session(values, url.expose());
                url
            }
            None => {
                if !values.is_set("storage.session_file") {
                    values.note_default("storage.session");
                }
                Secret::new("embedded".to_owned())
            }
        };
        let sync_full = values.choice("storage.sync", &[("normal", false), ("full", true)], false);
        Self { directory, data: Secret::new(data), session, sync_full }
    }

    /// Whether the durable store is a file of this machine.
    pub fn data_is_local(&self) -> bool {
        self.data.expose().starts_with("sqlite:")
    }

    /// Whether the lively store belongs to this process alone.
    pub fn session_is_embedded(&self) -> bool {
        self.session.expose() == "embedded"
    }

    /// The socket on which a running server takes commands.
    pub fn control_socket(&self) -> PathBuf {
        self.directory.join("control.sock")
    }
}

/// The default of `storage.directory`.
pub(super) const DIRECTORY: &str = "linkspan-data";
/// That of `serve --demo`.
pub(super) const DEMO_DIRECTORY: &str = "linkspan-demo";

fn data_url(values: &mut Values, url: &str) -> Option<String> {
    let key = if values.is_set("storage.data") { "storage.data" } else { "storage.data_file" };
    if url.starts_with("postgres://") || url.starts_with("postgresql://") {
        return Some(url.to_owned());
    }
    let Some(file) = url.strip_prefix("sqlite:") else {
        let scheme = url.split_once(':').map_or(url, |(scheme, _)| scheme);
        let message = format!("storage.data cannot be \"{}:…\"", mask_passwords(scheme));
        values.problem(key, message, "write \"sqlite:PATH\" or \"postgres://user@host/db\"");
        return None;
    };
    let file = file.strip_prefix("//").unwrap_or(file);
    if file.is_empty() || file.contains('?') || file == ":memory:" {
        values.problem(key, "storage.data names no file for SQLite".to_owned(), "write \"sqlite:linkspan-data/linkspan.db\"");
        return None;
    }
    Some(format!("sqlite:{}", values.absolute(key, file).display()))
}

fn check_session(values: &mut Values, url: &str) {
    let key = if values.is_set("storage.session") { "storage.session" } else { "storage.session_file" };
    if url == "embedded" {
        return;
    }
    let known =
        "\"embedded\", \"redis://host:6379/0\", \"rediss://…\", \"redis+sentinel://h1,h2,h3/service\" or \"redis+cluster://h1,h2,h3\"";
    match url.split_once("://") {
        Some((scheme, rest)) if SESSION_SCHEMES.contains(&scheme) => {
            let hosts = rest.split(['/', '?']).next().unwrap_or_default();
            if hosts.rsplit('@').next().unwrap_or_default().is_empty() {
                values.problem(key, "storage.session names no host".to_owned(), format!("write {known}"));
            } else if scheme.ends_with("sentinel") && rest.split_once('/').is_none_or(|(_, service)| service.is_empty()) {
                values.problem(
                    key,
                    "storage.session names no service for Sentinel".to_owned(),
                    "write \"redis+sentinel://h1,h2,h3/service\"",
                );
            }
        }
        Some((scheme, _)) => values.problem(key, format!("storage.session cannot be \"{scheme}://…\""), format!("write {known}")),
        None => values.problem(key, "storage.session is no store that we know".to_owned(), format!("write {known}")),
    }
}
