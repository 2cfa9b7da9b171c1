//! A snapshot of the keys: what signs, and what is published.

use std::sync::Arc;

use crate::crypto::keys::{PrivateKey, PublicKey};
use crate::model::sp::CertificateFacts;
use crate::store::keys::{KeyRecord, KeyState};

/// Families of signing algorithms; in each, one key is active.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyFamily {
    Rsa,
    Ec,
}

impl KeyFamily {
    /// The family of a record's algorithm: `RSA-2048`, `EC-P256`.
    pub fn of(algorithm: &str) -> Option<Self> {
        match algorithm.split('-').next() {
            Some("RSA") => Some(Self::Rsa),
            Some("EC") => Some(Self::Ec),
            _ => None,
        }
    }
}

/// One key with everything that this node knows of it.
#[derive(Debug, Clone)]
pub struct RingKey {
    pub record: KeyRecord,
    pub family: KeyFamily,
    /// The certificate, DER in `der`.
    pub certificate: CertificateFacts,
    pub public: PublicKey,
    /// `None` where the file has not reached this node yet.
    pub private: Option<PrivateKey>,
}

/// The keys as they stood at one moment. A request takes one snapshot and stays with it.
#[derive(Debug, Clone, Default)]
pub struct Ring {
    /// All but the retired ones: active first, then next, then published; RSA before EC, which older SPs cannot read.
    keys: Vec<Arc<RingKey>>,
    retired: Vec<KeyRecord>,
}

impl Ring {
    pub(super) fn new(mut keys: Vec<Arc<RingKey>>, retired: Vec<KeyRecord>) -> Self {
        let rank = |key: &RingKey| {
            let state = match key.record.state {
                KeyState::Active => 0,
                KeyState::Next => 1,
                KeyState::Published => 2,
                KeyState::Retired => 3,
            };
            (state, key.family == KeyFamily::Ec)
        };
        // Stable: within a rank the order of the store, which is that of creation.
        keys.sort_by_key(|key| rank(key));
        Self { keys, retired }
    }

    /// The key that signs for a family: the active one or, while its file has not reached this node, the newest published
    /// one whose file is here, which every app still trusts.
    pub fn active(&self, family: KeyFamily) -> Option<&Arc<RingKey>> {
        let mut usable = self.keys.iter().filter(|key| key.family == family && key.private.is_some());
        usable
            .clone()
            .find(|key| key.record.state == KeyState::Active)
            .or_else(|| usable.rfind(|key| key.record.state == KeyState::Published))
    }

    /// All keys that apps may trust, for our metadata: active, next, published.
    pub fn published(&self) -> impl Iterator<Item = &Arc<RingKey>> {
        self.keys.iter()
    }

    /// Records of all keys, retired ones last, for `key list`.
    pub fn records(&self) -> impl Iterator<Item = &KeyRecord> {
        self.keys.iter().map(|key| &key.record).chain(&self.retired)
    }

    /// The key with this ID, unless it is retired.
    pub fn find(&self, id: &str) -> Option<&Arc<RingKey>> {
        self.keys.iter().find(|key| key.record.id == id)
    }
}
