use std::fs;
use std::io::Read as _;
use std::path::PathBuf;
use std::process::Command;
use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use openssl::ec::{EcGroup, EcKey};
use openssl::nid::Nid;
use openssl::pkey::PKey;
use openssl::rsa::Rsa;
use proptest::prelude::*;

use super::preflight::preflight;
use super::sign::{SigningKey, sign, sign_raw};
use super::verify::{SignedBytes, VerifiedXml, verify, verify_raw};
use super::*;
use crate::crypto::keys::{KeyKind, PrivateKey};
use crate::crypto::x509;
use crate::model::time::Timestamp;
use crate::saml::names::ns;
use crate::saml::xml::reader::{Limits, parse};
use crate::saml::xml::tree::Element;
use crate::saml::xml::writer::{SAML, SAMLP, Writer};

static RSA: LazyLock<PrivateKey> = LazyLock::new(|| PrivateKey::generate(KeyKind::Rsa2048).unwrap());
static OTHER_RSA: LazyLock<PrivateKey> = LazyLock::new(|| PrivateKey::generate(KeyKind::Rsa2048).unwrap());
static WEAK_RSA: LazyLock<PrivateKey> = LazyLock::new(|| from_openssl(PKey::from_rsa(Rsa::generate(1024).unwrap()).unwrap()));
static EC: LazyLock<PrivateKey> = LazyLock::new(|| PrivateKey::generate(KeyKind::EcP256).unwrap());

fn from_openssl(key: PKey<openssl::pkey::Private>) -> PrivateKey {
    PrivateKey::from_pem(&key.private_key_to_pem_pkcs8().unwrap(), None).unwrap()
}

fn ec_key(curve: Nid) -> PrivateKey {
    from_openssl(PKey::from_ec_key(EcKey::generate(&EcGroup::from_curve_name(curve).unwrap()).unwrap()).unwrap())
}

fn signing_key(key: &PrivateKey, algorithm: SignatureAlgorithm) -> SigningKey {
    let certificate = x509::self_signed(key, "test", Timestamp::from_seconds(1_700_000_000), 36_500).unwrap();
    SigningKey::new(key.clone(), algorithm, certificate).unwrap()
}

fn public(keys: &[&PrivateKey]) -> Vec<VerificationKey> {
    keys.iter().map(|key| VerificationKey::new(key.public().unwrap())).collect()
}

fn read(document: impl AsRef<[u8]>) -> Element {
    parse(document.as_ref(), &Limits::MESSAGE).unwrap()
}

/// A Response with an Assertion in it; both are signed if there is a second key.
fn response(assertion_key: &SigningKey, response_key: Option<&SigningKey>) -> Vec<u8> {
    let mut writer = Writer::default();
    writer.start(SAMLP, "Response").attribute("ID", "_response").attribute("Version", "2.0");
    writer.leaf(SAML, "Issuer", "https://id.example.com/<&>");
    let after_issuer = writer.offset();
    let from = writer.offset();
    writer.start(SAML, "Assertion").attribute("ID", "_assertion").attribute("Version", "2.0");
    writer.leaf(SAML, "Issuer", "https://id.example.com");
    let insert_at = writer.offset();
    writer.start(SAML, "AttributeStatement").start(SAML, "Attribute").attribute("Name", "a\t\"&\r\n");
    writer.leaf(SAML, "AttributeValue", " Zoë\r\n\t<&>\" ").end().end().end();
    let to = writer.offset();
    let mut document = writer.finish();
    sign(&mut document, from..to, insert_at, "_assertion", assertion_key).unwrap();
    if let Some(key) = response_key {
        let all = 0..document.len();
        sign(&mut document, all, after_issuer, "_response", key).unwrap();
    }
    document
}

/// A signed AuthnRequest with a part that can be changed.
fn request(key: &SigningKey) -> String {
    let mut writer = Writer::default();
    writer.start(SAMLP, "AuthnRequest").attribute("ID", "_request").attribute("Version", "2.0");
    writer.leaf(SAML, "Issuer", "https://sp.example.com");
    let insert_at = writer.offset();
    writer.start(SAMLP, "NameIDPolicy").attribute("AllowCreate", "true");
    let mut document = writer.finish();
    let all = 0..document.len();
    sign(&mut document, all, insert_at, "_request", key).unwrap();
    String::from_utf8(document).unwrap()
}

