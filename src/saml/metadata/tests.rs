//! What import says and refuses, on small documents of our own.

use crate::crypto::keys::{KeyKind, PrivateKey, PublicKey};
use crate::crypto::x509;
use crate::model::id::EntityId;
use crate::model::sp::{Binding, Severity, SpMetadata, Unusable};
use crate::model::time::{Span, Timestamp};
use crate::saml::metadata::endpoints::usable_acs;
use crate::saml::metadata::import::{Import, ImportOptions, Met, import, import_each, read_stored};
use crate::saml::metadata::refusal::MetadataRefusal;
use crate::saml::names::ns;
use crate::saml::xml::signature::SignatureAlgorithm;
use crate::saml::xml::signature::sign::{SigningKey, sign};

const ROLE: &str = "protocolSupportEnumeration='urn:oasis:names:tc:SAML:2.0:protocol'";
const POST: &str =
    "<AssertionConsumerService Binding='urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST' Location='https://sp.example/acs' index='0'/>";

fn now() -> Timestamp {
    Timestamp::parse_xs_date_time("2026-11-24T12:00:00Z").unwrap()
}

/// An entity with attributes of its own, around some content.
fn entity(attributes: &str, content: &str) -> String {
    format!(
        "<EntityDescriptor xmlns='{}' xmlns:ds='{}' entityID='https://sp.example/' {attributes}>{content}</EntityDescriptor>",
        ns::MD,
        ns::DS
    )
}

/// An entity whose SP role has the content.
fn sp(content: &str) -> String {
    entity("", &format!("<SPSSODescriptor {ROLE}>{content}</SPSSODescriptor>"))
}

fn read(document: &str) -> Result<Import, MetadataRefusal> {
    import(document.as_bytes(), &ImportOptions::new(now()))
}

fn refusal(document: &str) -> MetadataRefusal {
    read(document).err().unwrap_or_else(|| panic!("accepted: {document}"))
}

fn only(document: &str) -> SpMetadata {
    let mut import = read(document).unwrap_or_else(|refusal| panic!("{refusal}: {document}"));
    import.entities.remove(0).metadata
}

fn codes(document: &str) -> Vec<String> {
    let import = read(document).unwrap_or_else(|refusal| panic!("{refusal}: {document}"));
    import.all_findings().map(|finding| finding.code.clone()).collect()
}

#[test]
fn each_rule_that_refuses_says_so_in_words() {
    let role = |list: &str| entity("", &format!("<SPSSODescriptor protocolSupportEnumeration='{list}'>{POST}</SPSSODescriptor>"));
    for (document, code, words) in [
        (entity("", ""), "no-sp-role", "neither an app nor"),
        (entity("", "<IDPSSODescriptor/>"), "no-sp-role", "identity provider, not an app"),
        (role("urn:oasis:names:tc:SAML:1.1:protocol"), "no-saml2-sp", "does not speak SAML 2.0"),
        (sp(""), "no-usable-acs", "no AssertionConsumerService"),
        (sp(&POST.replace("https:", "http:")), "no-usable-acs", "plain http"),
        (sp(&POST.replace("https:", "data:")), "no-usable-acs", "absolute https"),
        (sp(&POST.replace("HTTP-POST", "HTTP-Redirect")), "no-usable-acs", "binding"),
        (sp(&POST.replace("https://sp.example/acs", "https://sp.example&#10;/acs")), "no-usable-acs", "absolute https"),
        (
            entity("validUntil='2026-11-24T11:59:59Z'", &format!("<SPSSODescriptor {ROLE}>{POST}</SPSSODescriptor>")),
            "valid-until-expired",
            "24 November 2026",
        ),
        (
            entity("", &format!("<SPSSODescriptor {ROLE} validUntil='2015-05-03T00:00:00Z'>{POST}</SPSSODescriptor>")),
            "valid-until-expired",
            "3 May 2015",
        ),
        (
            format!("<EntityDescriptor xmlns='{}'><SPSSODescriptor {ROLE}>{POST}</SPSSODescriptor></EntityDescriptor>", ns::MD),
            "not-metadata",
            "no entityID",
        ),
        (format!("<EntityDescriptor xmlns='{}' entityID='a&#1;b'/>", ns::MD), "not-well-formed", "names no character"),
        (format!("<EntityDescriptor xmlns='{}' entityID='a&#10;b'/>", ns::MD), "not-metadata", "control character"),
        (format!("<EntitiesDescriptor xmlns='{}'/>", ns::MD), "not-metadata", "no entity at all"),
        (format!("<EntityDescriptor xmlns='{}' entityID='x'><!DOCTYPE a></EntityDescriptor>", ns::MD), "doctype", "line 1"),
    ] {
        let refusal = refusal(&document);
        assert_eq!(refusal.code, code, "{document}: {refusal}");
        assert!(refusal.sentence().to_lowercase().contains(&words.to_lowercase()), "{document}: {refusal}");
        assert!(!refusal.remedy().is_empty(), "{document}");
    }
}

