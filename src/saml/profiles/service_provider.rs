//! What the judgements need of a registered SP, prepared once when it is loaded.

use std::sync::Arc;

use crate::crypto::keys::PublicKey;
use crate::model::app::{Encrypt, SamlSettings};
use crate::model::check::Check;
use crate::model::sp::{SpKey, SpMetadata};
use crate::model::time::Timestamp;
use crate::saml::bindings::VerifyPolicy;
use crate::saml::messages::shown;
use crate::saml::spec;
use crate::saml::xml::encryption::{EncryptionChoice, EncryptionPolicy};
use crate::saml::xml::signature::sign::SigningKey;
use crate::saml::xml::signature::{SignatureAlgorithm, SignaturePolicy, VerificationKey};

/// A registered SP: metadata, settings, and its keys in usable form.
#[derive(Debug, Clone)]
pub struct SpView {
    pub metadata: Arc<SpMetadata>,
    pub settings: SamlSettings,
    verification_keys: Vec<VerificationKey>,
    /// When the certificate of the key at the same place runs out.
    not_after: Vec<Option<Timestamp>>,
    /// The key to encrypt for, or why there is none.
    encryption: Result<EncryptionTarget, String>,
    /// Our signature algorithms that suit it, the best first.
    algorithms: Vec<SignatureAlgorithm>,
}

/// A key to encrypt for, and how.
#[derive(Debug, Clone)]
pub struct EncryptionTarget {
    pub key: PublicKey,
    pub choice: EncryptionChoice,
}

/// What is to be encrypted in one answer.
#[derive(Debug, Clone, Copy)]
pub enum Encryption<'sp> {
    Nothing,
    /// The NameID alone.
    NameId(&'sp EncryptionTarget),
    /// The assertion; the NameID stays readable inside.
    Assertion(&'sp EncryptionTarget),
    /// The assertion, and the NameID inside once more.
    Both(&'sp EncryptionTarget),
}

impl<'sp> Encryption<'sp> {
    /// Whom the NameID is encrypted for, if it is.
    pub fn of_name_id(self) -> Option<&'sp EncryptionTarget> {
        match self {
            Self::NameId(target) | Self::Both(target) => Some(target),
            Self::Nothing | Self::Assertion(_) => None,
        }
    }

    /// Whom the assertion is encrypted for, if it is.
    pub fn of_assertion(self) -> Option<&'sp EncryptionTarget> {
        match self {
            Self::Assertion(target) | Self::Both(target) => Some(target),
            Self::Nothing | Self::NameId(_) => None,
        }
    }
}

impl SpView {
    /// Prepares an SP. Keys that cannot be used are left out here; the lint of its metadata names them.
    pub fn new(metadata: Arc<SpMetadata>, settings: SamlSettings) -> Self {
        let usable = |key: &SpKey| Some((VerificationKey::from_spki(&key.spki).ok()?, key.certificate.as_ref().map(|c| c.not_after)));
        let (verification_keys, not_after) = metadata.signing_keys().filter_map(usable).unzip();
        let encryption = choose_encryption(&metadata, &settings);
        let algorithms = choose_algorithms(&metadata, &settings);
        Self { metadata, settings, verification_keys, not_after, encryption, algorithms }
    }

    /// Keys that verify what it signs.
    pub fn verification_keys(&self) -> &[VerificationKey] {
        &self.verification_keys
    }

    /// When the certificate of a verification key runs out, if it came in one.
    pub fn key_expires(&self, key: usize) -> Option<Timestamp> {
        self.not_after.get(key).copied().flatten()
    }

    /// What is demanded of its signatures. Metadata 2.4.4: AuthnRequestsSigned binds whatever the settings say.
    pub fn verify_policy(&self) -> VerifyPolicy {
        VerifyPolicy {
            require_signature: self.metadata.authn_requests_signed || self.settings.require_signed_requests == Some(true),
            algorithms: SignaturePolicy { allow_sha1: self.settings.allow_sha1, allow_weak_keys: self.settings.allow_weak_keys },
        }
    }