fn rsa_request() -> String {
    request(&signing_key(&RSA, SignatureAlgorithm::RsaSha256))
}

fn check(document: impl AsRef<[u8]>) -> Result<VerifiedXml, SignatureError> {
    verify(&read(document), &public(&[&RSA]), &SignaturePolicy::default())
}

/// Wants a refusal by the shape, whose text says `what`.
fn shape_refused(document: &str, what: &str) {
    match preflight(&read(document)) {
        Err(SignatureError::Structure(text)) => assert!(text.contains(what), "{text}\n{document}"),
        other => panic!("{other:?}\n{document}"),
    }
    assert!(check(document).is_err());
}

/// A directory that goes when the test ends.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("linkspan-signature-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, content).unwrap();
        path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn xmlsec1_verifies(scratch: &Scratch, document: &[u8], certificate: &[u8], element: &str, signature: &str) -> bool {
    let document = scratch.file("document.xml", document);
    let certificate = scratch.file("certificate.pem", x509::to_pem(certificate).unwrap().as_bytes());
    let output = Command::new("xmlsec1")
        .args(["--verify", "--enabled-key-data", "rsa,ec,x509", "--id-attr:ID", element, "--pubkey-cert-pem"])
        .arg(certificate)
        .args(["--node-xpath", signature])
        .arg(document)
        .output()
        .expect("xmlsec1 is installed");
    output.status.success()
}

#[test]
fn every_algorithm_is_verified_by_us_and_by_xmlsec1() {
    let scratch = Scratch::new("algorithms");
    let p384 = ec_key(Nid::SECP384R1);
    let p521 = ec_key(Nid::SECP521R1);
    for (key, algorithm) in [
        (&*RSA, SignatureAlgorithm::RsaSha256),
        (&*RSA, SignatureAlgorithm::RsaSha384),
        (&*RSA, SignatureAlgorithm::RsaSha512),
        (&*EC, SignatureAlgorithm::EcdsaSha256),
        (&*EC, SignatureAlgorithm::EcdsaSha384),
        (&p384, SignatureAlgorithm::EcdsaSha384),
        (&p521, SignatureAlgorithm::EcdsaSha512),
    ] {
        let signing = signing_key(key, algorithm);
        let document = request(&signing);
        let root = read(&document);

        let verified = verify(&root, &public(&[&OTHER_RSA, &EC, key]), &SignaturePolicy::default()).unwrap();
        assert!(verified.root.is(ns::SAMLP, "AuthnRequest"));
        assert!(verified.root.child(ns::DS, "Signature").is_none());
        assert_eq!(verified.key, if std::ptr::eq(key, &*EC) { 1 } else { 2 });
        assert!(xmlsec1_verifies(&scratch, document.as_bytes(), signing.certificate(), "AuthnRequest", "/*/*[local-name()='Signature']"));

        let signature = sign_raw(&signing, b"bytes").unwrap();
        let raw = |bytes| {
            let signed = SignedBytes { bytes, signature: &signature };
            verify_raw(&public(&[&OTHER_RSA, &EC, key]), algorithm.uri(), signed, &SignaturePolicy::default())
        };
        assert_eq!(raw(b"bytes"), Ok(verified.key));
        assert_eq!(raw(b"other"), Err(SignatureError::DoesNotVerify));
    }
}

#[test]
fn a_signed_assertion_in_a_signed_response_is_verified_by_xmlsec1() {
    let scratch = Scratch::new("response");
    let rsa = signing_key(&RSA, SignatureAlgorithm::RsaSha256);
    let ec = signing_key(&EC, SignatureAlgorithm::EcdsaSha256);
    let document = response(&rsa, Some(&ec));

    let assertion = "/*/*[local-name()='Assertion']/*[local-name()='Signature']";
    assert!(xmlsec1_verifies(&scratch, &document, rsa.certificate(), "Assertion", assertion));
    assert!(xmlsec1_verifies(&scratch, &document, ec.certificate(), "Response", "/*/*[local-name()='Signature']"));
    let tampered = String::from_utf8(document.clone()).unwrap().replace("Zoë", "Zoe");
    assert!(!xmlsec1_verifies(&scratch, tampered.as_bytes(), rsa.certificate(), "Assertion", assertion));

    // The Assertion alone, as an SP would look at it.
    let root = read(&document);
    let assertion = root.child(ns::SAML, "Assertion").unwrap();
    let verified = verify(assertion, &public(&[&RSA]), &SignaturePolicy::default()).unwrap();
    let value = verified.root.child(ns::SAML, "AttributeStatement").unwrap().elements().next().unwrap();
    assert_eq!(value.attribute("Name"), Some("a\t\"&\r\n"));
    assert_eq!(value.text(), "");
    assert_eq!(value.elements().next().unwrap().text(), "Zoë\r\n\t<&>\"");
}

