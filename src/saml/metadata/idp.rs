//! Our own metadata: one EntityDescriptor with the identity provider role (Metadata 2.4.3), canonical and signed.

use crate::crypto::CryptoError;
use crate::crypto::digest::sha256;
use crate::model::id::EntityId;
use crate::model::sp::Binding;
use crate::model::time::{Span, Timestamp};
use crate::saml::names::{alg, ns};
use crate::saml::xml::signature::sign::{SigningKey, sign};
use crate::saml::xml::writer::{ALG, DS, MD, MDUI, SHIBMD, Writer, XML};

/// Digests that we take and make.
pub const DIGEST_METHODS: &[&str] = &[alg::SHA256, alg::SHA384, alg::SHA512];
/// Signatures that we take and make.
pub const SIGNING_METHODS: &[&str] =
    &[alg::RSA_SHA256, alg::RSA_SHA384, alg::RSA_SHA512, alg::ECDSA_SHA256, alg::ECDSA_SHA384, alg::ECDSA_SHA512];

/// What we publish about ourselves.
#[derive(Debug, Clone)]
pub struct IdpMetadata {
    pub entity_id: EntityId,
    /// Every endpoint that works, and none that does not.
    pub endpoints: Vec<IdpEndpoint>,
    /// DER certificates of all published signing keys, the active one first.
    pub certificates: Vec<Vec<u8>>,
    pub name_id_formats: Vec<String>,
    /// The scope of pairwise-id, subject-id and scoped attributes (`shibmd:Scope`).
    pub scopes: Vec<String>,
    /// Language and text.
    pub display_names: Vec<(String, String)>,
    /// The page that explains errors to people who come from an SP.
    pub error_url: Option<String>,
    /// `None` for the copy that people download, which must not run out unseen.
    pub valid_until: Option<Timestamp>,
    pub cache_duration: Option<Span>,
    pub digest_methods: Vec<String>,
    pub signing_methods: Vec<String>,
}

/// One of our endpoints.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdpEndpoint {
    pub service: IdpService,
    pub binding: Binding,
    pub location: String,
}

/// What an endpoint of ours does. In the order of the schema, which is the order in which they are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum IdpService {
    SingleLogout,
    SingleSignOn,
}

impl IdpService {
    fn element(self) -> &'static str {
        match self {
            Self::SingleLogout => "SingleLogoutService",
            Self::SingleSignOn => "SingleSignOnService",
        }
    }
}

impl IdpMetadata {
    /// Writes the document, signed with `key`; without one it is unsigned and has no ID.
    ///
    /// The ID is a digest of the content, so that the same content is the same document (but for ECDSA, whose signatures
    /// always differ). Fails only if OpenSSL does.
    pub fn publish(&self, key: Option<&SigningKey>) -> Result<Vec<u8>, CryptoError> {
        let (plain, _) = self.write(None);
        let Some(key) = key else { return Ok(plain) };
        let id: String = "_".chars().chain(sha256(&plain).to_hex().chars().take(32)).collect();
        let (mut document, signature_at) = self.write(Some(&id));
        let whole = 0..document.len();
        sign(&mut document, whole, signature_at, &id, key)?;
        Ok(document)
    }

    /// The bytes, and where the signature goes: it is the first child (Metadata 2.3.2).
    fn write(&self, id: Option<&str>) -> (Vec<u8>, usize) {
        let valid_until = self.valid_until.map(Timestamp::to_rfc3339);
        let cache_duration = self.cache_duration.map(Span::to_xs_duration);
        let mut writer = Writer::with_capacity(16 << 10);
        writer
            .start(MD, "EntityDescriptor")
            .attribute_if("ID", id)
            .attribute_if("cacheDuration", cache_duration.as_deref())
            .attribute("entityID", self.entity_id.as_str())
            .attribute_if("validUntil", valid_until.as_deref());
        let signature_at = writer.offset();
        self.write_algorithms(&mut writer);
        writer
            .start(MD, "IDPSSODescriptor")
            .attribute("WantAuthnRequestsSigned", "false")
            .attribute_if("errorURL", self.error_url.as_deref())
            .attribute("protocolSupportEnumeration", ns::SAMLP);
        self.write_role_extensions(&mut writer);
        for certificate in &self.certificates {
            writer.start(MD, "KeyDescriptor").attribute("use", "signing");
            writer.start(DS, "KeyInfo").start(DS, "X509Data").start(DS, "X509Certificate").base64(certificate);
            writer.end().end().end().end();
        }
        self.write_endpoints(IdpService::SingleLogout, &mut writer);
        for format in &self.name_id_formats {
            writer.leaf(MD, "NameIDFormat", format);
        }
        self.write_endpoints(IdpService::SingleSignOn, &mut writer);
        (writer.finish(), signature_at)
    }