#[test]
fn what_an_administrator_allows_is_taken_with_a_finding() {
    let expired = entity("validUntil='2020-01-01T00:00:00Z'", &format!("<SPSSODescriptor {ROLE}>{POST}</SPSSODescriptor>"));
    let options = ImportOptions { accept_expired: true, ..ImportOptions::new(now()) };
    let taken = import(expired.as_bytes(), &options).unwrap();
    assert!(taken.all_findings().any(|finding| finding.code == "valid-until-expired"));

    let http = sp(&POST.replace("https:", "http:"));
    let options = ImportOptions { allow_http: true, ..ImportOptions::new(now()) };
    let taken = import(http.as_bytes(), &options).unwrap();
    assert!(taken.all_findings().any(|finding| finding.code == "http-endpoint"));
    let sp = &taken.entities[0].metadata;
    assert_eq!(sp.acs[0].unusable, Some(Unusable::PlainHttp));
    assert_eq!(usable_acs(sp, true).count(), 1);
    assert_eq!(usable_acs(sp, false).count(), 0);
}

#[test]
fn each_finding_is_made_by_what_it_is_about() {
    let second = POST.replace("/acs", "/two");
    let default = |acs: &str| acs.replace("/>", " isDefault='true'/>");
    let signed = entity("", &format!("<SPSSODescriptor {ROLE} AuthnRequestsSigned='true'>{POST}</SPSSODescriptor>"));
    let list = |list: &str| entity("", &format!("<SPSSODescriptor {list}>{POST}</SPSSODescriptor>"));
    let until = |until: &str| entity(&format!("validUntil='{until}'"), &format!("<SPSSODescriptor {ROLE}>{POST}</SPSSODescriptor>"));
    let service = "<AttributeConsumingService index='1'/><AttributeConsumingService index='1'/>";
    let extensions = |inner: &str| sp(&format!("<Extensions>{inner}</Extensions>{POST}"));
    for (document, code) in [
        (sp(&POST.replace(" index='0'", "")), "acs-index-missing"),
        (sp(&POST.replace("index='0'", "index='65536'")), "acs-index-missing"),
        (sp(&format!("{POST}{second}")), "acs-index-twice"),
        (sp(&format!("{}{}", default(POST), default(&second.replace("'0'", "'1'")))), "acs-several-defaults"),
        (sp(&format!("{POST}{}", second.replace("HTTP-POST", "HTTP-Redirect"))), "endpoint-binding"),
        (sp(&format!("{POST}{}", second.replace("https:", "ftp:"))), "endpoint-scheme"),
        (sp(&format!("{POST}{}", second.replace("https:", "http:"))), "http-endpoint"),
        (sp(&POST.replace("HTTP-POST", "HTTP-Artifact")), "no-post-acs"),
        (sp(&format!("{POST}{service}")), "attribute-index-twice"),
        (sp(&format!("{POST}<KeyDescriptor/>")), "element-order"),
        (sp(&format!("<KeyDescriptor/>{POST}")), "key-unreadable"),
        (signed, "no-signing-key"),
        (sp(POST), "no-logout"),
        (sp(POST), "no-display-name"),
        (sp(POST), "no-name-id-format"),
        (sp(POST).replace("https://sp.example/'", "bare'"), "entity-id-not-uri"),
        (sp(POST).replace("<SPSSO", "<IDPSSODescriptor/><SPSSO"), "idp-role"),
        (sp(POST).replace("<SPSSO", "<SPSSODescriptor protocolSupportEnumeration='urn:x'/><SPSSO"), "several-sp-roles"),
        (list(""), "protocol-list"),
        (list("protocolSupportEnumeration='urn:oasis:names:tc:SAML:2.0:protocol,urn:oasis:names:tc:SAML:1.1:protocol'"), "protocol-list"),
        (until("2026-12-01T00:00:00Z"), "valid-until-soon"),
        (until("2036-12-01"), "valid-until-lexical"),
        (until("0001-01-01T00:00:00Z"), "valid-until-lexical"),
        (sp(POST).replace("xmlns:ds='http:", "xmlns:ds='https:"), "bad-namespace"),
        (
            extensions(&format!("<a:SigningMethod xmlns:a='{}' Algorithm='http://www.w3.org/2000/09/xmldsig#rsa-sha1'/>", ns::ALG)),
            "signing-methods",
        ),
        (extensions(&format!("<m:UIInfo xmlns:m='{}'><m:InformationURL>javascript:x</m:InformationURL></m:UIInfo>", ns::MDUI)), "info-url"),
        (sp(&format!("<ds:Signature/>{POST}")).replace("<SPSSO", "<ds:Signature/><SPSSO"), "signature-unchecked"),
    ] {
        assert!(codes(&document).iter().any(|have| have == code), "{code}: {:?}\n{document}", codes(&document));
    }
}