#[test]
fn a_document_without_a_signature_has_no_shape() {
    assert_eq!(preflight(&read("<a ID='_1'/>")), Ok(None));
    assert_eq!(check("<a ID='_1'/>"), Err(SignatureError::Missing));
}

#[test]
fn a_changed_message_does_not_verify() {
    let document = rsa_request();
    for (from, to) in [
        ("AllowCreate=\"true\"", "AllowCreate=\"false\""),
        ("https://sp.example.com", "https://sp.example.org"),
        ("Version=\"2.0\"", "Version=\"2.1\""),
        ("</samlp:AuthnRequest>", " </samlp:AuthnRequest>"),
        ("samlp:NameIDPolicy", "samlp:NameIDPolicx"),
        ("<ds:DigestValue>", "<ds:DigestValue>AAAA"),
        ("<ds:SignatureValue>", "<ds:SignatureValue>AAAA"),
    ] {
        let changed = document.replace(from, to);
        assert_ne!(changed, document);
        assert_eq!(check(&changed), Err(SignatureError::DoesNotVerify), "{to}");
    }
    let start = document.find("<ds:SignatureValue>").unwrap() + "<ds:SignatureValue>".len();
    let end = document.find("</ds:SignatureValue>").unwrap();
    for value in ["", "=", "This=is-no-base64==", "AAAA"] {
        let changed = [&document[..start], value, &document[end..]].concat();
        assert_eq!(check(&changed), Err(SignatureError::DoesNotVerify), "{value}");
    }
}

#[test]
fn another_serialisation_of_the_same_message_verifies() {
    let document = rsa_request().replace("ID=\"_request\" Version=\"2.0\"", "Version='2.0'\n xmlns:unused='urn:u' ID='_request'").replace(
        "<samlp:NameIDPolicy AllowCreate=\"true\"></samlp:NameIDPolicy>",
        "<!-- c --><samlp:NameIDPolicy AllowCreate='&#116;rue' />",
    );
    assert!(check(&document).is_ok());
}

#[test]
fn keys_that_do_not_fit_are_not_tried() {
    let root = read(rsa_request());
    assert_eq!(
        verify(&root, &public(&[&EC]), &SignaturePolicy::default()),
        Err(SignatureError::NoFittingKey { algorithm: SignatureAlgorithm::RsaSha256 })
    );
    assert_eq!(
        verify(&root, &[], &SignaturePolicy::default()),
        Err(SignatureError::NoFittingKey { algorithm: SignatureAlgorithm::RsaSha256 })
    );
    assert_eq!(verify(&root, &public(&[&OTHER_RSA]), &SignaturePolicy::default()), Err(SignatureError::DoesNotVerify));
}

#[test]
fn the_certificate_in_the_message_counts_for_nothing() {
    let document = request(&signing_key(&OTHER_RSA, SignatureAlgorithm::RsaSha256));
    assert!(document.contains("<ds:X509Certificate>"));
    assert_eq!(check(&document), Err(SignatureError::DoesNotVerify));
}

#[test]
fn a_weak_key_counts_only_where_it_is_allowed() {
    let allowed = SignaturePolicy { allow_weak_keys: true, ..SignaturePolicy::default() };
    let signing = signing_key(&WEAK_RSA, SignatureAlgorithm::RsaSha256);
    let root = read(request(&signing));
    let keys = public(&[&WEAK_RSA, &RSA]);

    assert_eq!(verify(&root, &keys, &SignaturePolicy::default()), Err(SignatureError::WeakKey { bits: 1024 }));
    assert_eq!(verify(&root, &keys, &allowed).unwrap().key, 0);
    // Another key's signature is invalid, not weak.
    let other = read(request(&signing_key(&OTHER_RSA, SignatureAlgorithm::RsaSha256)));
    assert_eq!(verify(&other, &keys, &SignaturePolicy::default()), Err(SignatureError::DoesNotVerify));

    let signature = sign_raw(&signing, b"bytes").unwrap();
    let signed = SignedBytes { bytes: b"bytes", signature: &signature };
    assert_eq!(verify_raw(&keys, alg::RSA_SHA256, signed, &SignaturePolicy::default()), Err(SignatureError::WeakKey { bits: 1024 }));
    assert_eq!(verify_raw(&keys, alg::RSA_SHA256, signed, &allowed), Ok(0));
}

