//! KeyDescriptors: the key of each, from its first certificate or bare.

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use crate::crypto::keys::PublicKey;
use crate::crypto::x509;
use crate::model::sp::{CertificateFacts, EncryptionMethod, Finding, KeyAlgorithm, KeyUse, SpKey};
use crate::saml::metadata::rules;
use crate::saml::metadata::text::{display, token, token_attribute};
use crate::saml::names::ns;
use crate::saml::xml::tree::Element;

/// Real certificates have up to a few kilobytes; a key of more than this is made to burn time.
const MOST_BYTES: usize = 32 << 10;
const MOST_RSA_BITS: u32 = 16_384;

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true).with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// All readable keys of a role in document order; unreadable ones become findings.
pub(super) fn read_keys(role: &Element, findings: &mut Vec<Finding>) -> Vec<SpKey> {
    let mut keys = Vec::new();
    for (at, descriptor) in role.children_named(ns::MD, "KeyDescriptor").enumerate() {
        match read_key(descriptor) {
            Ok(key) => keys.push(key),
            Err(why) => {
                let value = format!("KeyDescriptor {} on line {}: {why}", at + 1, descriptor.line);
                let remedy = "Ask the app's owner for metadata with the certificate in ds:KeyInfo/ds:X509Data/ds:X509Certificate.";
                findings.push(rules::KEY_UNREADABLE.about(&value, remedy));
            }
        }
    }
    keys
}

fn read_key(descriptor: &Element) -> Result<SpKey, String> {
    // Metadata 2.4.1.1: a missing `use` means both. Another word than the two is nobody's.
    let key_use = match descriptor.attribute("use").map(str::trim) {
        None | Some("") => KeyUse::Both,
        Some("signing") => KeyUse::Signing,
        Some("encryption") => KeyUse::Encryption,
        Some(other) => return Err(format!("the use \"{}\" is neither signing nor encryption", display(other, 40))),
    };
    let Some(info) = descriptor.child(ns::DS, "KeyInfo") else {
        let elsewhere = descriptor.elements().find(|element| element.local == "KeyInfo");
        return Err(match elsewhere.map(|element| element.namespace.as_deref().unwrap_or("no namespace")) {
            Some(namespace) => format!("KeyInfo is in the wrong namespace, {}", display(namespace, 100)),
            None => "it has no ds:KeyInfo".to_owned(),
        });
    };
    let (key, certificate) = read_key_info(info)?;
    if matches!(key.algorithm(), KeyAlgorithm::Rsa(bits) if *bits > MOST_RSA_BITS) {
        return Err(format!("the {} key is larger than any use of it", key.algorithm()));
    }
    Ok(SpKey {
        key_use,
        spki: key.spki().to_vec(),
        algorithm: key.algorithm().clone(),
        certificate,
        encryption_methods: descriptor.children_named(ns::MD, "EncryptionMethod").filter_map(encryption_method).collect(),
    })
}

/// The key of a KeyInfo. Metadata Interoperability 2.6.1: of several certificates the first has the key, the rest is a
/// chain that nobody follows.
fn read_key_info(info: &Element) -> Result<(PublicKey, Option<CertificateFacts>), String> {
    let mut first = None;
    let mut why = None;
    for data in info.children_named(ns::DS, "X509Data") {
        first = first.or_else(|| data.child(ns::DS, "X509Certificate"));
    }
    if let Some(element) = first {
        match decode(&element.text())
            .and_then(|der| x509::read_der(&der).map_err(|_| "the X509Certificate is not a certificate".to_owned()))
        {
            Ok(mut certificate) => {
                certificate.facts.subject = display(&certificate.facts.subject, 400);
                return Ok((certificate.key, Some(certificate.facts)));
            }
            Err(error) => why = Some(error),
        }
    }
    for value in info.elements() {
        let key = if value.is(ns::DS, "KeyValue") {
            key_value(value)
        } else if value.is(ns::DSIG11, "DEREncodedKeyValue") {
            decode(&value.text()).and_then(|der| PublicKey::from_spki(&der).map_err(|_| "the DEREncodedKeyValue is not a key".to_owned()))
        } else {
            continue;
        };
        match key {
            Ok(key) => return Ok((key, None)),
            Err(error) => why = why.or(Some(error)),
        }
    }
    Err(why.unwrap_or_else(|| "its KeyInfo holds neither a certificate nor a key".to_owned()))
}