/// Clause: IIP-MD12.
#[test]
fn keys_and_certificates_are_judged_on_the_day() {
    let with = |key: &PrivateKey, made: Timestamp, days: u32, more: &str| {
        let certificate = pem_body(&x509::self_signed(key, "sp", made, days).unwrap());
        sp(&format!(
            "<KeyDescriptor><ds:KeyInfo><ds:X509Data><ds:X509Certificate>{certificate}</ds:X509Certificate></ds:X509Data></ds:KeyInfo>{more}</KeyDescriptor>{POST}"
        ))
    };
    let rsa = PrivateKey::generate(KeyKind::Rsa2048).unwrap();
    let ec = PrivateKey::generate(KeyKind::EcP256).unwrap();
    // 1,024 bits.
    let modulus = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, [0xc1; 128]);
    let bare = format!("<ds:RSAKeyValue><ds:Modulus>{modulus}</ds:Modulus><ds:Exponent>AQAB</ds:Exponent></ds:RSAKeyValue>");
    let bare = sp(&format!("<KeyDescriptor><ds:KeyInfo><ds:KeyValue>{bare}</ds:KeyValue></ds:KeyInfo></KeyDescriptor>{POST}"));
    let cbc = "<EncryptionMethod Algorithm='http://www.w3.org/2001/04/xmlenc#aes128-cbc'/>";
    for (document, code, expected) in [
        (with(&rsa, now() - Span::days(20), 10, ""), "cert-expired", true),
        (with(&rsa, now(), 30, ""), "cert-expires-soon", true),
        (with(&rsa, now() + Span::days(10), 400, ""), "cert-not-yet-valid", true),
        (with(&ec, now(), 400, ""), "encryption-methods", true),
        (with(&rsa, now(), 400, cbc), "encryption-methods", true),
        (with(&rsa, now(), 400, ""), "encryption-methods", false),
        (with(&rsa, now(), 400, ""), "cert-expired", false),
        (with(&rsa, now(), 400, ""), "cert-expires-soon", false),
        (with(&rsa, now(), 400, ""), "weak-key", false),
        (bare, "weak-key", true),
    ] {
        assert_eq!(codes(&document).iter().any(|have| have == code), expected, "{code}: {:?}", codes(&document));
    }
}

#[test]
fn hostile_text_is_bounded_and_cleaned() {
    let ui = format!(
        "<m:UIInfo xmlns:m='{}'><m:DisplayName xml:lang='en'>a\u{202e}b\n  c</m:DisplayName><m:DisplayName xml:lang='\"&gt;'>{}</m:DisplayName>
         <m:InformationURL xml:lang='en'>javascript:alert(1)</m:InformationURL><m:Logo width='x' height='20'>vbscript:x</m:Logo></m:UIInfo>",
        ns::MDUI,
        "x".repeat(10_000)
    );
    let sp = only(&sp(&format!("<Extensions>{ui}</Extensions>{POST}")));

    assert_eq!(sp.ui.display_names[0], ("en".to_owned(), "ab c".to_owned()));
    assert_eq!(sp.ui.display_names[1].0, "");
    assert!(sp.ui.display_names[1].1.chars().count() <= 257);
    assert!(sp.ui.information_urls.is_empty() && sp.ui.logos.is_empty());
}

#[test]
fn of_several_roles_the_saml2_one_is_read() {
    let document = entity(
        "",
        &format!(
            "<SPSSODescriptor protocolSupportEnumeration='urn:x'>{}</SPSSODescriptor><SPSSODescriptor {ROLE}>{POST}</SPSSODescriptor>",
            POST.replace("/acs", "/other")
        ),
    );
    let sp = only(&document);
    assert_eq!(sp.acs.len(), 1);
    assert_eq!(sp.acs[0].location, "https://sp.example/acs");
    assert_eq!(sp.acs[0].binding, Binding::HttpPost);
}

