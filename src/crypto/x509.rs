//! Certificates: reading facts, making self-signed ones.

use openssl::asn1::Asn1Time;
use openssl::bn::{BigNum, MsbOption};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::x509::extension::{BasicConstraints, KeyUsage, SubjectKeyIdentifier};
use openssl::x509::{X509, X509NameBuilder, X509NameRef};

use crate::crypto::CryptoError;
use crate::crypto::keys::{PrivateKey, PublicKey};
use crate::model::sp::CertificateFacts;
use crate::model::time::Timestamp;

/// A certificate and the key in it.
#[derive(Debug, Clone)]
pub struct Certificate {
    pub facts: CertificateFacts,
    pub key: PublicKey,
}

/// Reads a DER certificate. Dates, names and signature are facts for people; only the key counts.
pub fn read_der(der: &[u8]) -> Result<Certificate, CryptoError> {
    let certificate = X509::from_der(der)?;
    let spki = certificate.public_key()?.public_key_to_der()?;
    let facts = CertificateFacts {
        der: der.to_vec(),
        subject: name_text(certificate.subject_name()),
        not_before: time(certificate.not_before())?,
        not_after: time(certificate.not_after())?,
        fingerprint: fingerprint(der),
    };
    Ok(Certificate { facts, key: PublicKey::from_spki(&spki)? })
}

/// Reads the first certificate of a PEM text.
pub fn read_pem(pem: &[u8]) -> Result<Certificate, CryptoError> {
    read_der(&X509::from_pem(pem)?.to_der()?)
}

/// DER to PEM.
pub fn to_pem(der: &[u8]) -> Result<String, CryptoError> {
    let pem = X509::from_der(der)?.to_pem()?;
    String::from_utf8(pem).map_err(|error| CryptoError(error.to_string()))
}

/// Makes a self-signed certificate for a signing key: `CN=<common_name>`, valid from a day before `now` for `days`.
pub fn self_signed(key: &PrivateKey, common_name: &str, now: Timestamp, days: u32) -> Result<Vec<u8>, CryptoError> {
    let mut name = X509NameBuilder::new()?;
    // X.520 ub-common-name: 64 characters.
    let common_name: String = common_name.chars().take(64).collect();
    name.append_entry_by_nid(Nid::COMMONNAME, &common_name)?;
    let name = name.build();
    let mut serial = BigNum::new()?;
    serial.rand(127, MsbOption::MAYBE_ZERO, false)?;

    let mut builder = X509::builder()?;
    builder.set_version(2)?;
    builder.set_serial_number(serial.to_asn1_integer()?.as_ref())?;
    builder.set_subject_name(&name)?;
    builder.set_issuer_name(&name)?;
    builder.set_not_before(Asn1Time::from_unix(now.as_seconds() - 86_400)?.as_ref())?;
    builder.set_not_after(Asn1Time::from_unix(now.as_seconds() + i64::from(days) * 86_400)?.as_ref())?;
    builder.set_pubkey(key.openssl())?;
    builder.append_extension(BasicConstraints::new().critical().build()?)?;
    builder.append_extension(KeyUsage::new().critical().digital_signature().build()?)?;
    let key_identifier = SubjectKeyIdentifier::new().build(&builder.x509v3_context(None, None))?;
    builder.append_extension(key_identifier)?;
    builder.sign(key.openssl(), MessageDigest::sha256())?;
    Ok(builder.build().to_der()?)
}

/// A certificate for a bare public key, as the C library wants one: the key is all that is looked at, the signature on it
/// is by a throw-away key.
pub fn wrap_key(key: &PublicKey) -> Result<Vec<u8>, CryptoError> {
    let signer = PrivateKey::generate(crate::crypto::keys::KeyKind::EcP256)?;
    let mut builder = X509::builder()?;
    builder.set_version(2)?;
    builder.set_not_before(Asn1Time::from_unix(0)?.as_ref())?;
    builder.set_not_after(Asn1Time::from_unix(4_102_444_800)?.as_ref())?;
    builder.set_pubkey(key.openssl())?;
    builder.sign(signer.openssl(), MessageDigest::sha256())?;
    Ok(builder.build().to_der()?)
}

/// SHA-256 of a DER certificate as `AB:12:…`.
pub fn fingerprint(der: &[u8]) -> String {
    let digest = openssl::sha::sha256(der);
    let pairs: Vec<String> = digest.iter().map(|byte| format!("{byte:02X}")).collect();
    pairs.join(":")
}

fn name_text(name: &X509NameRef) -> String {
    let parts: Vec<String> = name
        .entries()
        .map(|entry| {
            let kind = entry.object().nid().short_name().unwrap_or("OID");
            format!("{kind}={}", String::from_utf8_lossy(entry.data().as_slice()))
        })
        .collect();
    parts.join(", ")
}

fn time(time: &openssl::asn1::Asn1TimeRef) -> Result<Timestamp, CryptoError> {
    let difference = Asn1Time::from_unix(0)?.diff(time)?;
    Ok(Timestamp::from_seconds(i64::from(difference.days) * 86_400 + i64::from(difference.secs)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::keys::KeyKind;

    #[test]
    fn a_certificate_of_ours_says_what_it_was_made_for() {
        for kind in [KeyKind::Rsa2048, KeyKind::EcP256] {
            let key = PrivateKey::generate(kind).unwrap();
            let now = Timestamp::from_seconds(1_800_000_000);
            let der = self_signed(&key, "id.example.com", now, 3_650).unwrap();

            let certificate = read_der(&der).unwrap();
            assert_eq!(certificate.key.spki(), key.public().unwrap().spki());
            assert_eq!(certificate.facts.subject, "CN=id.example.com");
            assert_eq!(certificate.facts.not_before.as_seconds(), 1_800_000_000 - 86_400);
            assert_eq!(certificate.facts.not_after.as_seconds(), 1_800_000_000 + 3_650 * 86_400);
            assert_eq!(certificate.facts.fingerprint.len(), 95);
            let pem = to_pem(&der).unwrap();
            assert_eq!(read_pem(pem.as_bytes()).unwrap().facts, certificate.facts);
            let x509 = X509::from_der(&der).unwrap();
            assert!(x509.verify(&x509.public_key().unwrap()).unwrap());
        }
    }

    #[test]
    fn a_long_name_is_cut_to_what_x520_allows() {
        let key = PrivateKey::generate(KeyKind::EcP256).unwrap();
        let der = self_signed(&key, &"x".repeat(100), Timestamp::from_seconds(0), 1).unwrap();
        assert_eq!(read_der(&der).unwrap().facts.subject, format!("CN={}", "x".repeat(64)));
    }

    #[test]
    fn two_certificates_of_one_key_differ() {
        let key = PrivateKey::generate(KeyKind::EcP256).unwrap();
        let make = || self_signed(&key, "x", Timestamp::from_seconds(0), 1).unwrap();
        assert_ne!(make(), make());
    }

    #[test]
    fn a_bare_key_comes_back_out_of_its_wrapping() {
        for kind in [KeyKind::Rsa2048, KeyKind::EcP256] {
            let key = PrivateKey::generate(kind).unwrap().public().unwrap();
            assert_eq!(read_der(&wrap_key(&key).unwrap()).unwrap().key.spki(), key.spki());
        }
    }

    #[test]
    fn what_is_no_certificate_is_an_error() {
        assert!(read_der(b"").is_err());
        assert!(read_der(b"no certificate").is_err());
        assert!(read_pem(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").is_err());
    }
}