    /// What to encrypt in an answer; `name_id` asks for an EncryptedID.
    ///
    /// # Errors
    /// A failed check where encryption is demanded and there is no usable key.
    pub fn encryption(&self, name_id: bool) -> Result<Encryption<'_>, Box<Check>> {
        let name_id = name_id || self.settings.encrypt_name_id;
        match (self.settings.encrypt, &self.encryption) {
            // An encrypted assertion hides the NameID too; who asks for an EncryptedID gets one inside all the same.
            (Encrypt::WhenPossible | Encrypt::Always, Ok(target)) if name_id => Ok(Encryption::Both(target)),
            (Encrypt::WhenPossible | Encrypt::Always, Ok(target)) => Ok(Encryption::Assertion(target)),
            (Encrypt::Never, Ok(target)) if name_id => Ok(Encryption::NameId(target)),
            (Encrypt::Never | Encrypt::WhenPossible, _) if !name_id => Ok(Encryption::Nothing),
            (_, Err(why)) => Err(Box::new(Check::failed(
                &spec::ENCRYPT_POSSIBLE,
                format!("Encryption is demanded, but {why}."),
                if self.settings.encrypt == Encrypt::Always {
                    "Import metadata with an encryption certificate (RSA), or set saml.encrypt=when_possible."
                } else {
                    "Import metadata with an encryption certificate (RSA), or let neither saml.encrypt_name_id nor the app ask for an \
                     encrypted NameID."
                },
            ))),
            (_, Ok(_)) => Ok(Encryption::Nothing),
        }
    }

    /// Our signature algorithms that suit it, the best first.
    pub fn algorithms(&self) -> &[SignatureAlgorithm] {
        &self.algorithms
    }

    /// What there is to say about signing for it by an algorithm: a warning where it declares others only and no setting
    /// overrules that.
    pub fn check_signing(&self, algorithm: SignatureAlgorithm) -> Check {
        if self.settings.signature_algorithm.is_some() || declares(&self.metadata, algorithm) {
            return Check::passed(&spec::SIGN_POSSIBLE, algorithm.to_string());
        }
        let declared: Vec<&str> = self.metadata.signing_methods.iter().chain(&self.metadata.digest_methods).map(String::as_str).collect();
        Check::warned(
            &spec::SIGN_POSSIBLE,
            format!("{algorithm}, although the app declares only algorithms that we do not sign with."),
            "Ask the app's people whether it verifies this one and to declare it in the metadata; or set saml.signature_algorithm.",
        )
        .seen(shown(&declared.join(" ")))
        .allowed([algorithm.uri().to_owned()])
    }
}

fn choose_encryption(metadata: &SpMetadata, settings: &SamlSettings) -> Result<EncryptionTarget, String> {
    let policy = EncryptionPolicy { allow_cbc: settings.allow_cbc, allow_weak_keys: settings.allow_weak_keys };
    let mut why = "the app publishes no encryption key".to_owned();
    for key in metadata.encryption_keys() {
        let choice = EncryptionChoice::pick(key, policy).map_err(|error| error.to_string());
        match choice.and_then(|choice| Ok((choice, PublicKey::from_spki(&key.spki).map_err(|error| error.to_string())?))) {
            Ok((choice, key)) => return Ok(EncryptionTarget { key, choice }),
            Err(error) => why = error,
        }
    }
    Err(why)
}

/// The setting alone; else what the SP declares (`alg:SigningMethod`, `alg:DigestMethod`); last RSA-SHA256 (contract).
fn choose_algorithms(metadata: &SpMetadata, settings: &SamlSettings) -> Vec<SignatureAlgorithm> {
    if let Some(uri) = &settings.signature_algorithm {
        return SignatureAlgorithm::from_uri(uri).into_iter().collect();
    }
    let methods = match (metadata.signing_methods.is_empty(), metadata.digest_methods.is_empty()) {
        (true, true) => Vec::new(),
        (true, false) => vec![SignatureAlgorithm::RsaSha256, SignatureAlgorithm::RsaSha384, SignatureAlgorithm::RsaSha512],
        (false, _) => metadata.signing_methods.iter().filter_map(|uri| SignatureAlgorithm::from_uri(uri)).collect(),
    };
    let mut chosen: Vec<SignatureAlgorithm> =
        methods.into_iter().filter(|algorithm| !is_sha1(*algorithm) && declares(metadata, *algorithm)).collect();
    if !chosen.contains(&SignatureAlgorithm::RsaSha256) {
        chosen.push(SignatureAlgorithm::RsaSha256);
    }
    chosen
}

/// Whether the metadata leaves room for an algorithm: what it is silent about, it leaves open.
fn declares(metadata: &SpMetadata, algorithm: SignatureAlgorithm) -> bool {
    let fits = |declared: &[String], uri: &str| declared.is_empty() || declared.iter().any(|one| one == uri);
    fits(&metadata.signing_methods, algorithm.uri()) && fits(&metadata.digest_methods, algorithm.digest_uri())
}

fn is_sha1(algorithm: SignatureAlgorithm) -> bool {
    matches!(algorithm, SignatureAlgorithm::RsaSha1 | SignatureAlgorithm::EcdsaSha1)
}

/// Our active keys, each with every algorithm that it signs by.
#[derive(Debug, Clone, Default)]
pub struct SigningKeys {
    keys: Vec<SigningKey>,
}

impl SigningKeys {
    /// Takes the keys; of two with one algorithm the first signs.
    pub fn new(keys: Vec<SigningKey>) -> Self {
        Self { keys }
    }

    /// The key for an SP: by the best of its algorithms that we hold a key for.
    ///
    /// # Errors
    /// A failed check where there is none.
    pub fn for_sp(&self, sp: &SpView) -> Result<&SigningKey, Box<Check>> {
        let fitting = sp.algorithms().iter().find_map(|algorithm| self.keys.iter().find(|key| key.algorithm() == *algorithm));
        fitting.ok_or_else(|| {
            let seen = sp.settings.signature_algorithm.clone().unwrap_or_else(|| "rsa-sha256".to_owned());
            Box::new(
                Check::failed(
                    &spec::SIGN_POSSIBLE,
                    "There is no active key for the signature algorithm that this app is to get.",
                    "Make such a key by \"linkspan key new\", or clear saml.signature_algorithm.",
                )
                .seen(seen)
                .allowed(self.keys.iter().map(|key| key.algorithm().uri().to_owned())),
            )
        })
    }
}
