//! People and groups.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::model::id::UserId;
use crate::model::time::Timestamp;

/// A person who can sign in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    pub id: UserId,
    /// The sign-in name; unique without regard to case.
    pub name: String,
    pub email: Option<String>,
    pub display_name: Option<String>,
    /// Further attributes: `givenName`, `sn`, `eduPersonAffiliation`, …; each may have several values.
    pub attributes: BTreeMap<String, Vec<String>>,
    pub groups: Vec<String>,
    pub admin: bool,
    pub enabled: bool,
    /// Argon2id in PHC form; never shown. `None`: no password, cannot sign in by one.
    pub password_hash: Option<String>,
    pub created: Timestamp,
    pub updated: Timestamp,
    pub revision: i64,
}

impl User {
    /// The form under which names are compared and unique: trimmed, lower case.
    pub fn fold(name: &str) -> String {
        name.trim().to_lowercase()
    }
}