/// Two apps, an identity provider and a broken app in one document that says until when it is valid.
fn aggregate() -> String {
    let app = |id: &str| sp(POST).replace("https://sp.example/'", &format!("{id}'"));
    let idp = "<EntityDescriptor entityID='urn:idp'><IDPSSODescriptor/></EntityDescriptor>";
    format!(
        "<EntitiesDescriptor xmlns='{}' xmlns:x='urn:x' validUntil='2030-01-01T00:00:00Z' cacheDuration='PT1H'>{}{idp}{}{}{}</EntitiesDescriptor>",
        ns::MD,
        app("urn:a"),
        app("urn:b"),
        sp("").replace("https://sp.example/'", "urn:broken'"),
        app("urn:a"),
    )
}

#[test]
fn an_aggregate_gives_each_app_once_and_says_what_it_left_out() {
    let import = read(&aggregate()).unwrap();

    let ids: Vec<_> = import.entities.iter().map(|entity| entity.metadata.entity_id.as_str()).collect();
    assert_eq!(ids, ["urn:a", "urn:b"]);
    let refused: Vec<_> = import.refused.iter().map(|refused| refused.refusal.code).collect();
    assert_eq!(refused, ["no-sp-role", "no-usable-acs"]);
    let said: Vec<_> = import.findings.iter().map(|finding| finding.code.as_str()).collect();
    assert_eq!(said, ["duplicate-entity", "several-entities"]);
}

#[test]
fn an_entity_cut_out_keeps_what_it_inherited() {
    for entity in read(&aggregate()).unwrap().entities {
        let (again, _) = read_stored(&entity.xml, now(), false).unwrap();
        assert_eq!(again, entity.metadata);
        assert_eq!(again.valid_until, Timestamp::parse_xs_date_time("2030-01-01T00:00:00Z"));
        assert_eq!(again.cache_duration, Some(Span::hours(1)));
    }
}

#[test]
fn one_entity_can_be_chosen() {
    let choose = |id: &str| ImportOptions { entity: Some(EntityId::parse(id).unwrap()), ..ImportOptions::new(now()) };

    let import_b = import(aggregate().as_bytes(), &choose("urn:b")).unwrap();
    assert_eq!(import_b.entities.len(), 1);
    assert!(import_b.findings.is_empty());
    assert_eq!(import(aggregate().as_bytes(), &choose("urn:c")).unwrap_err().code, "entity-not-found");
    assert_eq!(import(aggregate().as_bytes(), &choose("urn:broken")).unwrap_err().code, "no-usable-acs");
    assert_eq!(import(sp(POST).as_bytes(), &choose("urn:c")).unwrap_err().code, "entity-not-found");
}

#[test]
fn a_single_document_is_kept_letter_by_letter() {
    let text = format!("<?xml version='1.0'?>\r\n<!-- kept -->\n{}\n", sp(POST));
    assert_eq!(read(&text).unwrap().entities[0].xml, text);
    assert_eq!(read(&format!("\u{feff}{text}")).unwrap().entities[0].xml, text);

    let utf16: Vec<u8> = [0xff, 0xfe].into_iter().chain(sp(POST).encode_utf16().flat_map(u16::to_le_bytes)).collect();
    let import = import(&utf16, &ImportOptions::new(now())).unwrap();
    assert!(read_stored(&import.entities[0].xml, now(), false).is_ok());
}

#[test]
fn warnings_come_before_remarks() {
    let import = read(&sp(&POST.replace(" index='0'", ""))).unwrap();
    let weights: Vec<Severity> = import.entities[0].findings.iter().map(|finding| finding.severity).collect();
    assert!(weights.is_sorted_by(|a, b| a >= b), "{weights:?}");
}

/// Signs a canonical document whose root has the ID `x`, right behind the root's start tag.
fn signed(document: &str, key: &SigningKey) -> String {
    let mut document = document.as_bytes().to_vec();
    let at = document.iter().position(|byte| *byte == b'>').unwrap() + 1;
    let whole = 0..document.len();
    sign(&mut document, whole, at, "x", key).unwrap();
    String::from_utf8(document).unwrap()
}

