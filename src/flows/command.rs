//! What administrators do, whoever asks: the CLI through the control socket or on the stores itself, the admin API, the
//! console. Each command is plain data, so that it travels.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::model::secret::Secret;

/// One administrative command. Names follow `contract.md`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case")]
pub enum Command {
    AppAdd(AppAdd),
    AppList,
    AppShow {
        id: String,
    },
    /// `KEY=VALUE` pairs, as `saml.sign=both`; an empty value returns the key to its default.
    AppSet {
        id: String,
        settings: Vec<(String, String)>,
    },
    /// Lints a document, or the stored metadata of an app.
    AppLint {
        input: Option<AppInput>,
        id: Option<String>,
    },
    AppPreview {
        id: String,
        user: String,
    },
    AppTest {
        id: String,
        user: String,
    },
    AppRefresh {
        id: String,
    },
    AppRemove {
        id: String,
    },
    UserAdd(UserAdd),
    UserList {
        filter: Option<String>,
        after: Option<String>,
        limit: Option<u32>,
    },
    UserShow {
        name: String,
    },
    /// `KEY=VALUE` pairs: `name`, `email`, `display_name`, `admin`, `group` (repeatable, replaces all), `attr.NAME`
    /// (repeatable, replaces that attribute); an empty value clears.
    UserSet {
        name: String,
        settings: Vec<(String, String)>,
    },
    UserPassword {
        name: String,
        password: Secret<String>,
    },
    UserEnable {
        name: String,
        enabled: bool,
    },
    UserRemove {
        name: String,
    },
    UserImport {
        people: Vec<UserAdd>,
        update: bool,
        dry_run: bool,
    },
    GroupList,
    GroupAdd {
        name: String,
    },
    GroupRemove {
        name: String,
    },
    GroupMember {
        group: String,
        user: String,
        member: bool,
    },
    KeyList,
    /// Makes a `next` key of each algorithm, or of one (`RSA-2048`, `EC-P256`).
    KeyNew {
        algorithm: Option<String>,
    },
    KeyPromote {
        id: String,
    },
    KeyRetire {
        id: String,
    },
    KeyImport {
        key: Secret<String>,
        certificate: Option<String>,
        passphrase: Option<Secret<String>>,
    },
    SessionList {
        user: Option<String>,
    },
    SessionEnd {
        id: Option<String>,
        user: Option<String>,
    },
    TraceList {
        app: Option<String>,
        user: Option<String>,
        failed: bool,
        limit: Option<u32>,
    },
    TraceShow {
        reference: String,
    },
    /// Judges a pasted message as the server would at `at`; nothing is recorded.
    SamlExplain {
        message: String,
        at: Option<String>,
        destination: Option<String>,
    },
    ApiKeyNew {
        name: String,
        scopes: Vec<String>,
        expires: Option<String>,
        networks: Vec<String>,
    },
    ApiKeyList,
    ApiKeyRemove {
        id: String,
    },
    AuditRead {
        after: i64,
        limit: u32,
    },
    AuditHead,
    AdminSetupLink,
}

/// `app add`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct AppAdd {
    pub input: AppInput,
    pub name: Option<String>,
    pub replace: bool,
    /// Where set, only the app with this ID is replaced (API `PUT`).
    pub id: Option<String>,
    pub presets: Vec<String>,
    /// PEM of the certificate that must have signed the metadata.
    pub signer: Option<String>,
    pub entity: Option<String>,
    pub accept_expired: bool,
    pub allow_http: bool,
}

/// Where metadata comes from.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AppInput {
    /// The bytes, base64, and what to call them in messages (a file name, `standard input`).
    Document { base64: String, origin: String },
    /// To be fetched by the server through the outbound guard.
    Url(String),
}

impl Default for AppInput {
    fn default() -> Self {
        Self::Document { base64: String::new(), origin: String::new() }
    }
}

/// `user add`, and one line of `user import`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct UserAdd {
    pub name: String,
    pub email: Option<String>,
    pub display_name: Option<String>,
    pub groups: Vec<String>,
    pub attributes: Vec<(String, String)>,
    pub password: Option<Secret<String>>,
    /// An argon2id hash in PHC form, for imports.
    pub password_hash: Option<String>,
    pub admin: bool,
}

/// How a command came out.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Reply {
    /// 0 ok, 1 it failed, 2 wrong usage, 3 it ran and found something, 75 try again later.
    pub exit: u8,
    /// The data: what `-o json` prints, and what the CLI makes its tables of.
    pub value: Value,
    /// Where it failed: one line of cause, one of remedy.
    pub error: Option<ReplyError>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ReplyError {
    pub cause: String,
    pub remedy: String,
    /// Which HTTP status the API answers.
    pub status: u16,
    /// The failed checks, where checks failed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<crate::model::check::Check>,
}

impl Reply {
    pub fn ok(value: Value) -> Self {
        Self { exit: 0, value, error: None }
    }

    /// It ran and found something (lint, several entities).
    pub fn found(value: Value) -> Self {
        Self { exit: 3, value, error: None }
    }

    pub fn failed(status: u16, cause: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            exit: 1,
            value: Value::Null,
            error: Some(ReplyError { cause: cause.into(), remedy: remedy.into(), status, checks: Vec::new() }),
        }
    }
}