/// Signs anew after the algorithms were changed by hand.
fn resigned(document: &str, algorithm: SignatureAlgorithm, digest: Hash) -> String {
    let mut root = read(document);
    root.children.retain(|node| !matches!(node, crate::saml::xml::tree::Node::Element(e) if e.is(ns::DS, "Signature")));
    // What our writer wrote is canonical, and so is its serialisation.
    let digest_value = STANDARD.encode(digest.digest(&[crate::saml::xml::writer::serialize(&root).as_bytes()]).unwrap());
    let between = |text: &str, from: &str, to: &str| -> (usize, usize) {
        let start = text.find(from).unwrap() + from.len();
        (start, start + text[start..].find(to).unwrap())
    };
    let mut out = document.to_owned();
    for (from, value) in
        [("<ds:SignatureMethod Algorithm=\"", algorithm.uri().to_owned()), ("<ds:DigestMethod Algorithm=\"", digest_uri(digest).to_owned())]
    {
        let (start, end) = between(&out, from, "\"");
        out.replace_range(start..end, &value);
    }
    let (start, end) = between(&out, "<ds:DigestValue>", "<");
    out.replace_range(start..end, &digest_value);
    let (start, end) = between(&out, "<ds:SignedInfo>", "</ds:SignedInfo>");
    let alone = format!("<ds:SignedInfo xmlns:ds=\"{}\">{}</ds:SignedInfo>", ns::DS, &out[start..end]);
    let value = STANDARD.encode(RSA.sign(algorithm.hash(), alone.as_bytes()).unwrap());
    let (start, end) = between(&out, "<ds:SignatureValue>", "<");
    out.replace_range(start..end, &value);
    out
}

#[test]
fn sha1_counts_only_where_it_is_allowed() {
    let allowed = SignaturePolicy { allow_sha1: true, ..SignaturePolicy::default() };
    for (algorithm, digest, weak) in [
        (SignatureAlgorithm::RsaSha1, Hash::Sha1, alg::RSA_SHA1),
        (SignatureAlgorithm::RsaSha256, Hash::Sha1, alg::SHA1),
        (SignatureAlgorithm::RsaSha1, Hash::Sha256, alg::RSA_SHA1),
    ] {
        let document = resigned(&rsa_request(), algorithm, digest);
        let root = read(&document);

        assert_eq!(check(&document), Err(SignatureError::WeakAlgorithm(weak.to_owned())));
        assert!(verify(&root, &public(&[&RSA]), &allowed).is_ok());
        let changed = read(document.replace("AllowCreate=\"true\"", "AllowCreate=\"false\""));
        assert_eq!(verify(&changed, &public(&[&RSA]), &allowed), Err(SignatureError::DoesNotVerify));
    }
    // The digest may be another than the signature's.
    assert!(check(resigned(&rsa_request(), SignatureAlgorithm::RsaSha256, Hash::Sha512)).is_ok());
    let signature = RSA.sign(Hash::Sha1, b"bytes").unwrap();
    let signed = SignedBytes { bytes: b"bytes", signature: &signature };
    assert!(matches!(
        verify_raw(&public(&[&RSA]), alg::RSA_SHA1, signed, &SignaturePolicy::default()),
        Err(SignatureError::WeakAlgorithm(_))
    ));
    assert_eq!(verify_raw(&public(&[&RSA]), alg::RSA_SHA1, signed, &allowed), Ok(0));
    let certificate = x509::self_signed(&RSA, "x", Timestamp::from_seconds(1_700_000_000), 1).unwrap();
    assert!(SigningKey::new(RSA.clone(), SignatureAlgorithm::RsaSha1, certificate).is_err());
}