fn signer() -> (SigningKey, PublicKey) {
    let key = PrivateKey::generate(KeyKind::EcP256).unwrap();
    let public = key.public().unwrap();
    let certificate = x509::self_signed(&key, "signer", now(), 10).unwrap();
    (SigningKey::new(key, SignatureAlgorithm::EcdsaSha256, certificate).unwrap(), public)
}

/// In canonical form, so that it can be signed as it stands.
fn canonical() -> String {
    let acs = "<AssertionConsumerService Binding=\"urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST\" Location=\"https://sp.example/acs\" index=\"0\"></AssertionConsumerService>";
    format!(
        "<EntityDescriptor xmlns=\"{}\" ID=\"x\" entityID=\"urn:a\"><SPSSODescriptor protocolSupportEnumeration=\"{}\">{acs}</SPSSODescriptor></EntityDescriptor>",
        ns::MD,
        ns::SAMLP
    )
}

/// Clause: IIP-MD03.
#[test]
fn a_pinned_signer_must_have_signed_the_whole_document() {
    let (key, public) = signer();
    let (_, stranger) = signer();
    let read = |document: &str, signer: &PublicKey| {
        import(document.as_bytes(), &ImportOptions { signer: Some(signer.clone()), ..ImportOptions::new(now()) })
    };
    let good = signed(&canonical(), &key);
    let group = canonical().replace(&format!(" xmlns=\"{}\" ID=\"x\"", ns::MD), "");
    let group = signed(
        &format!("<EntitiesDescriptor xmlns=\"{}\" ID=\"x\">{group}{}</EntitiesDescriptor>", ns::MD, group.replace("urn:a", "urn:b")),
        &key,
    );

    assert_eq!(read(&good, &public).unwrap().entities[0].xml, good);
    assert_eq!(read(&group, &public).unwrap().entities.len(), 2);
    assert_eq!(read(&good, &stranger).unwrap_err().code, "signature-invalid");
    assert_eq!(read(&canonical(), &public).unwrap_err().code, "signature-invalid");
    assert_eq!(read(&good.replace("sp.example/acs", "evil.example/acs"), &public).unwrap_err().code, "signature-invalid");
    assert_eq!(read(&group.replace("urn:b", "urn:c"), &public).unwrap_err().code, "signature-invalid");
    // The signed app inside a group that nobody signed.
    let wrapped = format!("<EntitiesDescriptor xmlns=\"{}\">{good}{}</EntitiesDescriptor>", ns::MD, canonical().replace("ID=\"x\"", ""));
    assert_eq!(read(&wrapped, &public).unwrap_err().code, "signature-invalid");
    let old = good.replace("http://www.w3.org/2001/04/xmlenc#sha256", "http://www.w3.org/2000/09/xmldsig#sha1");
    assert_eq!(read(&old, &public).unwrap_err().code, "signature-sha1");
    // Nobody asked: a signature with SHA-1 is a finding.
    assert!(codes(&old).iter().any(|code| code == "signature-sha1"));
    assert!(codes(&good).iter().any(|code| code == "signature-unchecked"));
}

#[test]
fn nothing_counts_before_the_end_was_read() {
    let mut met = 0;
    let broken = aggregate().replace("</EntitiesDescriptor>", "");
    let result = import_each(std::io::Cursor::new(broken), &ImportOptions::new(now()), &mut |met_one| {
        if matches!(met_one, Met::App(_)) {
            met += 1;
        }
    });
    assert_eq!(met, 2);
    assert_eq!(result.unwrap_err().code, "not-well-formed");
}

fn pem_body(der: &[u8]) -> String {
    let pem = x509::to_pem(der).unwrap();
    pem.lines().filter(|line| !line.starts_with("-----")).collect()
}

proptest::proptest! {
    #![proptest_config(proptest::test_runner::Config { cases: 300, failure_persistence: None, ..Default::default() })]

    #[test]
    fn no_damage_to_a_document_makes_import_panic(at in 0usize..2_000, instead in proptest::collection::vec(proptest::num::u8::ANY, 0..4), gone in 0usize..40) {
        let mut document = aggregate().into_bytes();
        let at = at.min(document.len());
        let end = (at + gone).min(document.len());
        document.splice(at..end, instead);
        let _ = import(&document, &ImportOptions::new(now()));
        let _ = import(&document, &ImportOptions { signer: Some(stranger()), ..ImportOptions::new(now()) });
    }
}

fn stranger() -> PublicKey {
    static KEY: std::sync::OnceLock<PublicKey> = std::sync::OnceLock::new();
    KEY.get_or_init(|| signer().1).clone()
}
