//! Making keys: the first ones of a database and those that follow.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::crypto::CryptoError;
use crate::crypto::digest;
use crate::crypto::keys::{KeyKind, PrivateKey, PublicKey};
use crate::crypto::random::Random;
use crate::crypto::x509;
use crate::keys::error::KeyRingError;
use crate::keys::ring::KeyFamily;
use crate::keys::seal::SealKey;
use crate::keys::{CERTIFICATE_DAYS, KeyRingOptions, USE_SAML, USE_SEAL, files, load};
use crate::model::sp::KeyAlgorithm;
use crate::model::time::Timestamp;
use crate::store::keys::{KeyRecord, KeyState, Keys};
use crate::store::users::Inserted;

/// Makes the keys of a new database. Where another node was faster, its keys count and nothing of ours stays.
pub(super) async fn first_keys(
    options: &KeyRingOptions,
    store: &dyn Keys,
    now: Timestamp,
    random: &mut Random,
) -> Result<(), KeyRingError> {
    let (seal, seal_is_new) = match SealKey::read(&options.seal_file)? {
        Some(seal) => (seal, false),
        None => SealKey::create(&options.seal_file, random)?,
    };
    let seal_id = seal.id()?;
    let mut records = Vec::new();
    for kind in [KeyKind::Rsa2048, KeyKind::EcP256] {
        let key = generate(kind).await?;
        let certificate = x509::self_signed(&key, &options.common_name, now, CERTIFICATE_DAYS)?;
        records.push(write_key(options, &key, &certificate, KeyState::Active, now, &records)?);
    }
    records.push(KeyRecord {
        id: USE_SEAL.to_owned(),
        kid: seal_id.clone(),
        key_use: USE_SEAL.to_owned(),
        algorithm: "HMAC-SHA256".to_owned(),
        state: KeyState::Published,
        certificate: String::new(),
        created: now,
    });
    if store.insert_first(&records).await? == Inserted::Taken {
        for record in records.iter().filter(|record| record.key_use == USE_SAML) {
            files::remove(&load::key_file(options, &record.id));
        }
        // With a shared storage directory the winner may have taken the seal key that was made here.
        let winner = store.all().await?;
        if seal_is_new && !winner.iter().any(|record| record.kid == seal_id) {
            files::remove(&options.seal_file);
        }
    }
    Ok(())
}

/// Makes a key pair. Finding primes takes a tenth of a second: not on a thread that answers requests.
pub(super) async fn generate(kind: KeyKind) -> Result<PrivateKey, KeyRingError> {
    let made = tokio::task::spawn_blocking(move || PrivateKey::generate(kind)).await;
    made.map_err(|error| CryptoError(format!("making a key was interrupted: {error}")))?.map_err(KeyRingError::Crypto)
}

/// Writes the private key under a free name (neither a file nor one of `taken`) and returns the record for it.
pub(super) fn write_key(
    options: &KeyRingOptions,
    key: &PrivateKey,
    certificate: &[u8],
    state: KeyState,
    now: Timestamp,
    taken: &[KeyRecord],
) -> Result<KeyRecord, KeyRingError> {
    let pem = key.to_pem(options.passphrase.as_ref())?;
    let kid = kid(&key.public()?);
    let kind = if matches!(key.algorithm(), KeyAlgorithm::Rsa(_)) { "rsa" } else { "ec" };
    let day: String = now.to_rfc3339().chars().take(10).collect();
    let mut id = format!("{USE_SAML}-{kind}-{day}");
    let mut number = 1;
    while taken.iter().any(|record| record.id == id) || !files::write_new(&load::key_file(options, &id), &pem, &kid)? {
        number += 1;
        id = format!("{USE_SAML}-{kind}-{day}-{number}");
    }
    Ok(KeyRecord {
        id,
        kid,
        key_use: USE_SAML.to_owned(),
        algorithm: algorithm_name(key),
        state,
        certificate: x509::to_pem(certificate)?,
        created: now,
    })
}

/// The name of a key for JOSE and for comparing: SHA-256 of its SubjectPublicKeyInfo, base64url.
pub(super) fn kid(public: &PublicKey) -> String {
    URL_SAFE_NO_PAD.encode(digest::sha256(public.spki()).as_bytes())
}

/// `RSA-2048`, `EC-P256`.
pub(super) fn algorithm_name(key: &PrivateKey) -> String {
    match key.algorithm() {
        KeyAlgorithm::Rsa(bits) => format!("RSA-{bits}"),
        KeyAlgorithm::Ec(curve) => format!("EC-{}", curve.replace('-', "")),
        KeyAlgorithm::Other(name) => name.clone(),
    }
}

pub(super) fn family(kind: KeyKind) -> KeyFamily {
    match kind {
        KeyKind::Rsa2048 => KeyFamily::Rsa,
        KeyKind::EcP256 => KeyFamily::Ec,
    }
}
