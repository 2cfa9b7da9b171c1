//! An app: whatever consumes a sign-in. So far `type = saml`.

use serde::{Deserialize, Serialize};

use crate::model::id::{AppId, EntityId};
use crate::model::time::Timestamp;

/// A registered app as it is stored. The parsed metadata beside it is made from `metadata` at load.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct App {
    pub id: AppId,
    pub name: String,
    pub enabled: bool,
    pub entity_id: EntityId,
    pub source: AppSource,
    /// The imported EntityDescriptor exactly as received, as text.
    pub metadata: String,
    pub saml: SamlSettings,
    pub release: Release,
    pub created: Timestamp,
    pub updated: Timestamp,
    /// Counts up with every change; the `ETag` of the API.
    pub revision: i64,
}

/// Where an app's metadata came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum AppSource {
    /// Given once: file, standard input, API body; `signer` is the pinned certificate (PEM).
    Upload {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        signer: Option<String>,
    },
    /// Fetched from a URL, and again on `app refresh`; `signer` is the pinned certificate (PEM).
    Url { url: String, signer: Option<String> },
    /// A file of `saml.metadata_dir`; `gone` while the file is not there, which is why the app is switched off.
    File {
        path: String,
        #[serde(default)]
        gone: bool,
    },
}

impl AppSource {
    /// The certificate that must have signed the metadata.
    pub fn signer(&self) -> Option<&str> {
        match self {
            Self::Upload { signer } | Self::Url { signer, .. } => signer.as_deref(),
            Self::File { .. } => None,
        }
    }
}

/// What is to be signed in an answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sign {
    #[default]
    Assertion,
    Response,
    Both,
}

/// When assertions are encrypted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Encrypt {
    Never,
    /// Where the SP publishes a usable key.
    #[default]
    WhenPossible,
    /// Refuse rather than send in the clear.
    Always,
}

/// Per-app settings of the `[saml]` table: `app set ID saml.KEY=VALUE`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SamlSettings {
    pub sign: Sign,
    pub encrypt: Encrypt,
    /// Encrypt the NameID as EncryptedID inside an unencrypted assertion.
    pub encrypt_name_id: bool,
    pub nameid: NameIdSettings,
    /// Unset follows the metadata; `false` never overrules AuthnRequestsSigned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub require_signed_requests: Option<bool>,
    /// An XML Signature algorithm URI; unset chooses from what the SP declares, else RSA-SHA256.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signature_algorithm: Option<String>,
    /// The scope of pairwise-id and subject-id; unset is the host of `public_url`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    pub allow_sha1: bool,
    pub allow_weak_keys: bool,
    pub allow_http: bool,
    /// AES-CBC where the SP declares no AES-GCM.
    pub allow_cbc: bool,
}

/// How the NameID is chosen where the request does not say.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NameIdSettings {
    /// `persistent`, `transient`, `emailAddress`, `unspecified`, or a format URI.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
    /// The expression for `unspecified`; unset is the user name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
}

/// What an app is told about a person: presets, then rows of its own.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Release {
    /// Names of presets, as `basic`.
    pub presets: Vec<String>,
    pub rows: Vec<ReleaseRow>,
}

/// One attribute: its name on the wire, the minijinja expression of its value, the name format.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReleaseRow {
    pub name: String,
    /// An expression over `user`, `app`, as `user.email | lower`.
    pub value: String,
    /// A NameFormat URI; unset is `…attrname-format:unspecified`, which is then left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub friendly_name: Option<String>,
}
