//! What an identity provider keeps of a SAML service provider's metadata (Metadata 2.4.4).

use serde::{Deserialize, Serialize};

use crate::model::id::EntityId;
use crate::model::time::{Span, Timestamp};

/// The SAML 2.0 SP role of one entity, as its metadata declares it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpMetadata {
    pub entity_id: EntityId,
    /// All AssertionConsumerServices in document order, also those that we cannot use.
    pub acs: Vec<AcsEndpoint>,
    pub slo: Vec<SloEndpoint>,
    /// All KeyDescriptors whose key could be read, in document order.
    pub keys: Vec<SpKey>,
    pub name_id_formats: Vec<String>,
    pub authn_requests_signed: bool,
    pub want_assertions_signed: bool,
    pub attribute_services: Vec<AttributeConsumingService>,
    pub ui: UiInfo,
    /// `mdattr:EntityAttributes`: name and values; entity categories are among them.
    pub entity_attributes: Vec<(String, Vec<String>)>,
    /// `alg:DigestMethod` algorithms, of the role if it has any, else of the entity.
    pub digest_methods: Vec<String>,
    /// `alg:SigningMethod` algorithms, likewise.
    pub signing_methods: Vec<String>,
    pub error_url: Option<String>,
    /// The earliest validUntil that applies to the role: its own, the entity's, an enclosing group's.
    pub valid_until: Option<Timestamp>,
    pub cache_duration: Option<Span>,
    pub organization: Option<Organization>,
    pub contacts: Vec<Contact>,
    /// `mdrpi:RegistrationInfo/@registrationAuthority`.
    pub registration_authority: Option<String>,
}

/// The bindings of SAML 2.0 that an endpoint may name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum Binding {
    HttpPost,
    HttpRedirect,
    HttpArtifact,
    HttpPostSimpleSign,
    Paos,
    Soap,
    /// SAML 1.x, WS-Federation, and whatever else stands in real metadata.
    Other(String),
}

impl Binding {
    /// The binding's URI.
    pub fn uri(&self) -> &str {
        match self {
            Self::HttpPost => "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST",
            Self::HttpRedirect => "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect",
            Self::HttpArtifact => "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Artifact",
            Self::HttpPostSimpleSign => "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST-SimpleSign",
            Self::Paos => "urn:oasis:names:tc:SAML:2.0:bindings:PAOS",
            Self::Soap => "urn:oasis:names:tc:SAML:2.0:bindings:SOAP",
            Self::Other(uri) => uri,
        }
    }

    /// Whether a response may travel by it (Profiles 4.1.2 forbids HTTP-Redirect; PAOS is ECP's).
    pub fn carries_responses(&self) -> bool {
        matches!(self, Self::HttpPost | Self::HttpArtifact | Self::HttpPostSimpleSign | Self::Paos)
    }

    /// Whether this build can send a response by it.
    pub fn is_built(&self) -> bool {
        matches!(self, Self::HttpPost)
    }
}

impl From<String> for Binding {
    fn from(uri: String) -> Self {
        for known in [Self::HttpPost, Self::HttpRedirect, Self::HttpArtifact, Self::HttpPostSimpleSign, Self::Paos, Self::Soap] {
            if known.uri() == uri {
                return known;
            }
        }
        Self::Other(uri)
    }
}

impl From<Binding> for String {
    fn from(binding: Binding) -> String {
        binding.uri().to_owned()
    }
}

/// One AssertionConsumerService.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AcsEndpoint {
    pub binding: Binding,
    pub location: String,
    /// Missing in some real metadata although the schema demands it.
    pub index: Option<u16>,
    /// `isDefault`, where it was written.
    pub is_default: Option<bool>,
    /// Why we never send anything there; `None` for an endpoint that counts.
    pub unusable: Option<Unusable>,
}

/// Why an endpoint does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unusable {
    /// Not a binding of SAML 2.0 that carries a response.
    Binding,
    /// Plain http outside loopback. `saml.allow_http` lifts it for one app.
    PlainHttp,
    /// Not http(s) at all, or not an absolute URL.
    Scheme,
}

/// One SingleLogoutService.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SloEndpoint {
    pub binding: Binding,
    pub location: String,
    pub response_location: Option<String>,
    pub unusable: Option<Unusable>,
}

/// What a KeyDescriptor says its key is for; a missing `use` means both (Metadata 2.4.1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyUse {
    Signing,
    Encryption,
    Both,
}

impl KeyUse {
    pub fn signs(self) -> bool {
        self != Self::Encryption
    }
    pub fn encrypts(self) -> bool {
        self != Self::Signing
    }
}

