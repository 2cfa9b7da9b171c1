use std::fs;
use std::process::Command;
use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use openssl::encrypt::Decrypter;
use openssl::hash::MessageDigest;
use openssl::pkey::PKey;
use openssl::rsa::Padding;
use openssl::symm;

use super::*;
use crate::crypto::keys::{KeyKind, PrivateKey};
use crate::model::sp::KeyUse;
use crate::saml::names::ns;
use crate::saml::xml::reader::{Limits, parse};
use crate::saml::xml::tree::Element;

const PLAIN: &str = "<saml:Assertion xmlns:saml=\"urn:oasis:names:tc:SAML:2.0:assertion\" ID=\"_1\">Zoë</saml:Assertion>";

static RSA: LazyLock<PrivateKey> = LazyLock::new(|| PrivateKey::generate(KeyKind::Rsa2048).unwrap());

fn sp_key(methods: &[(&str, Option<&str>, Option<&str>)]) -> SpKey {
    SpKey {
        key_use: KeyUse::Encryption,
        spki: RSA.public().unwrap().spki().to_vec(),
        algorithm: KeyAlgorithm::Rsa(2048),
        certificate: None,
        encryption_methods: methods
            .iter()
            .map(|(algorithm, digest, mgf)| EncryptionMethod {
                algorithm: (*algorithm).to_owned(),
                digest: digest.map(str::to_owned),
                mgf: mgf.map(str::to_owned),
            })
            .collect(),
    }
}

fn picked(uris: &[&str]) -> Result<EncryptionChoice, NoUsableMethod> {
    let methods: Vec<_> = uris.iter().map(|uri| (*uri, None, None)).collect();
    EncryptionChoice::pick(&sp_key(&methods), EncryptionPolicy::default())
}

const MGF1P_SHA1: KeyTransport = KeyTransport::RsaOaepMgf1p { digest: OaepDigest::Sha1 };

#[test]
fn an_sp_that_declares_nothing_gets_what_everybody_reads() {
    assert_eq!(picked(&[]), Ok(EncryptionChoice { content: ContentCipher::Aes128Gcm, transport: MGF1P_SHA1 }));
    // Half a declaration leaves the other half open.
    assert_eq!(picked(&[alg::AES256_GCM]), Ok(EncryptionChoice { content: ContentCipher::Aes256Gcm, transport: MGF1P_SHA1 }));
    assert_eq!(
        picked(&[alg::RSA_OAEP]),
        Ok(EncryptionChoice {
            content: ContentCipher::Aes128Gcm,
            transport: KeyTransport::RsaOaep { digest: OaepDigest::Sha1, mgf: OaepDigest::Sha1 }
        })
    );
}

#[test]
fn declared_algorithms_are_taken_in_their_order() {
    let choice = picked(&[alg::AES256_CBC, alg::RSA_1_5, alg::AES256_GCM, alg::AES128_GCM, alg::RSA_OAEP_MGF1P, alg::RSA_OAEP]);
    assert_eq!(choice, Ok(EncryptionChoice { content: ContentCipher::Aes256Gcm, transport: MGF1P_SHA1 }));
}

#[test]
fn declared_digests_and_masks_are_honoured() {
    let pick = |method| EncryptionChoice::pick(&sp_key(&[method]), EncryptionPolicy::default()).map(|choice| choice.transport);
    assert_eq!(pick((alg::RSA_OAEP_MGF1P, Some(alg::SHA256), None)), Ok(KeyTransport::RsaOaepMgf1p { digest: OaepDigest::Sha256 }));
    assert_eq!(
        pick((alg::RSA_OAEP, Some(alg::SHA512), Some(alg::MGF1_SHA384))),
        Ok(KeyTransport::RsaOaep { digest: OaepDigest::Sha512, mgf: OaepDigest::Sha384 })
    );
    assert!(pick((alg::RSA_OAEP, Some("http://www.w3.org/2001/04/xmlenc#ripemd160"), None)).is_err());
    assert!(pick((alg::RSA_OAEP, None, Some("urn:mgf"))).is_err());
}