/// XML Signature 4.5.2: RSAKeyValue, or ECKeyValue of XML Signature 1.1.
fn key_value(value: &Element) -> Result<PublicKey, String> {
    if let Some(rsa) = value.child(ns::DS, "RSAKeyValue") {
        let part = |name| rsa.child(ns::DS, name).ok_or_else(|| format!("RSAKeyValue has no {name}")).and_then(|part| decode(&part.text()));
        return PublicKey::from_rsa_parts(&part("Modulus")?, &part("Exponent")?).map_err(|_| "the RSAKeyValue is not a key".to_owned());
    }
    if let Some(ec) = value.child(ns::DSIG11, "ECKeyValue") {
        let curve = ec.child(ns::DSIG11, "NamedCurve").and_then(|curve| curve.attribute("URI")).unwrap_or_default().trim();
        let Some(oid) = curve.strip_prefix("urn:oid:") else { return Err("the ECKeyValue names no curve".to_owned()) };
        let point = ec.child(ns::DSIG11, "PublicKey").ok_or("the ECKeyValue has no PublicKey")?;
        return PublicKey::from_ec_point(oid, &decode(&point.text())?)
            .map_err(|_| "the ECKeyValue is not a key of a supported curve".to_owned());
    }
    Err("the KeyValue is neither RSA nor EC".to_owned())
}

/// Base64 as it is found: wrapped, indented, inside the lines of a PEM file.
fn decode(text: &str) -> Result<Vec<u8>, String> {
    if text.len() > MOST_BYTES {
        return Err("the certificate or key is too long".to_owned());
    }
    let body: String =
        text.lines().filter(|line| !line.trim_start().starts_with("-----")).flat_map(str::chars).filter(|c| !c.is_whitespace()).collect();
    if body.is_empty() {
        return Err("the certificate or key is empty".to_owned());
    }
    BASE64.decode(body).map_err(|_| "the certificate or key is not base64".to_owned())
}

