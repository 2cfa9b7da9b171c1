//! What the tests of this room share: an SP, requests of it, keys, a day.

use std::io::Write as _;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::DeflateEncoder;

use crate::crypto::keys::{KeyKind, PrivateKey};
use crate::crypto::x509::self_signed;
use crate::model::app::SamlSettings;
use crate::model::id::EntityId;
use crate::model::sp::{AcsEndpoint, Binding, KeyAlgorithm, KeyUse, SpKey, SpMetadata, UiInfo};
use crate::model::time::Timestamp;
use crate::saml::profiles::service_provider::{SigningKeys, SpView};
use crate::saml::profiles::web_sso::Endpoint;
use crate::saml::xml::signature::SignatureAlgorithm;
use crate::saml::xml::signature::sign::{SigningKey, sign, sign_raw};
use crate::saml::xml::writer::{SAML, SAMLP, Writer};

pub const IDP: &str = "https://id.example.com/saml/metadata";
pub const SSO: &str = "https://id.example.com/saml/sso";
pub const SP: &str = "https://sp.example.org/saml";
pub const ACS: &str = "https://sp.example.org/saml/acs";

/// The reference day.
pub fn now() -> Timestamp {
    Timestamp::parse_xs_date_time("2026-11-24T20:47:00Z").unwrap()
}

pub fn endpoint() -> Endpoint {
    Endpoint { entity_id: IDP.to_owned(), urls: vec![SSO.to_owned()] }
}

fn signing_key(slot: &'static OnceLock<SigningKey>, kind: KeyKind, algorithm: SignatureAlgorithm) -> &'static SigningKey {
    slot.get_or_init(|| {
        let key = PrivateKey::generate(kind).unwrap();
        let certificate = self_signed(&key, "test", now(), 3_650).unwrap();
        SigningKey::new(key, algorithm, certificate).unwrap()
    })
}

/// The key that the SP of the tests signs with.
pub fn sp_key() -> &'static SigningKey {
    static KEY: OnceLock<SigningKey> = OnceLock::new();
    signing_key(&KEY, KeyKind::Rsa2048, SignatureAlgorithm::RsaSha256)
}

/// A key of somebody else.
pub fn strange_key() -> &'static SigningKey {
    static KEY: OnceLock<SigningKey> = OnceLock::new();
    signing_key(&KEY, KeyKind::Rsa2048, SignatureAlgorithm::RsaSha256)
}

/// Our RSA key.
pub fn idp_key() -> &'static SigningKey {
    static KEY: OnceLock<SigningKey> = OnceLock::new();
    signing_key(&KEY, KeyKind::Rsa2048, SignatureAlgorithm::RsaSha256)
}

/// Our ECDSA key.
pub fn idp_ec_key() -> &'static SigningKey {
    static KEY: OnceLock<SigningKey> = OnceLock::new();
    signing_key(&KEY, KeyKind::EcP256, SignatureAlgorithm::EcdsaSha256)
}

pub fn idp_keys() -> SigningKeys {
    SigningKeys::new(vec![idp_key().clone(), idp_ec_key().clone()])
}

/// The metadata form of a key that comes in a certificate.
pub fn metadata_key(certificate: &[u8], key_use: KeyUse) -> SpKey {
    let read = crate::crypto::x509::read_der(certificate).unwrap();
    SpKey {
        key_use,
        spki: read.key.spki().to_vec(),
        algorithm: read.key.algorithm().clone(),
        certificate: Some(read.facts),
        encryption_methods: Vec::new(),
    }
}

pub fn acs(binding: Binding, location: &str, index: u16) -> AcsEndpoint {
    AcsEndpoint { binding, location: location.to_owned(), index: Some(index), is_default: None, unusable: None }
}

/// An SP with two POST addresses (0, 1), one for artifacts (2), and a signing key.
pub fn metadata() -> SpMetadata {
    SpMetadata {
        entity_id: EntityId::parse(SP).unwrap(),
        acs: vec![
            acs(Binding::HttpPost, ACS, 0),
            acs(Binding::HttpPost, "https://sp.example.org/saml/acs2", 1),
            acs(Binding::HttpArtifact, "https://sp.example.org/saml/artifact", 2),
        ],
        slo: Vec::new(),
        keys: vec![metadata_key(sp_key().certificate(), KeyUse::Signing)],
        name_id_formats: Vec::new(),
        authn_requests_signed: false,
        want_assertions_signed: false,
        attribute_services: Vec::new(),
        ui: UiInfo::default(),
        entity_attributes: Vec::new(),
        digest_methods: Vec::new(),
        signing_methods: Vec::new(),
        error_url: None,
        valid_until: None,
        cache_duration: None,
        organization: None,
        contacts: Vec::new(),
        registration_authority: None,
    }
}

