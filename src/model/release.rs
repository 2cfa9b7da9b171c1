//! What an app is told about a person, once the rules of release have been applied.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// One attribute as it goes into an assertion (Core 2.7.3.1). Names are shared with the app's release plan, so that a
/// sign-in copies only values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReleasedAttribute {
    pub name: Arc<str>,
    /// A NameFormat URI; `None` leaves the XML attribute out, which means unspecified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name_format: Option<Arc<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub friendly_name: Option<Arc<str>>,
    /// At least one; each fit for XML.
    pub values: Vec<String>,
}