#[test]
fn algorithms_that_do_not_count_are_named() {
    let document = rsa_request();
    for uri in [
        "http://www.w3.org/2000/09/xmldsig#hmac-sha1",
        "http://www.w3.org/2001/04/xmldsig-more#hmac-sha256",
        "http://www.w3.org/2000/09/xmldsig#dsa-sha1",
        "http://www.w3.org/2007/05/xmldsig-more#sha256-rsa-MGF1",
        "",
    ] {
        let changed = document.replace(alg::RSA_SHA256, uri);
        assert_eq!(check(&changed), Err(SignatureError::UnknownAlgorithm(uri.to_owned())));
        let signed = SignedBytes { bytes: b"", signature: b"" };
        assert_eq!(
            verify_raw(&public(&[&RSA]), uri, signed, &SignaturePolicy::default()),
            Err(SignatureError::UnknownAlgorithm(uri.to_owned()))
        );
    }
    let changed = document.replace(alg::SHA256, "http://www.w3.org/2001/04/xmldsig-more#md5");
    assert!(matches!(check(&changed), Err(SignatureError::UnknownAlgorithm(_))));
}

#[test]
fn an_hmac_keyed_with_the_public_key_is_refused() {
    let document = rsa_request()
        .replace(alg::RSA_SHA256, "http://www.w3.org/2001/04/xmldsig-more#hmac-sha256")
        .replace("hmac-sha256\"></ds:SignatureMethod>", "hmac-sha256\"><ds:HMACOutputLength>8</ds:HMACOutputLength></ds:SignatureMethod>");
    shape_refused(&document, "SignatureMethod");
}

/// The eight ways of Somorovsky et al., "On Breaking SAML", as far as they apply to a signed root element. In each the evil message
/// is the root or takes its place.
#[test]
fn wrapped_messages_are_refused() {
    let original = rsa_request();
    let evil = |id: &str, content: &str| {
        format!(
            "<samlp:AuthnRequest xmlns:samlp=\"{}\" ID=\"{id}\" Version=\"2.0\"><saml:Issuer xmlns:saml=\"{}\">evil</saml:Issuer>{content}</samlp:AuthnRequest>",
            ns::SAMLP,
            ns::SAML
        )
    };
    let start = original.find("<ds:Signature ").unwrap();
    let end = original.find("</ds:Signature>").unwrap() + "</ds:Signature>".len();
    let signature = &original[start..end];
    let bare = [&original[..start], &original[end..]].concat();
    let with_object = |object: &str| signature.replace("</ds:Signature>", &format!("<ds:Object>{object}</ds:Object></ds:Signature>"));
    let extensions = |content: &str| format!("<samlp:Extensions>{content}</samlp:Extensions>");

    for (name, document) in [
        ("1: original with its signature inside the evil one", evil("_evil", &original)),
        ("1: the signature moved out, to the evil one", evil("_evil", &format!("{signature}{bare}"))),
        ("2: original beside a detached signature", evil("_evil", &format!("{bare}{signature}"))),
        ("3: the original first, the evil one after it", evil("_request", &format!("{original}<samlp:NameIDPolicy/>"))),
        ("4: the evil one around the original, one ID", evil("_request", &format!("{signature}{bare}"))),
        ("5: the original in Extensions, the signature on the evil one", evil("_evil", &format!("{signature}{}", extensions(&bare)))),
        ("6: the original in the signature's Object", evil("_evil", &with_object(&bare))),
        ("6: the same, with the same ID", evil("_request", &with_object(&bare))),
        ("7: the signed original in Extensions", evil("_evil", &extensions(&original))),
        (
            "8: the evil one in an Object of the original's signature",
            bare.replace("<samlp:NameIDPolicy", &format!("{}<samlp:NameIDPolicy", with_object(&evil("_x", "")))),
        ),
    ] {
        assert!(matches!(check(&document), Err(SignatureError::Structure(_))), "{name}: {:?}", check(&document));
    }
    // Without a trick the evil one does not verify.
    assert_eq!(check(evil("_request", signature)), Err(SignatureError::DoesNotVerify));
}