#[test]
fn cbc_needs_an_allowance_and_nothing_better() {
    let cbc = sp_key(&[(alg::AES128_CBC, None, None), (alg::AES256_CBC, None, None)]);
    let allowed = EncryptionPolicy { allow_cbc: true, ..EncryptionPolicy::default() };
    assert!(EncryptionChoice::pick(&cbc, EncryptionPolicy::default()).unwrap_err().0.contains("AES-CBC"));
    assert_eq!(EncryptionChoice::pick(&cbc, allowed).unwrap().content, ContentCipher::Aes128Cbc);
    let both = sp_key(&[(alg::AES128_CBC, None, None), (alg::AES256_GCM, None, None)]);
    assert_eq!(EncryptionChoice::pick(&both, allowed).unwrap().content, ContentCipher::Aes256Gcm);
}

#[test]
fn what_cannot_be_done_says_why() {
    assert!(picked(&[alg::RSA_1_5]).unwrap_err().0.contains("rsa-1_5"));
    assert!(picked(&["http://www.w3.org/2001/04/xmlenc#tripledes-cbc"]).unwrap_err().0.contains("tripledes-cbc"));
    let ec = SpKey { algorithm: KeyAlgorithm::Ec("P-256".to_owned()), ..sp_key(&[]) };
    assert!(EncryptionChoice::pick(&ec, EncryptionPolicy::default()).unwrap_err().0.contains("EC P-256"));
    let weak = SpKey { algorithm: KeyAlgorithm::Rsa(1024), ..sp_key(&[]) };
    assert!(EncryptionChoice::pick(&weak, EncryptionPolicy::default()).unwrap_err().0.contains("1024"));
    let allowed = EncryptionPolicy { allow_weak_keys: true, ..EncryptionPolicy::default() };
    assert!(EncryptionChoice::pick(&weak, allowed).is_ok());
    // Two SHA-512 digests are longer than such a modulus.
    let sha512 = SpKey { algorithm: KeyAlgorithm::Rsa(1024), ..sp_key(&[(alg::RSA_OAEP, Some(alg::SHA512), None)]) };
    assert!(EncryptionChoice::pick(&sha512, allowed).is_err());
}

const CONTENTS: [ContentCipher; 4] =
    [ContentCipher::Aes128Gcm, ContentCipher::Aes256Gcm, ContentCipher::Aes128Cbc, ContentCipher::Aes256Cbc];

fn encrypted(choice: EncryptionChoice, wrapper: Wrapper) -> Vec<u8> {
    let mut writer = Writer::default();
    encrypt(PLAIN.as_bytes(), wrapper, (&RSA.public().unwrap(), choice), &mut writer, &mut Random::system()).unwrap();
    writer.finish()
}

#[test]
fn xmlsec1_decrypts_what_it_can_do() {
    let directory = std::env::temp_dir().join(format!("linkspan-encryption-{}", std::process::id()));
    fs::create_dir_all(&directory).unwrap();
    let pem = directory.join("key.pem");
    fs::write(&pem, RSA.to_pem(None).unwrap().expose()).unwrap();
    for content in CONTENTS {
        let file = directory.join("document.xml");
        fs::write(&file, encrypted(EncryptionChoice { content, transport: MGF1P_SHA1 }, Wrapper::EncryptedAssertion)).unwrap();
        let output =
            Command::new("xmlsec1").args(["--decrypt", "--privkey-pem"]).arg(&pem).arg(&file).output().expect("xmlsec1 is installed");

        let printed = String::from_utf8(output.stdout).unwrap();
        assert!(printed.contains(&PLAIN.replace("ë", "&#xEB;")), "{content:?}: {printed} {}", String::from_utf8_lossy(&output.stderr));
    }
    fs::remove_dir_all(directory).unwrap();
}

fn descend<'e>(element: &'e Element, path: &[&str]) -> &'e Element {
    path.iter().fold(element, |element, local| element.elements().find(|child| child.local == *local).unwrap())
}