    /// Algorithm Support 2.3.
    fn write_algorithms<'s>(&'s self, writer: &mut Writer<'s>) {
        if self.digest_methods.is_empty() && self.signing_methods.is_empty() {
            return;
        }
        writer.start(MD, "Extensions");
        for method in &self.digest_methods {
            writer.start(ALG, "DigestMethod").attribute("Algorithm", method).end();
        }
        for method in &self.signing_methods {
            writer.start(ALG, "SigningMethod").attribute("Algorithm", method).end();
        }
        writer.end();
    }

    fn write_role_extensions<'s>(&'s self, writer: &mut Writer<'s>) {
        if self.scopes.is_empty() && self.display_names.is_empty() {
            return;
        }
        writer.start(MD, "Extensions");
        for scope in &self.scopes {
            writer.start(SHIBMD, "Scope").attribute("regexp", "false").text(scope).end();
        }
        if !self.display_names.is_empty() {
            writer.start(MDUI, "UIInfo");
            for (language, text) in &self.display_names {
                writer.start(MDUI, "DisplayName").attribute_ns(XML, "lang", language).text(text).end();
            }
            writer.end();
        }
        writer.end();
    }

    fn write_endpoints<'s>(&'s self, service: IdpService, writer: &mut Writer<'s>) {
        for endpoint in self.endpoints.iter().filter(|endpoint| endpoint.service == service) {
            writer.start(MD, service.element());
            writer.attribute("Binding", endpoint.binding.uri()).attribute("Location", &endpoint.location).end();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::keys::{KeyKind, PrivateKey};
    use crate::crypto::x509;
    use crate::saml::metadata::import::{ImportOptions, import};
    use crate::saml::names::name_id;
    use crate::saml::xml::reader::{Limits, parse};
    use crate::saml::xml::signature::verify::verify;
    use crate::saml::xml::signature::{SignatureAlgorithm, SignaturePolicy, VerificationKey};

    fn now() -> Timestamp {
        Timestamp::from_seconds(1_795_000_000)
    }

    fn signing_key(kind: KeyKind, algorithm: SignatureAlgorithm) -> SigningKey {
        let key = PrivateKey::generate(kind).unwrap();
        let certificate = x509::self_signed(&key, "id.example.com", now(), 3_650).unwrap();
        SigningKey::new(key, algorithm, certificate).unwrap()
    }

    fn metadata(key: &SigningKey) -> IdpMetadata {
        let endpoint = |service, binding, path: &str| IdpEndpoint { service, binding, location: format!("https://id.example.com{path}") };
        IdpMetadata {
            entity_id: EntityId::parse("https://id.example.com/saml/metadata").unwrap(),
            endpoints: vec![
                endpoint(IdpService::SingleSignOn, Binding::HttpRedirect, "/saml/sso?a=1&b=2"),
                endpoint(IdpService::SingleSignOn, Binding::HttpPost, "/saml/sso"),
                endpoint(IdpService::SingleLogout, Binding::HttpRedirect, "/saml/slo"),
            ],
            certificates: vec![key.certificate().to_vec(), key.certificate().to_vec()],
            name_id_formats: vec![name_id::PERSISTENT.to_owned(), name_id::TRANSIENT.to_owned()],
            scopes: vec!["example.com".to_owned()],
            display_names: vec![("en".to_owned(), "Example <Sign in> & \"more\"".to_owned())],
            error_url: Some("https://id.example.com/error?code=ERRORURL_CODE".to_owned()),
            valid_until: Some(now() + Span::days(30)),
            cache_duration: Some(Span::hours(6)),
            digest_methods: DIGEST_METHODS.iter().map(|uri| (*uri).to_owned()).collect(),
            signing_methods: SIGNING_METHODS.iter().map(|uri| (*uri).to_owned()).collect(),
        }
    }

    #[test]
    fn what_is_published_verifies_with_the_published_key() {
        for (kind, algorithm) in [(KeyKind::Rsa2048, SignatureAlgorithm::RsaSha256), (KeyKind::EcP256, SignatureAlgorithm::EcdsaSha256)] {
            let key = signing_key(kind, algorithm);

            let document = metadata(&key).publish(Some(&key)).unwrap();

            let root = parse(&document, &Limits::METADATA).unwrap();
            assert_eq!(root.elements().next().map(|first| first.local.as_str()), Some("Signature"));
            let keys = [VerificationKey::new(x509::read_der(key.certificate()).unwrap().key)];
            let verified = verify(&root, &keys, &SignaturePolicy::default()).unwrap();
            let role = verified.root.child(ns::MD, "IDPSSODescriptor").unwrap();
            assert_eq!(role.children_named(ns::MD, "KeyDescriptor").count(), 2);
            assert_eq!(role.children_named(ns::MD, "SingleSignOnService").count(), 2);
        }
    }

    #[test]
    fn the_same_content_is_the_same_document_and_other_content_has_another_id() {
        let key = signing_key(KeyKind::Rsa2048, SignatureAlgorithm::RsaSha256);
        let metadata = metadata(&key);
        let mut other = metadata.clone();
        other.valid_until = None;

        let id = |document: &[u8]| parse(document, &Limits::METADATA).unwrap().attribute("ID").unwrap().to_owned();
        let first = metadata.publish(Some(&key)).unwrap();
        assert_eq!(first, metadata.publish(Some(&key)).unwrap());
        assert_ne!(id(&first), id(&other.publish(Some(&key)).unwrap()));
    }

    #[test]
    fn the_copy_to_download_has_no_valid_until() {
        let key = signing_key(KeyKind::EcP256, SignatureAlgorithm::EcdsaSha256);
        let mut metadata = metadata(&key);
        metadata.valid_until = None;
        metadata.cache_duration = None;

        let document = String::from_utf8(metadata.publish(None).unwrap()).unwrap();

        assert!(!document.contains("validUntil") && !document.contains("cacheDuration") && !document.contains("Signature"));
    }

    #[test]
    fn our_own_metadata_is_no_app() {
        let key = signing_key(KeyKind::EcP256, SignatureAlgorithm::EcdsaSha256);
        let document = metadata(&key).publish(Some(&key)).unwrap();
        assert_eq!(import(&document, &ImportOptions::new(now())).unwrap_err().code, "no-sp-role");
    }

    /// Clause: IIP-MD09.
    #[test]
    fn it_is_valid_against_the_schemas_and_for_xmlsec1() {
        use std::process::{Command, Stdio};
        let Some(corpus) = super::super::corpus_tests::corpus() else { return };
        let have = |tool: &str| Command::new(tool).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok();
        if !have("xmllint") || !have("xmlsec1") {
            println!("skipped: xmllint or xmlsec1 is not installed");
            return;
        }
        let folder = std::env::temp_dir().join(format!("linkspan-idp-metadata-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let key = signing_key(KeyKind::Rsa2048, SignatureAlgorithm::RsaSha512);
        let signed = metadata(&key);
        let bare = IdpMetadata { scopes: vec![], display_names: vec![], digest_methods: vec![], signing_methods: vec![], ..signed.clone() };
        std::fs::write(folder.join("key.pem"), x509::to_pem(key.certificate()).unwrap()).unwrap();

        for (name, metadata) in [("signed.xml", &signed), ("bare.xml", &bare)] {
            let file = folder.join(name);
            std::fs::write(&file, metadata.publish(Some(&key)).unwrap()).unwrap();
            let lint = Command::new("xmllint")
                .args(["--nonet", "--noout", "--schema"])
                .args([corpus.join("schemas/all.xsd"), file.clone()])
                .env("XML_CATALOG_FILES", corpus.join("schemas/catalog.xml"))
                .output()
                .unwrap();
            assert!(lint.status.success(), "{}", String::from_utf8_lossy(&lint.stderr));
            let verified = Command::new("xmlsec1")
                .args(["--verify", "--id-attr:ID", "urn:oasis:names:tc:SAML:2.0:metadata:EntityDescriptor", "--pubkey-cert-pem"])
                .args([folder.join("key.pem"), file])
                .output()
                .unwrap();
            assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stderr));
        }
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