#[test]
fn references_elsewhere_are_refused_and_nothing_is_fetched() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let http = format!("http://127.0.0.1:{}/", listener.local_addr().unwrap().port());
    let document = rsa_request();
    for (uri, what) in [
        (http.as_str(), "does not name"),
        ("file:///etc/hostname", "does not name"),
        ("/etc/hostname", "does not name"),
        ("", "empty"),
        ("#", "does not name"),
        ("#xpointer(/)", "does not name"),
        ("#xpointer(id('_request'))", "does not name"),
        ("#_other", "does not name"),
        ("_request", "does not name"),
        ("#_request ", "does not name"),
        (&format!("{http}#_request"), "does not name"),
    ] {
        shape_refused(&document.replace("URI=\"#_request\"", &format!("URI=\"{uri}\"")), what);
    }
    shape_refused(&document.replace(" URI=\"#_request\"", ""), "no URI");
    shape_refused(
        &document.replace("<ds:X509Data>", &format!("<ds:RetrievalMethod URI=\"{http}\"></ds:RetrievalMethod><ds:X509Data>")),
        "KeyInfo",
    );
    let key_info_reference = format!("<r:KeyInfoReference xmlns:r=\"{}\" URI=\"{http}\"></r:KeyInfoReference><ds:X509Data>", ns::DSIG11);
    shape_refused(&document.replace("<ds:X509Data>", &key_info_reference), "KeyInfo");

    assert!(listener.accept().is_err(), "something connected");
}

#[test]
fn other_transforms_and_forms_are_refused() {
    let document = rsa_request();
    let enveloped = format!("<ds:Transform Algorithm=\"{}\"></ds:Transform>", alg::ENVELOPED);
    let exclusive = format!("<ds:Transform Algorithm=\"{}\"></ds:Transform>", alg::EXC_C14N);
    let both = format!("{enveloped}{exclusive}");
    assert!(document.contains(&both));
    let transform = |uri: &str, content: &str| format!("<ds:Transform Algorithm=\"{uri}\">{content}</ds:Transform>");
    let xslt =
        transform("http://www.w3.org/TR/1999/REC-xslt-19991116", "<xsl:stylesheet xmlns:xsl=\"http://www.w3.org/1999/XSL/Transform\"/>");
    let xpath = transform("http://www.w3.org/TR/1999/REC-xpath-19991116", "<ds:XPath>not(ancestor-or-self::ds:Signature)</ds:XPath>");
    for transforms in [
        exclusive.clone(),
        enveloped.clone(),
        format!("{exclusive}{enveloped}"),
        format!("{both}{exclusive}"),
        format!("{enveloped}{xslt}"),
        format!("{xpath}{exclusive}"),
        format!("{both}{xpath}"),
        format!("{enveloped}{}", transform("http://www.w3.org/2001/10/xml-exc-c14n#WithComments", "")),
        format!("{enveloped}{}", transform("http://www.w3.org/TR/2001/REC-xml-c14n-20010315", "")),
        format!("{enveloped}{}", transform("http://www.w3.org/2000/09/xmldsig#base64", "")),
        format!("{}{exclusive}", transform(alg::ENVELOPED, "<ds:XPath/>")),
        format!("{enveloped}{}", transform(alg::EXC_C14N, "<ds:XPath/>")),
        String::new(),
    ] {
        shape_refused(&document.replace(&both, &transforms), "");
    }
    for (from, to) in [
        ("<ds:SignatureValue>", "<ds:Object/><ds:SignatureValue>"),
        ("</ds:Signature>", "<ds:Object/></ds:Signature>"),
        ("</ds:Signature>", "<ds:KeyInfo/></ds:Signature>"),
        ("</ds:Signature>", "text</ds:Signature>"),
        ("</ds:Reference>", "</ds:Reference><ds:Reference URI=\"#_request\"></ds:Reference>"),
        ("<ds:DigestMethod ", "<ds:Other/><ds:DigestMethod "),
        (
            "<ds:CanonicalizationMethod Algorithm=\"http://www.w3.org/2001/10/xml-exc-c14n#\"",
            "<ds:CanonicalizationMethod Algorithm=\"http://www.w3.org/TR/2001/REC-xml-c14n-20010315\"",
        ),
        ("<ds:SignatureMethod Algorithm", "<ds:SignatureMethod Method"),
        ("<ds:SignedInfo>", "<ds:SignedInfo><ds:Manifest/>"),
        ("<ds:DigestValue>", "<ds:DigestValue><ds:X/>"),
        ("<ds:SignatureValue>", "<ds:SignatureValue><ds:X/>"),
    ] {
        let changed = document.replace(from, to);
        assert_ne!(changed, document);
        shape_refused(&changed, "");
    }
    let no_method = document.replace(&format!("<ds:SignatureMethod Algorithm=\"{}\"></ds:SignatureMethod>", alg::RSA_SHA256), "");
    shape_refused(&no_method, "SignedInfo");
}

