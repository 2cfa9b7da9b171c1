//! The key ring: makes, keeps, publishes and replaces the keys that we sign with.
//!
//! Public parts are records of the database, private parts are PEM files in the keys directory of every node; `seal.key`
//! lies beside the embedded stores. Only the first node of a database makes keys. A node whose files do not fit the
//! database does not start: signing with a key that no app knows, or deriving other NameIDs than the other nodes, would
//! break sign-ins in ways that nobody can see from here.

pub mod error;
mod files;
mod load;
mod make;
pub mod ring;
pub mod seal;
pub mod transition;

#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

use crate::crypto::CryptoError;
use crate::crypto::keys::{KeyKind, PrivateKey};
use crate::crypto::random::Random;
use crate::crypto::x509;
use crate::keys::error::KeyRingError;
use crate::keys::load::Strictness;
use crate::keys::ring::{KeyFamily, Ring};
use crate::keys::seal::{Purpose, SealKey};
use crate::model::secret::Secret;
use crate::model::sp::KeyAlgorithm;
use crate::model::time::Timestamp;
use crate::store::keys::{KeyRecord, KeyState, Keys};
use crate::store::users::Inserted;

/// `use` of the keys that sign SAML messages and metadata.
const USE_SAML: &str = "saml";
/// `use` of the record that says which seal.key belongs to the database.
const USE_SEAL: &str = "seal";

/// Days that our certificates are valid: ten years. An SP pins the key; replacing it is a change at every SP, which
/// `key new` and `key promote` make plannable. A certificate's date would force the same change at a bad moment, at the few
/// products that look at dates.
const CERTIFICATE_DAYS: u32 = 3650;

/// Where the keys are, and how new ones are named.
#[derive(Debug, Clone)]
pub struct KeyRingOptions {
    /// `keys.directory`: the PEM files.
    pub directory: PathBuf,
    /// `seal.key` in the storage directory.
    pub seal_file: PathBuf,
    /// The passphrase under which private keys rest, if they shall be encrypted.
    pub passphrase: Option<Secret<String>>,
    /// The host of `public_url`: the common name of certificates.
    pub common_name: String,
}

/// A key to be taken into the ring.
#[derive(Debug)]
pub struct Import<'a> {
    /// PEM of the private key.
    pub key: &'a Secret<String>,
    /// The passphrase of that PEM.
    pub passphrase: Option<&'a Secret<String>>,
    /// PEM of its certificate; a self-signed one is made where none is given.
    pub certificate: Option<&'a str>,
}

/// The keys of this node.
pub struct KeyRing {
    options: KeyRingOptions,
    store: Arc<dyn Keys>,
    seal: SealKey,
    current: RwLock<Arc<Ring>>,
}

/// The kind of key that `key new ALGORITHM` names.
pub fn key_kind(algorithm: &str) -> Option<KeyKind> {
    match algorithm.to_ascii_uppercase().as_str() {
        "RSA-2048" => Some(KeyKind::Rsa2048),
        "EC-P256" => Some(KeyKind::EcP256),
        _ => None,
    }
}

impl KeyRing {
    /// Opens the ring; on the first start of the first node of a database makes an RSA-2048 and an EC P-256 key and the
    /// seal key.
    ///
    /// # Errors
    /// Refuses to open where a file is missing, open to others, not the one that the database knows, or does not open with
    /// the passphrase; `is_configuration` tells these from an outage.
    pub async fn open(options: KeyRingOptions, store: Arc<dyn Keys>, now: Timestamp, random: &mut Random) -> Result<Self, KeyRingError> {
        files::prepare_directory(&options.directory)?;
        let mut records = store.all().await?;
        if records.is_empty() {
            make::first_keys(&options, store.as_ref(), now, random).await?;
            records = store.all().await?;
        }
        let seal = SealKey::read(&options.seal_file)?.ok_or_else(|| KeyRingError::SealMissing { file: options.seal_file.clone() })?;
        let known = records.iter().find(|record| record.key_use == USE_SEAL);
        if known.is_none_or(|record| seal.id().ok().as_ref() != Some(&record.kid)) {
            return Err(KeyRingError::OtherSeal { file: options.seal_file });
        }
        let ring = load::load(&options, records, &Ring::default(), Strictness::EveryFile)?;
        Ok(Self { options, store, seal, current: RwLock::new(Arc::new(ring)) })
    }

    /// The keys as they stand now.
    pub fn current(&self) -> Arc<Ring> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The secret for one purpose, the same on every node of the database.
    pub fn derive(&self, purpose: Purpose) -> Result<Secret<[u8; 32]>, CryptoError> {
        self.seal.derive(purpose)
    }

    /// Reads the records again, after this or another node changed them. A file that has not reached this node yet is
    /// reported in the log and leaves its key unused here; nothing that signs is lost.
    ///
    /// # Errors
    /// Fails where the store does; the ring stays as it was.
    pub async fn reload(&self) -> Result<(), KeyRingError> {
        let records = self.store.all().await?;
        let ring = load::load(&self.options, records, &self.current(), Strictness::WhatIsHere)?;
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(ring);
        Ok(())
    }

