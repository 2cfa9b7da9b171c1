//! From records and files to a ring.

use std::path::PathBuf;
use std::sync::Arc;

use crate::crypto::keys::{PrivateKey, PublicKey};
use crate::crypto::x509;
use crate::keys::error::KeyRingError;
use crate::keys::ring::{KeyFamily, Ring, RingKey};
use crate::keys::{KeyRingOptions, USE_SAML, files, make};
use crate::model::secret::Secret;
use crate::store::StoreError;
use crate::store::keys::{KeyRecord, KeyState};

/// What to do about a file that is missing or cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Strictness {
    /// At start: refuse, so that whoever set the node up hears of it.
    EveryFile,
    /// While running: say so in the log and go on with the keys that are here.
    WhatIsHere,
}

/// Makes a ring of the records; keys that `previous` opened already are not opened again.
pub(super) fn load(
    options: &KeyRingOptions,
    records: Vec<KeyRecord>,
    previous: &Ring,
    strictness: Strictness,
) -> Result<Ring, KeyRingError> {
    let mut keys = Vec::new();
    let mut retired = Vec::new();
    for record in records {
        if record.key_use != USE_SAML {
            continue;
        }
        if record.state == KeyState::Retired {
            retired.push(record);
            continue;
        }
        let corrupt = |reason: String| StoreError::Corrupt { store: "data", what: "a key record", reason };
        let family = KeyFamily::of(&record.algorithm).ok_or_else(|| corrupt(format!("{} is {}", record.id, record.algorithm)))?;
        let certificate =
            x509::read_pem(record.certificate.as_bytes()).map_err(|error| corrupt(format!("the certificate of {}: {error}", record.id)))?;
        let opened = previous.find(&record.id).filter(|key| key.record.kid == record.kid).and_then(|key| key.private.clone());
        let private = match (opened, strictness) {
            (Some(private), _) => Some(private),
            (None, Strictness::EveryFile) => Some(open_file(options, &record, &certificate.key)?),
            (None, Strictness::WhatIsHere) => match open_file(options, &record, &certificate.key) {
                Ok(private) => Some(private),
                Err(error) => {
                    tracing::error!(key.id = %record.id, %error, remedy = %error.remedy(), "a key of the ring cannot be used on this node");
                    None
                }
            },
        };
        keys.push(Arc::new(RingKey { family, certificate: certificate.facts, public: certificate.key, private, record }));
    }
    Ok(Ring::new(keys, retired))
}

/// The file of a private key.
pub(super) fn key_file(options: &KeyRingOptions, id: &str) -> PathBuf {
    options.directory.join(format!("{id}.pem"))
}

/// Reads a private key and makes sure that it is the one that the record and its certificate speak of.
fn open_file(options: &KeyRingOptions, record: &KeyRecord, public: &PublicKey) -> Result<PrivateKey, KeyRingError> {
    let file = key_file(options, &record.id);
    let missing = || KeyRingError::FileMissing { id: record.id.clone(), file: file.clone() };
    // The name comes from the database: it must not lead out of the directory.
    if record.id.contains(['/', '\0']) {
        return Err(missing());
    }
    let pem = files::read(&file)?.ok_or_else(missing)?;
    let encrypted = is_encrypted(&pem);
    let key = match (&options.passphrase, encrypted) {
        (None, true) => return Err(KeyRingError::PassphraseNeeded { file }),
        (Some(passphrase), true) => {
            PrivateKey::from_pem(pem.expose(), Some(passphrase)).map_err(|_| KeyRingError::PassphraseWrong { file: file.clone() })?
        }
        (passphrase, false) => {
            if passphrase.is_some() {
                tracing::warn!(key.id = %record.id, "a passphrase is configured, but the key's file is not encrypted");
            }
            PrivateKey::from_pem(pem.expose(), None)
                .map_err(|error| KeyRingError::NotAKey { file: file.clone(), reason: error.to_string() })?
        }
    };
    let held = key.public()?;
    if make::kid(&held) != record.kid || held.spki() != public.spki() {
        return Err(KeyRingError::OtherKey { id: record.id.clone(), file });
    }
    Ok(key)
}

/// PKCS#8 (`ENCRYPTED PRIVATE KEY`) and the older form (`Proc-Type: 4,ENCRYPTED`) both carry the word.
fn is_encrypted(pem: &Secret<Vec<u8>>) -> bool {
    pem.expose().windows(9).any(|window| window == b"ENCRYPTED")
}