#[test]
fn ids_must_be_unique_in_any_spelling() {
    let document = rsa_request();
    for attribute in ["ID=\"_request\"", "Id=\"_request\"", "id=\"_request\"", "xml:id=\"_request\"", "xmlns:w=\"urn:w\" w:Id=\"_request\""]
    {
        shape_refused(&document.replace("<samlp:NameIDPolicy ", &format!("<samlp:NameIDPolicy {attribute} ")), "occurs again");
    }
    shape_refused(
        &document.replace("<samlp:NameIDPolicy ", "<samlp:NameIDPolicy ID=\"_a\" ").replace("<saml:Issuer ", "<saml:Issuer ID=\"_a\" "),
        "twice",
    );
    shape_refused(
        &document.replace(
            "<samlp:AuthnRequest xmlns:samlp=\"urn:oasis:names:tc:SAML:2.0:protocol\" ID=\"_request\"",
            "<samlp:AuthnRequest xmlns:samlp=\"urn:oasis:names:tc:SAML:2.0:protocol\"",
        ),
        "no ID",
    );
    shape_refused(&document.replace("_request", "1request"), "not an XML name");
    shape_refused(&document.replace("_request", "element(/1)"), "not an XML name");
}

#[test]
fn a_second_signature_is_refused() {
    let document = rsa_request();
    let with = |signature: &str| document.replace("<samlp:NameIDPolicy", &format!("{signature}<samlp:NameIDPolicy"));
    shape_refused(&with(&format!("<ds:Signature xmlns:ds=\"{}\"/>", ns::DS)), "2 ds:Signature");
    shape_refused(&with(&format!("<x><Signature xmlns=\"{}\"/></x>", ns::DS)), "2 ds:Signature");
    let start = document.find("<ds:Signature ").unwrap();
    let end = document.find("</ds:Signature>").unwrap() + "</ds:Signature>".len();
    shape_refused(&with(&document[start..end]), "2 ds:Signature");
    shape_refused(&document.replace("<ds:X509Data>", "<ds:Signature/><ds:X509Data>"), "2 ds:Signature");
}

#[test]
fn the_canonical_form_cannot_outgrow_the_document() {
    let document = rsa_request();
    let long = format!("urn:{}", "x".repeat(100_000));
    let bomb = document
        .replace("<samlp:AuthnRequest ", &format!("<samlp:AuthnRequest xmlns:long=\"{long}\" "))
        .replace("<samlp:NameIDPolicy", &format!("{}<samlp:NameIDPolicy", "<long:a/>".repeat(2_000)));
    shape_refused(&bomb, "far larger");
    shape_refused(&document.replace("<samlp:AuthnRequest ", "<samlp:AuthnRequest xmlns:o='urn:a\"b' "), "namespace name");
    let prefixes = (0..100).map(|n| format!("p{n}")).collect::<Vec<_>>().join(" ");
    let list = |prefixes: &str| {
        document.replace(
            &format!("<ds:Transform Algorithm=\"{}\">", alg::EXC_C14N),
            &format!("<ds:Transform Algorithm=\"{0}\"><ec:InclusiveNamespaces xmlns:ec=\"{0}\" PrefixList=\"{prefixes}\"/>", alg::EXC_C14N),
        )
    };
    shape_refused(&list(&prefixes), "few prefixes");
    shape_refused(&list("a:b"), "few prefixes");
    assert_eq!(check(list("samlp xs #default")), Err(SignatureError::DoesNotVerify));
}

#[test]
fn relative_namespaces_fail_quietly() {
    let document = rsa_request().replace("<samlp:NameIDPolicy ", "<samlp:NameIDPolicy xmlns:r='relative' r:a='1' ");
    assert_eq!(check(&document), Err(SignatureError::DoesNotVerify));
    assert!(openssl::error::ErrorStack::get().errors().is_empty());
}

#[test]
fn threads_verify_at_the_same_time() {
    let good = rsa_request();
    let bad = good.replace("AllowCreate=\"true\"", "AllowCreate=\"false\"");
    let keys = public(&[&RSA]);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..50 {
                    assert!(verify(&read(&good), &keys, &SignaturePolicy::default()).is_ok());
                    assert_eq!(verify(&read(&bad), &keys, &SignaturePolicy::default()), Err(SignatureError::DoesNotVerify));
                }
            });
        }
    });
}