    /// Makes a `next` key of each kind: published from now on, so that apps learn it, but not used before `promote`.
    ///
    /// # Errors
    /// Refuses where a family has a `next` key already.
    pub async fn make_next(&self, kinds: &[KeyKind], now: Timestamp) -> Result<Vec<KeyRecord>, KeyRingError> {
        let records = self.store.all().await?;
        for kind in kinds {
            refuse_second_next(&records, make::family(*kind))?;
        }
        let mut made = Vec::new();
        for kind in kinds {
            let key = make::generate(*kind).await?;
            let certificate = x509::self_signed(&key, &self.options.common_name, now, CERTIFICATE_DAYS)?;
            made.push(self.add(&key, &certificate, now).await?);
        }
        self.reload().await?;
        Ok(made)
    }

    /// Takes a key from elsewhere into the ring as `next`.
    ///
    /// # Errors
    /// Refuses what is not a key that can sign here, is known already, or does not fit its certificate.
    pub async fn import(&self, import: Import<'_>, now: Timestamp) -> Result<KeyRecord, KeyRingError> {
        let key = PrivateKey::from_pem(import.key.expose().as_bytes(), import.passphrase)
            .map_err(|error| KeyRingError::ImportUnreadable(error.to_string()))?;
        let suitable = match key.algorithm() {
            KeyAlgorithm::Rsa(bits) => (2048..=8192).contains(bits),
            KeyAlgorithm::Ec(curve) => curve == "P-256",
            KeyAlgorithm::Other(_) => false,
        };
        if !suitable {
            return Err(KeyRingError::ImportUnsuitable(key.algorithm().to_string()));
        }
        let public = key.public()?;
        let certificate = match import.certificate {
            None => x509::self_signed(&key, &self.options.common_name, now, CERTIFICATE_DAYS)?,
            Some(pem) => {
                let certificate = x509::read_pem(pem.as_bytes()).map_err(|_| KeyRingError::ImportCertificate("cannot be read"))?;
                if certificate.key.spki() != public.spki() {
                    return Err(KeyRingError::ImportCertificate("is of another key"));
                }
                certificate.facts.der
            }
        };
        let records = self.store.all().await?;
        let kid = make::kid(&public);
        if let Some(known) = records.iter().find(|record| record.kid == kid) {
            return Err(KeyRingError::ImportKnown(known.id.clone()));
        }
        if let Some(family) = KeyFamily::of(&make::algorithm_name(&key)) {
            refuse_second_next(&records, family)?;
        }
        let record = self.add(&key, &certificate, now).await?;
        self.reload().await?;
        Ok(record)
    }

    /// Makes a key the one that signs in its family; the one before stays published.
    ///
    /// # Errors
    /// Refuses where the key's file is not on this node; where another node moved the same keys, `Raced`.
    pub async fn promote(&self, id: &str) -> Result<(), KeyRingError> {
        let moves = transition::promote(&self.signing_records().await?, id)?;
        self.reload().await?;
        if self.current().find(id).is_none_or(|key| key.private.is_none()) {
            return Err(KeyRingError::NotOnThisNode { id: id.to_owned() });
        }
        self.shift(moves).await
    }

    /// Takes a key out of everything that we publish. Its file stays where it is, for whoever has to prove something later.
    ///
    /// # Errors
    /// Refuses to retire the active key; where another node moved the same key, `Raced`.
    pub async fn retire(&self, id: &str) -> Result<(), KeyRingError> {
        let moves = transition::retire(&self.signing_records().await?, id)?;
        self.shift(moves).await
    }

    async fn signing_records(&self) -> Result<Vec<KeyRecord>, KeyRingError> {
        let mut records = self.store.all().await?;
        records.retain(|record| record.key_use == USE_SAML);
        Ok(records)
    }

    async fn shift(&self, moves: Vec<transition::Move>) -> Result<(), KeyRingError> {
        let moved = self.store.shift(&moves).await?;
        self.reload().await?;
        if moved { Ok(()) } else { Err(KeyRingError::Raced) }
    }

    /// Writes the file first and the record second: a record without its file would keep every node from starting, a file
    /// without a record is only left over.
    async fn add(&self, key: &PrivateKey, certificate: &[u8], now: Timestamp) -> Result<KeyRecord, KeyRingError> {
        // Another node may take the name between the look and the insert; three times in a row it does not.
        for _ in 0..3 {
            let taken = self.store.all().await?;
            let record = make::write_key(&self.options, key, certificate, KeyState::Next, now, &taken)?;
            match self.store.insert(&record).await? {
                Inserted::Inserted => return Ok(record),
                Inserted::Taken => files::remove(&load::key_file(&self.options, &record.id)),
            }
        }
        Err(KeyRingError::Raced)
    }
}

fn refuse_second_next(records: &[KeyRecord], family: KeyFamily) -> Result<(), KeyRingError> {
    let next = records
        .iter()
        .find(|record| record.key_use == USE_SAML && record.state == KeyState::Next && KeyFamily::of(&record.algorithm) == Some(family));
    match next {
        Some(next) => Err(KeyRingError::NextExists { id: next.id.clone(), algorithm: next.algorithm.clone() }),
        None => Ok(()),
    }
}
