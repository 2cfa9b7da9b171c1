//! One test app: who it is, its keys, and what it keeps.

use std::net::SocketAddr;

use samael::crypto::AllowedSignatureAlgorithm;
use samael::metadata::EntityDescriptor;
use samael::service_provider::ServiceProvider;

use crate::crypto::keys::{KeyKind, PrivateKey};
use crate::crypto::x509;
use crate::demo::idp::IdpSource;
use crate::demo::memory::Memory;
use crate::demo::{DemoConfig, DemoError};
use crate::model::time::Timestamp;

const EMAIL: &str = "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress";
const PERSISTENT: &str = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent";

/// The two apps differ on purpose, so that between them most of a sign-in is seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Signs its requests, sends them by HTTP-Redirect, wants encrypted assertions, knows people by e-mail address.
    One,
    /// Sends unsigned requests by HTTP-POST, takes assertions in the clear, knows people by a persistent pseudonym.
    Two,
}

/// A test app.
pub struct Sp {
    pub kind: Kind,
    /// `http://127.0.0.1:8081`, the only host it answers to.
    pub base: String,
    pub entity_id: String,
    pub acs: String,
    /// The other app's base address.
    pub other: String,
    pub idp_logout: String,
    pub key: PrivateKey,
    /// Its certificate, DER.
    pub certificate: Vec<u8>,
    pub idp: IdpSource,
    pub memory: Memory,
    pub now: fn() -> Timestamp,
}

impl Sp {
    /// Makes an app with a key of its own.
    pub fn new(kind: Kind, address: SocketAddr, other: SocketAddr, config: &DemoConfig) -> Result<Self, DemoError> {
        let base = format!("http://{address}");
        let key = PrivateKey::generate(KeyKind::Rsa2048)?;
        let certificate = x509::self_signed(&key, kind.name(), (config.now)(), 365)?;
        Ok(Self {
            kind,
            entity_id: format!("{base}/metadata"),
            acs: format!("{base}/acs"),
            base,
            other: format!("http://{other}"),
            idp_logout: format!("{}/logout", config.idp_public_url.trim_end_matches('/')),
            key,
            certificate,
            idp: IdpSource::new(config.idp_metadata_url.clone())?,
            memory: Memory::default(),
            now: config.now,
        })
    }

    pub fn name(&self) -> &'static str {
        self.kind.name()
    }

    pub fn other_name(&self) -> &'static str {
        match self.kind {
            Kind::One => Kind::Two.name(),
            Kind::Two => Kind::One.name(),
        }
    }

    /// The name of its cookie. Ports share cookies, so it has to differ from the other app's and the server's.
    pub fn cookie(&self) -> &'static str {
        match self.kind {
            Kind::One => "demo_one",
            Kind::Two => "demo_two",
        }
    }

    pub fn signs_requests(&self) -> bool {
        self.kind == Kind::One
    }

    pub fn decrypts(&self) -> bool {
        self.kind == Kind::One
    }

    /// The format of the name that it wants people to be known by.
    pub fn name_id_format(&self) -> &'static str {
        match self.kind {
            Kind::One => EMAIL,
            Kind::Two => PERSISTENT,
        }
    }

    /// samael's service provider with our facts, for an identity provider as its metadata describes it.
    pub fn service_provider(&self, idp: EntityDescriptor, unsolicited: bool) -> ServiceProvider {
        ServiceProvider {
            entity_id: Some(self.entity_id.clone()),
            metadata_url: Some(self.entity_id.clone()),
            acs_url: Some(self.acs.clone()),
            slo_url: None,
            key: self.decrypts().then(|| self.key.openssl().clone()),
            idp_metadata: idp,
            // App one leaves the format to its metadata, app two asks for it in the request.
            authn_name_id_format: (self.kind == Kind::Two).then(|| PERSISTENT.to_owned()),
            allow_idp_initiated: unsolicited,
            allowed_signature_algorithms: Some(ALLOWED.to_vec()),
            ..ServiceProvider::default()
        }
    }
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::One => "Demo one",
            Self::Two => "Demo two",
        }
    }
}

/// Without this list samael accepts SHA-1.
pub const ALLOWED: [AllowedSignatureAlgorithm; 6] = [
    AllowedSignatureAlgorithm::RsaSha256,
    AllowedSignatureAlgorithm::RsaSha384,
    AllowedSignatureAlgorithm::RsaSha512,
    AllowedSignatureAlgorithm::EcdsaSha256,
    AllowedSignatureAlgorithm::EcdsaSha384,
    AllowedSignatureAlgorithm::EcdsaSha512,
];