/// The corpus of real documents, where it is at hand.
fn corpus() -> Option<PathBuf> {
    #[expect(clippy::disallowed_methods, reason = "whoever runs the tests says where the corpus is")]
    let path = std::env::var_os("LINKSPAN_CORPUS").map(PathBuf::from);
    let path = path.unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus"));
    if path.join("manifest.tsv").is_file() {
        return Some(path);
    }
    println!("skipped: no corpus at {}", path.display());
    None
}

/// The XML of a corpus request that came by POST.
fn posted(file: &str, content: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(content).ok()?;
    let after = |text: &str, from: &str, to: char| -> Option<Vec<u8>> {
        let (_, rest) = text.split_once(from)?;
        let (value, _) = rest.split_once(to)?;
        STANDARD.decode(value.replace("\\n", "").replace(['\n', '\r', ' '], "")).ok()
    };
    match file.rsplit_once('.')?.1 {
        "xml" => Some(content.to_vec()),
        "json" => after(text, "\"SAMLRequest\": \"", '"').or_else(|| after(text, "\"SAMLRequest\":\"", '"')),
        "html" => after(text, "name=\"SAMLRequest\" value=\"", '"'),
        _ => None,
    }
}

#[test]
fn signatures_of_the_corpus_come_out_as_its_manifest_says() {
    let Some(corpus) = corpus() else { return };
    let manifest = fs::read_to_string(corpus.join("manifest.tsv")).unwrap();
    let mut seen = 0;
    for line in manifest.lines().skip(1) {
        let columns: Vec<&str> = line.split('\t').collect();
        let (file, expectation, signed, signer) = (columns[0], columns[4], columns[10], columns[11]);
        if !signed.starts_with("enveloped") {
            continue;
        }
        let mut content = Vec::new();
        fs::File::open(corpus.join(file)).unwrap().read_to_end(&mut content).unwrap();
        let Some(xml) = posted(file, &content) else { panic!("{file} cannot be taken apart") };
        let root = parse(&xml, &Limits::MESSAGE).unwrap_or_else(|error| panic!("{file}: {error}"));
        let keys = match signer {
            "" => public(&[&RSA]),
            signer => vec![VerificationKey::new(x509::read_pem(&fs::read(corpus.join(signer)).unwrap()).unwrap().key)],
        };
        let outcome = verify(&root, &keys, &SignaturePolicy::default());
        let lenient = verify(&root, &keys, &SignaturePolicy { allow_sha1: true, allow_weak_keys: true });
        seen += 1;
        match expectation {
            // The manifest looks at the signature's algorithm only; security.md refuses SHA-1 as the digest, too.
            "accept" if file.ends_with("samael-authn-signed-sha256.xml") => {
                assert_eq!(outcome, Err(SignatureError::WeakAlgorithm(alg::SHA1.to_owned())));
                assert!(lenient.is_ok(), "{file}: {lenient:?}");
            }
            "accept" => assert!(outcome.is_ok(), "{file}: {outcome:?}"),
            "refuse(signature-sha1)" => {
                assert!(matches!(outcome, Err(SignatureError::WeakAlgorithm(_))), "{file}: {outcome:?}");
                assert!(lenient.is_ok(), "{file}: {lenient:?}");
            }
            "refuse(signature-structure)" => assert!(matches!(outcome, Err(SignatureError::Structure(_))), "{file}: {outcome:?}"),
            "refuse(signature-invalid)" => assert_eq!(lenient, Err(SignatureError::DoesNotVerify), "{file}"),
            _ => assert!(lenient.is_ok() || signer.is_empty(), "{file}: {lenient:?}"),
        }
    }
    assert!(seen >= 12, "{seen}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn a_message_damaged_anywhere_is_refused_or_says_the_same(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        static DOCUMENT: LazyLock<String> = LazyLock::new(rsa_request);
        static KEYS: LazyLock<Vec<VerificationKey>> = LazyLock::new(|| public(&[&RSA]));
        let mut damaged = DOCUMENT.clone().into_bytes();
        let at = at.index(damaged.len());
        damaged[at] = byte;

        if let Ok(root) = parse(&damaged, &Limits::MESSAGE)
            && let Ok(verified) = verify(&root, &KEYS, &SignaturePolicy::default())
        {
            prop_assert_eq!(&verified.root, &verify(&read(&*DOCUMENT), &KEYS, &SignaturePolicy::default()).unwrap().root);
        }
    }
}