/// One key of an SP. Only the key counts (metadata interoperability profile); certificate facts are for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpKey {
    pub key_use: KeyUse,
    /// DER SubjectPublicKeyInfo, base64 in JSON.
    #[serde(with = "base64_bytes")]
    pub spki: Vec<u8>,
    pub algorithm: KeyAlgorithm,
    /// The certificate that held it, if it came in one.
    pub certificate: Option<CertificateFacts>,
    /// `EncryptionMethod`s in document order.
    pub encryption_methods: Vec<EncryptionMethod>,
}

/// Kind and size of a public key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyAlgorithm {
    /// Bits of the modulus.
    Rsa(u32),
    /// The curve, as `P-256`.
    Ec(String),
    Other(String),
}

impl KeyAlgorithm {
    /// RSA under 2048 bits: refused unless `saml.allow_weak_keys` is set for that SP.
    pub fn is_weak(&self) -> bool {
        matches!(self, Self::Rsa(bits) if *bits < 2048)
    }
}

impl std::fmt::Display for KeyAlgorithm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Rsa(bits) => write!(f, "RSA {bits}"),
            Self::Ec(curve) => write!(f, "EC {curve}"),
            Self::Other(name) => f.write_str(name),
        }
    }
}

/// What people want to know of a certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertificateFacts {
    #[serde(with = "base64_bytes")]
    pub der: Vec<u8>,
    pub subject: String,
    pub not_before: Timestamp,
    pub not_after: Timestamp,
    /// SHA-256 of the DER, as `AB:12:…`.
    pub fingerprint: String,
}

/// One `md:EncryptionMethod`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EncryptionMethod {
    pub algorithm: String,
    /// `ds:DigestMethod` inside it (RSA-OAEP).
    pub digest: Option<String>,
    /// `xenc11:MGF` inside it.
    pub mgf: Option<String>,
}

/// One AttributeConsumingService.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttributeConsumingService {
    pub index: Option<u16>,
    pub is_default: Option<bool>,
    /// `ServiceName`s: language and text.
    pub names: Vec<(String, String)>,
    pub requested: Vec<RequestedAttribute>,
}

/// One RequestedAttribute.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestedAttribute {
    pub name: String,
    pub name_format: Option<String>,
    pub friendly_name: Option<String>,
    pub is_required: bool,
    /// The only values that the SP wants, if it names any.
    pub values: Vec<String>,
}

/// `mdui:UIInfo`, each text with its language; hostile text, escape it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UiInfo {
    pub display_names: Vec<(String, String)>,
    pub descriptions: Vec<(String, String)>,
    pub information_urls: Vec<(String, String)>,
    pub privacy_urls: Vec<(String, String)>,
    pub logos: Vec<Logo>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Logo {
    pub url: String,
    pub width: u32,
    pub height: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Organization {
    pub names: Vec<(String, String)>,
    pub display_names: Vec<(String, String)>,
    pub urls: Vec<(String, String)>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contact {
    /// `contactType`, as `technical`.
    pub kind: String,
    pub name: Option<String>,
    pub emails: Vec<String>,
    pub phones: Vec<String>,
}

impl SpMetadata {
    /// The best display name: mdui, then the organization, in English where there is one.
    pub fn display_name(&self) -> Option<&str> {
        let pick = |texts: &'_ [(String, String)]| -> Option<usize> {
            texts.iter().position(|(lang, _)| lang.starts_with("en")).or(if texts.is_empty() { None } else { Some(0) })
        };
        if let Some(at) = pick(&self.ui.display_names) {
            return self.ui.display_names.get(at).map(|(_, text)| text.as_str());
        }
        let service = self.attribute_services.iter().flat_map(|service| &service.names).map(|(_, text)| text.as_str()).next();
        service.or_else(|| {
            let organization = self.organization.as_ref()?;
            let at = pick(&organization.display_names)?;
            organization.display_names.get(at).map(|(_, text)| text.as_str())
        })
    }

    /// Keys that verify what the SP signs.
    pub fn signing_keys(&self) -> impl Iterator<Item = &SpKey> {
        self.keys.iter().filter(|key| key.key_use.signs())
    }

    /// Keys to encrypt for.
    pub fn encryption_keys(&self) -> impl Iterator<Item = &SpKey> {
        self.keys.iter().filter(|key| key.key_use.encrypts())
    }

    /// Whether an entity attribute has the value, as entity categories do.
    pub fn has_entity_attribute(&self, name: &str, value: &str) -> bool {
        self.entity_attributes.iter().any(|(n, values)| n == name && values.iter().any(|v| v == value))
    }
}

/// Something that import and lint say about metadata (`app lint`); `code` is one of a fixed list, as `cert-expired`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    pub code: String,
    pub severity: Severity,
    /// The rule and where it is written.
    pub rule: String,
    /// The value that it is about.
    pub value: String,
    pub remedy: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    Info,
    Warning,
    Error,
}

/// Bytes as base64 in JSON.
mod base64_bytes {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use serde::{Deserialize as _, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(bytes))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(deserializer)?;
        STANDARD.decode(text).map_err(serde::de::Error::custom)
    }
}