/// Reads an encrypted element as its declared algorithms say, with OpenSSL.
fn decrypt(document: &[u8]) -> Vec<u8> {
    let root = parse(document, &Limits::MESSAGE).unwrap();
    let data = descend(&root, &["EncryptedData"]);
    assert_eq!(data.attribute("Type"), Some("http://www.w3.org/2001/04/xmlenc#Element"));
    let key = descend(data, &["KeyInfo", "EncryptedKey"]);
    let value = |element: &Element| STANDARD.decode(descend(element, &["CipherData", "CipherValue"]).text()).unwrap();
    let method = descend(key, &["EncryptionMethod"]);
    let message_digest = |uri: &str| match uri {
        alg::SHA1 | alg::MGF1_SHA1 => MessageDigest::sha1(),
        alg::SHA256 | alg::MGF1_SHA256 => MessageDigest::sha256(),
        alg::SHA384 | alg::MGF1_SHA384 => MessageDigest::sha384(),
        alg::SHA512 | alg::MGF1_SHA512 => MessageDigest::sha512(),
        other => panic!("{other}"),
    };
    let mgf = match method.attribute("Algorithm").unwrap() {
        alg::RSA_OAEP_MGF1P => alg::MGF1_SHA1,
        alg::RSA_OAEP => method.child(ns::XENC11, "MGF").unwrap().attribute("Algorithm").unwrap(),
        other => panic!("{other}"),
    };
    let private = PKey::private_key_from_pem(RSA.to_pem(None).unwrap().expose()).unwrap();
    let mut decrypter = Decrypter::new(&private).unwrap();
    decrypter.set_rsa_padding(Padding::PKCS1_OAEP).unwrap();
    decrypter.set_rsa_oaep_md(message_digest(method.child(ns::DS, "DigestMethod").unwrap().attribute("Algorithm").unwrap())).unwrap();
    decrypter.set_rsa_mgf1_md(message_digest(mgf)).unwrap();
    let mut content_key = vec![0; 256];
    let length = decrypter.decrypt(&value(key), &mut content_key).unwrap();
    content_key.truncate(length);

    let content = value(data);
    let (cipher, iv_len) = match descend(data, &["EncryptionMethod"]).attribute("Algorithm").unwrap() {
        alg::AES128_GCM => (symm::Cipher::aes_128_gcm(), 12),
        alg::AES256_GCM => (symm::Cipher::aes_256_gcm(), 12),
        alg::AES128_CBC => (symm::Cipher::aes_128_cbc(), 16),
        alg::AES256_CBC => (symm::Cipher::aes_256_cbc(), 16),
        other => panic!("{other}"),
    };
    assert_eq!(cipher.key_len(), content_key.len());
    let (iv, rest) = content.split_at(iv_len);
    if iv_len == 16 {
        return symm::decrypt(cipher, &content_key, Some(iv), rest).unwrap();
    }
    let (body, tag) = rest.split_at(rest.len() - 16);
    symm::decrypt_aead(cipher, &content_key, Some(iv), &[], body, tag).unwrap()
}

#[test]
fn every_combination_is_decrypted_by_what_it_declares() {
    let digests = [OaepDigest::Sha1, OaepDigest::Sha256, OaepDigest::Sha384, OaepDigest::Sha512];
    for content in CONTENTS {
        for digest in digests {
            let transports =
                digests.map(|mgf| KeyTransport::RsaOaep { digest, mgf }).into_iter().chain([KeyTransport::RsaOaepMgf1p { digest }]);
            for transport in transports {
                let document = encrypted(EncryptionChoice { content, transport }, Wrapper::EncryptedId);
                assert!(document.starts_with(b"<saml:EncryptedID "));
                assert_eq!(decrypt(&document), PLAIN.as_bytes(), "{content:?} {transport:?}");
            }
        }
    }
}

#[test]
fn the_same_element_never_looks_the_same_twice() {
    let choice = EncryptionChoice { content: ContentCipher::Aes256Gcm, transport: MGF1P_SHA1 };
    let values = |document: &[u8]| {
        let root = parse(document, &Limits::MESSAGE).unwrap();
        let data = descend(&root, &["EncryptedData"]);
        [
            descend(data, &["CipherData", "CipherValue"]).text(),
            descend(data, &["KeyInfo", "EncryptedKey", "CipherData", "CipherValue"]).text(),
        ]
    };
    let (one, two) = (values(&encrypted(choice, Wrapper::EncryptedAssertion)), values(&encrypted(choice, Wrapper::EncryptedAssertion)));

    assert_ne!(one[0], two[0]);
    assert_ne!(one[1], two[1]);
}

#[test]
fn the_encrypted_element_can_be_signed_in_place() {
    let document = encrypted(EncryptionChoice { content: ContentCipher::Aes128Gcm, transport: MGF1P_SHA1 }, Wrapper::EncryptedAssertion);
    let tree = parse(&document, &Limits::MESSAGE).unwrap();

    assert_eq!(crate::saml::xml::writer::serialize(&tree).into_bytes(), document);
    assert!(
        document
            .starts_with(b"<saml:EncryptedAssertion xmlns:saml=\"urn:oasis:names:tc:SAML:2.0:assertion\"><xenc:EncryptedData xmlns:xenc=")
    );
}