pub fn sp() -> SpView {
    view(metadata(), SamlSettings::default())
}

pub fn view(metadata: SpMetadata, settings: SamlSettings) -> SpView {
    SpView::new(Arc::new(metadata), settings)
}

/// The SP with a key to encrypt for, whose private half is returned as PEM.
pub fn encrypting_metadata() -> (SpMetadata, Vec<u8>) {
    static KEY: OnceLock<(PrivateKey, Vec<u8>)> = OnceLock::new();
    let (key, certificate) = KEY.get_or_init(|| {
        let key = PrivateKey::generate(KeyKind::Rsa2048).unwrap();
        let certificate = self_signed(&key, "encryption", now(), 3_650).unwrap();
        (key, certificate)
    });
    let mut metadata = metadata();
    let key_facts = metadata_key(certificate, KeyUse::Encryption);
    assert_eq!(key_facts.algorithm, KeyAlgorithm::Rsa(2048));
    metadata.keys.push(key_facts);
    (metadata, key.to_pem(None).unwrap().expose().clone())
}

/// An AuthnRequest as most SPs write it, with further attributes and further children after the Issuer.
pub fn request(attributes: &str, children: &str) -> String {
    format!(
        "<samlp:AuthnRequest xmlns:samlp=\"urn:oasis:names:tc:SAML:2.0:protocol\" xmlns:saml=\"urn:oasis:names:tc:SAML:2.0:assertion\" \
         ID=\"_r1\" Version=\"2.0\" IssueInstant=\"2026-11-24T20:46:59Z\" Destination=\"{SSO}\" {attributes}>\
         <saml:Issuer>{SP}</saml:Issuer>{children}</samlp:AuthnRequest>"
    )
}

/// An AuthnRequest signed inside by `key`.
pub fn signed_request(key: &SigningKey, destination: Option<&str>) -> Vec<u8> {
    let mut writer = Writer::with_capacity(4_096);
    writer
        .start(SAMLP, "AuthnRequest")
        .attribute_if("Destination", destination)
        .attribute("ID", "_r1")
        .attribute("IssueInstant", "2026-11-24T20:46:59Z")
        .attribute("Version", "2.0")
        .leaf(SAML, "Issuer", SP);
    let at = writer.offset();
    let mut xml = writer.finish();
    let whole = 0..xml.len();
    sign(&mut xml, whole, at, "_r1", key).unwrap();
    xml
}

pub fn deflate(xml: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(xml).unwrap();
    encoder.finish().unwrap()
}

/// Percent-encodes everything but letters and digits, with upper-case hexadecimal.
pub fn percent(text: &str) -> String {
    text.bytes().map(|b| if b.is_ascii_alphanumeric() { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

/// A query by HTTP-Redirect, unsigned.
pub fn query(xml: &[u8], relay_state: Option<&str>) -> String {
    let request = percent(&STANDARD.encode(deflate(xml)));
    let relay_state = relay_state.map_or_else(String::new, |value| format!("&RelayState={}", percent(value)));
    format!("SAMLRequest={request}{relay_state}")
}

/// The same, signed.
pub fn signed_query(xml: &[u8], relay_state: Option<&str>, key: &SigningKey) -> String {
    let signed = format!("{}&SigAlg={}", query(xml, relay_state), percent(key.algorithm().uri()));
    let signature = percent(&STANDARD.encode(sign_raw(key, signed.as_bytes()).unwrap()));
    format!("{signed}&Signature={signature}")
}

/// The fields of a form.
pub fn fields(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// Where the real documents are; `None`, with a line, where they are not.
pub fn corpus() -> Option<PathBuf> {
    let home = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let places =
        [option_env!("LINKSPAN_CORPUS").map(PathBuf::from), Some(home.join("../shared/corpus")), Some(home.join("../../shared/corpus"))];
    let found = places.into_iter().flatten().find(|place| place.join("manifest.tsv").is_file());
    if found.is_none() {
        println!("skipped: the corpus of real documents is not here (LINKSPAN_CORPUS)");
    }
    found
}