fn encryption_method(element: &Element) -> Option<EncryptionMethod> {
    Some(EncryptionMethod {
        algorithm: token_attribute(element, "Algorithm")?,
        digest: element.child(ns::DS, "DigestMethod").and_then(|digest| digest.attribute("Algorithm")).and_then(token),
        mgf: element.child(ns::XENC11, "MGF").and_then(|mgf| mgf.attribute("Algorithm")).and_then(token),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::keys::{KeyKind, PrivateKey};
    use crate::model::time::Timestamp;
    use crate::saml::xml::reader::{Limits, parse};

    fn read(inner: &str) -> (Vec<SpKey>, Vec<Finding>) {
        let text = format!(
            "<md:R xmlns:md='{}' xmlns:ds='{}' xmlns:d11='{}' xmlns:xenc11='{}'>{inner}</md:R>",
            ns::MD,
            ns::DS,
            ns::DSIG11,
            ns::XENC11
        );
        let mut findings = Vec::new();
        let keys = read_keys(&parse(text.as_bytes(), &Limits::METADATA).unwrap(), &mut findings);
        (keys, findings)
    }

    fn certificate() -> (PrivateKey, String) {
        let key = PrivateKey::generate(KeyKind::EcP256).unwrap();
        let der = x509::self_signed(&key, "sp", Timestamp::from_seconds(1_800_000_000), 10).unwrap();
        (key, BASE64.encode(der))
    }

    /// Clause: IIP-MD11.
    #[test]
    fn a_missing_use_means_both_and_the_first_certificate_has_the_key() {
        let (key, first) = certificate();
        let (_, second) = certificate();
        let (keys, findings) = read(&format!(
            "<md:KeyDescriptor><ds:KeyInfo><ds:X509Data><ds:X509Certificate>-----BEGIN CERTIFICATE-----\n {first}\n-----END CERTIFICATE-----
             </ds:X509Certificate><ds:X509Certificate>{second}</ds:X509Certificate></ds:X509Data></ds:KeyInfo>
             <md:EncryptionMethod Algorithm='urn:a'><ds:DigestMethod Algorithm='urn:d'/><xenc11:MGF Algorithm='urn:m'/></md:EncryptionMethod>
             </md:KeyDescriptor>"
        ));

        assert!(findings.is_empty(), "{findings:?}");
        assert_eq!(keys.len(), 1);
        assert_eq!(keys[0].key_use, KeyUse::Both);
        assert_eq!(keys[0].spki, key.public().unwrap().spki());
        assert_eq!(keys[0].certificate.as_ref().unwrap().subject, "CN=sp");
        let want = EncryptionMethod { algorithm: "urn:a".to_owned(), digest: Some("urn:d".to_owned()), mgf: Some("urn:m".to_owned()) };
        assert_eq!(keys[0].encryption_methods, [want]);
    }

    #[test]
    fn bare_rsa_and_ec_keys_are_read() {
        let rsa = "<ds:RSAKeyValue><ds:Modulus>3RP5bEbYpTGpZAcx9Jj8WnwWO9V1qOpYw0pW2Gfrnq6l9BCuZL5lD1F2Xy0EFD0xq3s1bU1fP2r7H1pZpG0YnzWQ5m3nq2a3b1tKq3uUqgXbYc5p1d3qKq9v6q2mJvD8f1aQ0k9Xo3uJ0gQ5c7w2mKfYp3nWq1h5s8zV4x6t2Qs=</ds:Modulus><ds:Exponent>AQAB</ds:Exponent></ds:RSAKeyValue>";
        // The base point of P-256 (FIPS 186-4 D.1.2.3).
        let point = "BGsX0fLhLEJH+Lzm5WOkQPJ3A32BLeszoPShOUXYmMKWT+NC4v4af5uO5+tKfA+eFivOM1drMV7Oy7ZAaDe/UfU=";
        let ec = format!(
            "<d11:ECKeyValue><d11:NamedCurve URI='urn:oid:1.2.840.10045.3.1.7'/><d11:PublicKey>{point}</d11:PublicKey></d11:ECKeyValue>"
        );
        let (keys, findings) = read(&format!(
            "<md:KeyDescriptor use='signing'><ds:KeyInfo><ds:KeyValue>{rsa}</ds:KeyValue></ds:KeyInfo></md:KeyDescriptor>
             <md:KeyDescriptor use='encryption'><ds:KeyInfo><ds:KeyValue>{ec}</ds:KeyValue></ds:KeyInfo></md:KeyDescriptor>"
        ));

        assert!(findings.is_empty(), "{findings:?}");
        assert!(matches!(keys[0].algorithm, KeyAlgorithm::Rsa(_)));
        assert_eq!(keys[1].algorithm, KeyAlgorithm::Ec("P-256".to_owned()));
        assert_eq!(keys[1].key_use, KeyUse::Encryption);
    }

    #[test]
    fn each_unreadable_key_is_named() {
        for (inner, words) in [
            ("<md:KeyDescriptor/>", "no ds:KeyInfo"),
            ("<md:KeyDescriptor><KeyInfo xmlns='https://www.w3.org/2000/09/xmldsig#'/></md:KeyDescriptor>", "wrong namespace, https:"),
            ("<md:KeyDescriptor><ds:KeyInfo><ds:KeyName>x</ds:KeyName></ds:KeyInfo></md:KeyDescriptor>", "neither a certificate nor a key"),
            ("<md:KeyDescriptor use='other'><ds:KeyInfo/></md:KeyDescriptor>", "neither signing nor encryption"),
            (
                "<md:KeyDescriptor><ds:KeyInfo><ds:X509Data><ds:X509Certificate>abcdefgh</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>",
                "not a certificate",
            ),
            (
                "<md:KeyDescriptor><ds:KeyInfo><ds:X509Data><ds:X509Certificate>!</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>",
                "not base64",
            ),
            (
                "<md:KeyDescriptor><ds:KeyInfo><ds:X509Data><ds:X509Certificate> </ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>",
                "empty",
            ),
        ] {
            let (keys, findings) = read(inner);
            assert!(keys.is_empty(), "{inner}");
            assert_eq!(findings.len(), 1, "{inner}");
            assert_eq!(findings[0].code, "key-unreadable");
            assert!(findings[0].value.contains(words), "{}", findings[0].value);
        }
    }
}
