//! Requests that wait for a person.

use serde::{Deserialize, Serialize};

use crate::model::secret::Digest;
use crate::model::time::Timestamp;

/// One interrupted request, as it came in; it is judged again when it goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingRequest {
    /// Digest of the browser cookie that it belongs to.
    pub browser: Digest,
    /// When the message arrived: waiting does not make it old.
    pub created: Timestamp,
    /// When this browser took it up: a sign-in that ForceAuthn asks for has to be later.
    pub claimed: Timestamp,
    pub expires: Timestamp,
    pub request: WaitingRequest,
}

/// What waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum WaitingRequest {
    /// An AuthnRequest by HTTP-Redirect: the query string exactly as received.
    SamlRedirect { query: String },
    /// An AuthnRequest by HTTP-POST: the form fields as received.
    SamlPost { saml_request: String, relay_state: Option<String> },
    /// An IdP-initiated sign-on.
    SamlStart { sp: String, target: Option<String> },
    /// A page of ours.
    Page { path: String },
}
