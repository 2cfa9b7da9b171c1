//! Audit events: one typed enum, exactly one event per outcome. Names are never renamed, only added.

use serde::{Deserialize, Serialize};

use crate::model::id::Reference;
use crate::model::time::Timestamp;

/// One line of the audit log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditRecord {
    pub at: Timestamp,
    #[serde(flatten)]
    pub event: Event,
    /// Who did it: a user name, `apikey:NAME`, `cli`, or nothing for a stranger.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    /// The address it came from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference: Option<Reference>,
    /// The public ID of the session it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
}

/// Who did something, from where, in which exchange.
#[derive(Debug, Clone, Default)]
pub struct AuditContext {
    pub actor: Option<String>,
    pub client: Option<String>,
    pub reference: Option<Reference>,
    pub session: Option<String>,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event")]
pub enum Event {
    #[serde(rename = "login.succeeded")]
    LoginSucceeded { user: String, method: String },
    /// `check` is the rule that said no; the user name as typed is kept only if such an account exists.
    #[serde(rename = "login.failed")]
    LoginFailed { user: Option<String>, check: String },
    #[serde(rename = "login.locked")]
    LoginLocked { user: Option<String>, seconds: i64 },
    #[serde(rename = "session.started")]
    SessionStarted { user: String },
    #[serde(rename = "session.ended")]
    SessionEnded { user: String, reason: String },
    #[serde(rename = "saml.sso.succeeded")]
    SamlSsoSucceeded { user: String, app: String, entity_id: String, name_id_format: String, assertion_id: String },
    #[serde(rename = "saml.unsolicited.sent")]
    SamlUnsolicitedSent { user: String, app: String, entity_id: String, name_id_format: String, assertion_id: String },
    #[serde(rename = "saml.sso.failed")]
    SamlSsoFailed { app: Option<String>, check: String },
    #[serde(rename = "saml.replay.detected")]
    SamlReplayDetected { app: String },
    #[serde(rename = "user.created")]
    UserCreated { user: String },
    #[serde(rename = "user.updated")]
    UserUpdated { user: String, fields: Vec<String> },
    #[serde(rename = "user.disabled")]
    UserDisabled { user: String },
    #[serde(rename = "user.enabled")]
    UserEnabled { user: String },
    #[serde(rename = "user.deleted")]
    UserDeleted { user: String },
    #[serde(rename = "group.member_added")]
    GroupMemberAdded { user: String, group: String },
    #[serde(rename = "group.member_removed")]
    GroupMemberRemoved { user: String, group: String },
    #[serde(rename = "group.created")]
    GroupCreated { group: String },
    #[serde(rename = "group.deleted")]
    GroupDeleted { group: String },
    #[serde(rename = "app.created")]
    AppCreated { app: String, entity_id: String },
    #[serde(rename = "app.updated")]
    AppUpdated { app: String, changes: Vec<Change> },
    #[serde(rename = "app.deleted")]
    AppDeleted { app: String, entity_id: String },
    #[serde(rename = "app.metadata.refreshed")]
    AppMetadataRefreshed { app: String },
    #[serde(rename = "app.metadata.rejected")]
    AppMetadataRejected { source: String, reason: String },
    #[serde(rename = "key.created")]
    KeyCreated { kid: String, algorithm: String },
    #[serde(rename = "key.promoted")]
    KeyPromoted { kid: String },
    #[serde(rename = "key.retired")]
    KeyRetired { kid: String },
    #[serde(rename = "admin.granted")]
    AdminGranted { user: String },
    #[serde(rename = "admin.revoked")]
    AdminRevoked { user: String },
    #[serde(rename = "apikey.created")]
    ApiKeyCreated { name: String, scopes: Vec<String> },
    #[serde(rename = "apikey.revoked")]
    ApiKeyRevoked { name: String },
    #[serde(rename = "system.started")]
    SystemStarted { version: String },
    #[serde(rename = "system.stopped")]
    SystemStopped,
}

/// One field before and after; secrets never enter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    pub field: String,
    pub before: Option<String>,
    pub after: Option<String>,
}

impl Event {
    /// The stable name, as `saml.sso.succeeded`.
    pub fn name(&self) -> String {
        let value = serde_json::to_value(self).unwrap_or_default();
        value.get("event").and_then(|name| name.as_str()).unwrap_or("unknown").to_owned()
    }
}
