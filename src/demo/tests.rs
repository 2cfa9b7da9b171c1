//! An identity provider made of samael and a few lines of XML answers the apps, well and badly.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::LazyLock;

use actix_web::{App, HttpResponse, HttpServer, web};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use samael::crypto::{CertificateDer, Crypto, CryptoProvider, UrlVerifier};
use samael::schema::AuthnRequest;

use crate::crypto::cipher::{self, ContentCipher, OaepDigest};
use crate::crypto::keys::{KeyKind, PrivateKey};
use crate::crypto::random::Random;
use crate::crypto::x509;
use crate::demo::checks::Outcome;
use crate::demo::exchange::{self, Exchange};
use crate::demo::idp::Idp;
use crate::demo::memory::Pending;
use crate::demo::pages::Pages;
use crate::demo::request::{self, Knobs, Outgoing};
use crate::demo::sp::{Kind, Sp};
use crate::demo::{Demo, DemoConfig, DemoError, metadata};
use crate::model::time::{Span, Timestamp};

const IDP: &str = "http://localhost:8080/saml/metadata";
/// A signature that is still to be filled in, over the element with the ID `{id}`.
const SIGNATURE_TEMPLATE: &str = r##"<ds:Signature xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:SignedInfo><ds:CanonicalizationMethod Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"/><ds:SignatureMethod Algorithm="http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"/><ds:Reference URI="#{id}"><ds:Transforms><ds:Transform Algorithm="http://www.w3.org/2000/09/xmldsig#enveloped-signature"/><ds:Transform Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"/></ds:Transforms><ds:DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"/><ds:DigestValue/></ds:Reference></ds:SignedInfo><ds:SignatureValue/></ds:Signature>"##;
const SUCCESS: &str = "urn:oasis:names:tc:SAML:2.0:status:Success";

/// samael asks the system for the time, so these tests have to as well.
fn now() -> Timestamp {
    #[expect(clippy::disallowed_methods, reason = "samael judges by the system's time")]
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("the clock is past 1970");
    Timestamp::from_millis(i64::try_from(since.as_millis()).expect("the clock is before the year 292 million"))
}

fn config(listen: [SocketAddr; 2], idp_metadata_url: String) -> DemoConfig {
    DemoConfig { idp_public_url: "http://localhost:8080".to_owned(), idp_metadata_url, listen, now }
}

fn address(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

/// The apps and the identity provider are made once: making keys takes the longest here.
static ONE: LazyLock<Sp> = LazyLock::new(|| fresh_sp(Kind::One));
static TWO: LazyLock<Sp> = LazyLock::new(|| fresh_sp(Kind::Two));
static FAKE: LazyLock<FakeIdp> = LazyLock::new(FakeIdp::new);

fn sp(kind: Kind) -> &'static Sp {
    match kind {
        Kind::One => &ONE,
        Kind::Two => &TWO,
    }
}

fn fresh_sp(kind: Kind) -> Sp {
    Sp::new(kind, address(8081), address(8082), &config([address(8081), address(8082)], IDP.to_owned())).unwrap()
}

/// The identity provider: two keys, the elliptic one first, as samael likes it least.
struct FakeIdp {
    key: PrivateKey,
    metadata: String,
}

impl FakeIdp {
    fn new() -> Self {
        let descriptor = |kind| {
            let key = PrivateKey::generate(kind).unwrap();
            let certificate = STANDARD.encode(x509::self_signed(&key, "idp", now(), 1).unwrap());
            let xml = format!(
                r#"<md:KeyDescriptor use="signing"><ds:KeyInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:X509Data><ds:X509Certificate>{certificate}</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>"#
            );
            (key, xml)
        };
        let (_, elliptic) = descriptor(KeyKind::EcP256);
        let (key, rsa) = descriptor(KeyKind::Rsa2048);
        let metadata = format!(
            r#"<?xml version="1.0" encoding="UTF-8"?><md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" xmlns:mdui="urn:oasis:names:tc:SAML:metadata:ui" xmlns:alg="urn:oasis:names:tc:SAML:metadata:algsupport" entityID="{IDP}" validUntil="2099-01-01T00:00:00Z" cacheDuration="PT1H" ID="_m"><md:IDPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol" WantAuthnRequestsSigned="false"><md:Extensions><alg:SigningMethod Algorithm="x"/><mdui:UIInfo><mdui:DisplayName xml:lang="en">L</mdui:DisplayName></mdui:UIInfo></md:Extensions>{elliptic}{rsa}<md:NameIDFormat>urn:oasis:names:tc:SAML:2.0:nameid-format:persistent</md:NameIDFormat><md:SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect" Location="http://localhost:8080/saml/sso"/><md:SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST" Location="http://localhost:8080/saml/sso"/></md:IDPSSODescriptor></md:EntityDescriptor>"#
        );
        Self { key, metadata }
    }

    fn read(&self) -> Idp {
        Idp::read(&self.metadata).unwrap()
    }

    fn sign(&self, xml: &str) -> String {
        let der = self.key.openssl().private_key_to_der().unwrap();
        Crypto::sign_xml(xml, &der).unwrap()
    }

    /// A signed assertion, on its own.
    fn assertion(&self, answer: &Answer) -> String {
        let at = answer.at;
        let (from, until) = (at - Span::minutes(1), at + Span::minutes(5));
        let Answer { acs, audience, request_id, issuer, name, .. } = answer;
        let in_response_to = request_id.as_ref().map(|id| format!(r#" InResponseTo="{id}""#)).unwrap_or_default();
        let id = &answer.assertion_id;
        let signature = SIGNATURE_TEMPLATE.replace("{id}", id);
        let signed = self.sign(&format!(
            r##"<saml:Assertion xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ID="{id}" Version="2.0" IssueInstant="{at}"><saml:Issuer>{issuer}</saml:Issuer>{signature}<saml:Subject><saml:NameID Format="urn:oasis:names:tc:SAML:2.0:nameid-format:persistent">{name}</saml:NameID><saml:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer"><saml:SubjectConfirmationData NotOnOrAfter="{until}" Recipient="{acs}"{in_response_to}/></saml:SubjectConfirmation></saml:Subject><saml:Conditions NotBefore="{from}" NotOnOrAfter="{until}"><saml:AudienceRestriction><saml:Audience>{audience}</saml:Audience></saml:AudienceRestriction></saml:Conditions><saml:AuthnStatement AuthnInstant="{at}" SessionIndex="_s"><saml:AuthnContext><saml:AuthnContextClassRef>urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport</saml:AuthnContextClassRef></saml:AuthnContext></saml:AuthnStatement><saml:AttributeStatement><saml:Attribute Name="urn:oid:2.16.840.1.113730.3.1.241" NameFormat="urn:oasis:names:tc:SAML:2.0:attrname-format:uri" FriendlyName="displayName"><saml:AttributeValue>Ada &lt;b&gt; &amp; Co</saml:AttributeValue></saml:Attribute></saml:AttributeStatement></saml:Assertion>"##
        ));
        signed
            .trim_start_matches(r#"<?xml version="1.0" encoding="UTF-8"?>"#)
            .trim_start_matches(r#"<?xml version="1.0"?>"#)
            .trim()
            .to_owned()
    }
}

/// What the identity provider says; each test bends one thing.
#[derive(Clone)]
struct Answer {
    acs: String,
    audience: String,
    request_id: Option<String>,
    issuer: String,
    name: String,
    assertion_id: String,
    at: Timestamp,
}

impl Answer {
    fn to(sp: &Sp) -> Self {
        Self {
            acs: sp.acs.clone(),
            audience: sp.entity_id.clone(),
            request_id: Some("_request".to_owned()),
            issuer: IDP.to_owned(),
            name: "pseudonym".to_owned(),
            assertion_id: "_assertion".to_owned(),
            at: now(),
        }
    }

    fn response(&self, inside: &str, status: &str) -> String {
        let Self { acs, request_id, at, .. } = self;
        let in_response_to = request_id.as_ref().map(|id| format!(r#" InResponseTo="{id}""#)).unwrap_or_default();
        format!(
            r#"<samlp:Response xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" ID="_response" Version="2.0" IssueInstant="{at}" Destination="{acs}"{in_response_to}><saml:Issuer xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion">{IDP}</saml:Issuer><samlp:Status><samlp:StatusCode Value="{status}"/></samlp:Status>{inside}</samlp:Response>"#
        )
    }
}

fn encrypt(sp: &Sp, assertion: &str) -> String {
    let mut random = Random::seeded(1);
    let content_key = random.bytes::<16>();
    let data = ContentCipher::Aes128Gcm.encrypt(&content_key, assertion.as_bytes(), &mut random).unwrap();
    let key = cipher::rsa_oaep(&sp.key.public().unwrap(), OaepDigest::Sha1, OaepDigest::Sha1, &content_key).unwrap();
    format!(
        r#"<saml:EncryptedAssertion xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion"><xenc:EncryptedData xmlns:xenc="http://www.w3.org/2001/04/xmlenc#" Type="http://www.w3.org/2001/04/xmlenc#Element"><xenc:EncryptionMethod Algorithm="http://www.w3.org/2009/xmlenc11#aes128-gcm"/><ds:KeyInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><xenc:EncryptedKey><xenc:EncryptionMethod Algorithm="http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p"/><xenc:CipherData><xenc:CipherValue>{}</xenc:CipherValue></xenc:CipherData></xenc:EncryptedKey></ds:KeyInfo><xenc:CipherData><xenc:CipherValue>{}</xenc:CipherValue></xenc:CipherData></xenc:EncryptedData></saml:EncryptedAssertion>"#,
        STANDARD.encode(key),
        STANDARD.encode(data)
    )
}

fn pending() -> Pending {
    Pending {
        browser: "browser".to_owned(),
        relay_state: "state".to_owned(),
        at: now() - Span::seconds(2),
        force_authn: false,
        exact_context: None,
    }
}

fn judge(sp: &Sp, idp: &Idp, xml: &str) -> Exchange {
    judge_with(sp, idp, xml, &pending())
}

fn judge_with(sp: &Sp, idp: &Idp, xml: &str, asked: &Pending) -> Exchange {
    exchange::judge(sp, idp, &STANDARD.encode(xml), Some("state"), |id| (id == "_request").then(|| asked.clone()), now())
}

fn failed(exchange: &Exchange) -> Vec<&'static str> {
    exchange.checks.iter().filter(|check| check.failed()).map(|check| check.name).collect()
}

#[test]
fn a_good_answer_signs_in_and_every_check_passes() {
    let (fake, sp) = (&*FAKE, sp(Kind::Two));
    let answer = Answer::to(sp);

    let exchange = judge(sp, &fake.read(), &answer.response(&fake.assertion(&answer), SUCCESS));

    assert!(exchange.accepted, "{:?}", exchange.checks);
    let told = exchange.told.unwrap();
    assert_eq!((told.name.as_str(), told.name_id.as_str()), ("Ada <b> & Co", "pseudonym"));
    assert_eq!(exchange.assertion_id.as_deref(), Some("_assertion"));
    assert!(exchange.checks.iter().all(|check| check.outcome == Outcome::Passed), "{:?}", exchange.checks);
}

#[test]
fn an_encrypted_assertion_is_decrypted_and_its_own_signature_counts() {
    let (fake, sp) = (&*FAKE, sp(Kind::One));
    let answer = Answer::to(sp);

    let good = judge(sp, &fake.read(), &answer.response(&encrypt(sp, &fake.assertion(&answer)), SUCCESS));
    assert!(good.accepted, "{:?}", good.checks);
    assert!(good.was_encrypted);
    assert!(good.assertion_xml.unwrap().contains("pseudonym"));

    let forged = fake.assertion(&answer).replace("pseudonym", "somebody");
    let bad = judge(sp, &fake.read(), &answer.response(&encrypt(sp, &forged), SUCCESS));
    assert_eq!(failed(&bad), ["Signature", "samael"]);
    assert!(!bad.accepted && bad.told.is_none());
}

#[test]
fn a_bad_signature_around_a_good_encrypted_assertion_is_refused() {
    let (fake, sp) = (&*FAKE, sp(Kind::One));
    let answer = Answer::to(sp);
    let outer = SIGNATURE_TEMPLATE.replace("{id}", "_response");
    let unsigned =
        answer.response(&encrypt(sp, &fake.assertion(&answer)), SUCCESS).replacen("<samlp:Status>", &format!("{outer}<samlp:Status>"), 1);
    let signed = fake.sign(&unsigned);

    let good = judge(sp, &fake.read(), &signed);
    assert!(good.accepted, "{:?}", good.checks);

    let bad = judge(sp, &fake.read(), &signed.replace(r#"Version="2.0" IssueInstant"#, r#"Consent="x" Version="2.0" IssueInstant"#));
    assert_eq!(failed(&bad), ["Response signature"]);
    assert!(!bad.accepted && bad.told.is_none());
}

#[test]
fn an_assertion_encrypted_for_somebody_else_is_refused() {
    let (fake, sp, other) = (&*FAKE, sp(Kind::One), fresh_sp(Kind::One));
    let answer = Answer::to(sp);

    let exchange = judge(sp, &fake.read(), &answer.response(&encrypt(&other, &fake.assertion(&answer)), SUCCESS));

    assert!(!exchange.accepted);
    assert!(failed(&exchange).contains(&"Encryption"));
}

#[test]
fn a_changed_answer_is_refused() {
    let (fake, sp) = (&*FAKE, sp(Kind::Two));
    let answer = Answer::to(sp);

    let changed = answer.response(&fake.assertion(&answer), SUCCESS).replace("pseudonym", "somebody");
    let exchange = judge(sp, &fake.read(), &changed);

    assert_eq!(failed(&exchange), ["Signature", "samael"]);
    assert!(exchange.told.is_none());
}

#[test]
fn an_unsigned_answer_is_refused() {
    let (fake, sp) = (&*FAKE, sp(Kind::Two));
    let answer = Answer::to(sp);
    let signed = fake.assertion(&answer);
    let (head, rest) = signed.split_once("<ds:Signature").unwrap();
    let (_, tail) = rest.split_once("</ds:Signature>").unwrap();

    let exchange = judge(sp, &fake.read(), &answer.response(&format!("{head}{tail}"), SUCCESS));

    assert_eq!(failed(&exchange), ["Signature", "samael"]);
}

#[test]
fn an_answer_signed_by_a_stranger_is_refused() {
    let (fake, stranger, sp) = (&*FAKE, FakeIdp::new(), sp(Kind::Two));
    let answer = Answer::to(sp);

    let exchange = judge(sp, &fake.read(), &answer.response(&stranger.assertion(&answer), SUCCESS));

    assert_eq!(failed(&exchange), ["Signature", "samael"]);
}

#[test]
fn a_wrapped_assertion_does_not_sign_in_the_forged_person() {
    let (fake, sp) = (&*FAKE, sp(Kind::Two));
    let answer = Answer::to(sp);
    let signed = fake.assertion(&answer);
    let forged = signed.replace("_assertion", "_forged").replace("pseudonym", "somebody");

    for inside in [format!("{forged}{signed}"), format!("{signed}{forged}")] {
        let exchange = judge(sp, &fake.read(), &answer.response(&inside, SUCCESS));
        assert!(exchange.told.is_none_or(|told| told.name_id == "pseudonym"));
    }
}

#[test]
fn each_wrong_value_fails_its_own_row() {
    let (fake, sp) = (&*FAKE, sp(Kind::Two));
    let good = Answer::to(sp);
    let cases: Vec<(&str, Answer)> = vec![
        ("Audience", Answer { audience: "http://127.0.0.1:8082/metadata".to_owned(), ..good.clone() }),
        ("Recipient", Answer { acs: "http://127.0.0.1:8082/acs".to_owned(), ..good.clone() }),
        ("Issuer", Answer { issuer: "http://elsewhere".to_owned(), ..good.clone() }),
        ("InResponseTo", Answer { request_id: Some("_never_asked".to_owned()), ..good.clone() }),
        ("Valid", Answer { at: now() - Span::minutes(60), ..good.clone() }),
        ("Valid", Answer { at: now() + Span::minutes(60), ..good.clone() }),
    ];
    for (row, answer) in cases {
        let exchange = judge(sp, &fake.read(), &answer.response(&fake.assertion(&answer), SUCCESS));

        let failed = failed(&exchange);
        assert!(failed.contains(&row) && failed.contains(&"samael"), "{row}: {failed:?}");
        assert!(!failed.contains(&"Signature"), "{row}");
        assert!(exchange.told.is_none() && exchange.problem.is_some(), "{row}");
    }
}

#[test]
fn an_assertion_without_audience_is_refused_although_samael_takes_it() {
    let (fake, sp) = (&*FAKE, sp(Kind::Two));
    let answer = Answer::to(sp);
    let plain = fake.assertion(&answer);
    let (head, rest) = plain.split_once("<saml:AudienceRestriction>").unwrap();
    let (_, tail) = rest.split_once("</saml:AudienceRestriction>").unwrap();
    let again = fake.sign(&format!("{head}{tail}"));
    let again = again.split_once("?>").map_or(again.as_str(), |(_, xml)| xml);

    let exchange = judge(sp, &fake.read(), &answer.response(again, SUCCESS));

    assert_eq!(failed(&exchange), ["Audience"]);
}

#[test]
fn an_answer_for_which_nobody_asked_signs_in() {
    let (fake, sp) = (&*FAKE, sp(Kind::Two));
    let answer = Answer { request_id: None, ..Answer::to(sp) };

    let exchange = judge(sp, &fake.read(), &answer.response(&fake.assertion(&answer), SUCCESS));

    assert!(exchange.accepted, "{:?}", exchange.checks);
    assert!(exchange.browser.is_none() && exchange.request_id.is_none());
}

#[test]
fn what_was_asked_for_is_held_against_the_answer() {
    let (fake, sp) = (&*FAKE, sp(Kind::Two));
    let answer = Answer::to(sp);
    let xml = answer.response(&fake.assertion(&answer), SUCCESS);
    let later = now() + Span::seconds(30);

    let forced = judge_with(sp, &fake.read(), &xml, &Pending { force_authn: true, at: later, ..pending() });
    assert_eq!(failed(&forced), ["ForceAuthn"]);

    let context =
        judge_with(sp, &fake.read(), &xml, &Pending { exact_context: Some("https://refeds.org/profile/mfa".to_owned()), ..pending() });
    assert_eq!(failed(&context), ["Authentication context"]);

    let state = judge_with(sp, &fake.read(), &xml, &Pending { relay_state: "another".to_owned(), ..pending() });
    assert_eq!(failed(&state), ["RelayState"]);
}

#[test]
fn a_refusal_by_the_identity_provider_is_told_in_words() {
    let (fake, sp) = (&*FAKE, sp(Kind::Two));
    let answer = Answer::to(sp);
    let xml = answer.response("", "urn:oasis:names:tc:SAML:2.0:status:Responder").replace(
        r#"Responder"/>"#,
        r#"Responder"><samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:NoPassive"/></samlp:StatusCode>"#,
    );

    let exchange = judge(sp, &fake.read(), &xml);

    assert_eq!(failed(&exchange), ["Status"]);
    assert!(exchange.problem.unwrap().headline.contains("asked it not to ask"));
}

#[test]
fn rubbish_is_refused_before_any_library_sees_it() {
    let (fake, sp) = (&*FAKE, sp(Kind::One));
    for text in ["", "%%%", "PGE+", &STANDARD.encode("<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>")] {
        let exchange = exchange::judge(sp, &fake.read(), text, None, |_| None, now());
        assert_eq!(failed(&exchange), ["Shape"], "{text}");
    }
    let short = Answer::to(sp).response(&encrypt(sp, ""), SUCCESS);
    let cut = short.rfind("</xenc:CipherValue>").unwrap();
    let start = short[..cut].rfind('>').unwrap() + 1;
    let exchange = judge(sp, &fake.read(), &format!("{}AAAA{}", &short[..start], &short[cut..]));
    assert!(failed(&exchange).contains(&"Encryption"));
}

#[test]
fn app_one_signs_its_redirect_and_asks_for_what_was_chosen() {
    let (fake, sp) = (&*FAKE, sp(Kind::One));
    let knobs = Knobs {
        force: "on".to_owned(),
        passive: "on".to_owned(),
        context: "https://refeds.org/profile/mfa".to_owned(),
        comparison: "minimum".to_owned(),
        binding: String::new(),
    };

    let asked = request::ask(sp, &fake.read(), &knobs, "b".to_owned(), now(), &mut Random::seeded(1)).unwrap();

    let Outgoing::Redirect(url) = asked.outgoing else { panic!("app one redirects") };
    let verifier = UrlVerifier::from_x509(&CertificateDer::from(sp.certificate.clone())).unwrap();
    let url = url::Url::parse(&url).unwrap();
    assert!(verifier.verify_signed_request_url(&url).unwrap());
    let (_, deflated) = url.query_pairs().find(|(name, _)| name == "SAMLRequest").unwrap();
    let mut xml = String::new();
    let bytes = STANDARD.decode(deflated.as_bytes()).unwrap();
    std::io::Read::read_to_string(&mut flate2::read::DeflateDecoder::new(&bytes[..]), &mut xml).unwrap();
    let request: AuthnRequest = xml.parse().unwrap();
    assert_eq!((request.force_authn, request.is_passive), (Some(true), Some(true)));
    assert_eq!(request.assertion_consumer_service_url.as_deref(), Some(sp.acs.as_str()));
    assert!(xml.contains(r#"Comparison="minimum""#) && xml.contains("https://refeds.org/profile/mfa"));
    assert!(asked.pending.force_authn && asked.pending.exact_context.is_none());
}

#[test]
fn app_one_signs_its_post_with_sha256() {
    let (fake, sp) = (&*FAKE, sp(Kind::One));
    let knobs = Knobs { binding: "post".to_owned(), ..Knobs::default() };

    let asked = request::ask(sp, &fake.read(), &knobs, "b".to_owned(), now(), &mut Random::seeded(1)).unwrap();

    let Outgoing::Post { saml_request, .. } = asked.outgoing else { panic!("a post was chosen") };
    let xml = String::from_utf8(STANDARD.decode(saml_request).unwrap()).unwrap();
    Crypto::verify_signed_xml(&xml, &CertificateDer::from(sp.certificate.clone()), Some("ID")).unwrap();
    assert!(!xml.contains("xmldsig#sha1"));
}

#[test]
fn app_two_posts_unsigned_and_wants_a_pseudonym() {
    let (fake, sp) = (&*FAKE, sp(Kind::Two));

    let asked = request::ask(sp, &fake.read(), &Knobs::default(), "b".to_owned(), now(), &mut Random::seeded(1)).unwrap();

    let Outgoing::Post { action, saml_request, relay_state } = asked.outgoing else { panic!("app two posts") };
    let request: AuthnRequest = String::from_utf8(STANDARD.decode(saml_request).unwrap()).unwrap().parse().unwrap();
    assert_eq!(action, "http://localhost:8080/saml/sso");
    assert_eq!(relay_state, asked.pending.relay_state);
    assert_eq!(request.id, asked.id);
    assert!(request.signature.is_none());
    let policy = request.name_id_policy.unwrap();
    assert_eq!(policy.format.as_deref(), Some("urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"));
}

#[test]
fn an_identity_provider_without_keys_is_no_use() {
    let fake = &*FAKE;
    let (head, rest) = fake.metadata.split_once("<md:KeyDescriptor").unwrap();
    let (_, tail) = rest.rsplit_once("</md:KeyDescriptor>").unwrap();

    assert!(matches!(Idp::read(&format!("{head}{tail}")), Err(DemoError::MetadataUseless(_))));
}

#[test]
fn metadata_says_how_the_apps_differ() {
    let pages = Pages::load().unwrap();
    let (one, two) = (metadata::write(sp(Kind::One), &pages).unwrap(), metadata::write(sp(Kind::Two), &pages).unwrap());

    assert!(one.contains(r#"AuthnRequestsSigned="true""#) && one.contains(r#"use="encryption""#) && one.contains("aes128-gcm"));
    assert!(two.contains(r#"AuthnRequestsSigned="false""#) && !two.contains(r#"use="encryption""#));
    let read: samael::metadata::EntityDescriptor = one.parse().unwrap();
    assert_eq!(read.entity_id.as_deref(), Some("http://127.0.0.1:8081/metadata"));
}

#[test]
fn only_loopback_addresses_are_listened_on() {
    let outside = SocketAddr::from(([0, 0, 0, 0], 0));
    assert!(matches!(Demo::bind(&config([outside, address(0)], IDP.to_owned())), Err(DemoError::NotLoopback(_))));
}

/// A browser as far as these tests need one: it holds one cookie and follows nothing.
struct Visitor {
    client: reqwest::Client,
    cookie: Option<String>,
}

struct Seen {
    status: u16,
    location: String,
    csp: String,
    body: String,
}

impl Visitor {
    fn new() -> Self {
        #[expect(clippy::disallowed_methods, reason = "the browser is no part of the server")]
        let client = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        Self { client, cookie: None }
    }

    async fn send(&mut self, request: reqwest::RequestBuilder) -> Seen {
        let response = request.send().await.unwrap();
        let header = |name| response.headers().get(name).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default();
        if let Some((cookie, _)) = header("set-cookie").split_once(';') {
            self.cookie = Some(cookie.to_owned());
        }
        let (status, location, csp) = (response.status().as_u16(), header("location"), header("content-security-policy"));
        Seen { status, location, csp, body: response.text().await.unwrap() }
    }

    async fn get(&mut self, url: &str) -> Seen {
        let request = self.client.get(url);
        let request = match &self.cookie {
            Some(cookie) => request.header("cookie", cookie),
            None => request,
        };
        self.send(request).await
    }

    /// The identity provider's page posts to the app: another site, so no cookie goes along.
    async fn post_answer(&mut self, acs: &str, xml: &str, relay_state: &str) -> Seen {
        let form = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("SAMLResponse", &STANDARD.encode(xml))
            .append_pair("RelayState", relay_state)
            .finish();
        let request = self.client.post(acs).header("content-type", "application/x-www-form-urlencoded").body(form);
        self.send(request).await
    }
}

fn field(page: &str, name: &str) -> String {
    let start = page.split_once(&format!(r#"name="{name}" value=""#)).unwrap().1;
    start.split_once('"').unwrap().0.replace("&#x2f;", "/").replace("&#x3d;", "=").replace("&#x2b;", "+")
}

#[tokio::test]
async fn a_person_signs_in_at_a_running_app_and_only_in_the_browser_that_asked() {
    let fake = &*FAKE;
    let publish = || std::future::ready(HttpResponse::Ok().body(FAKE.metadata.as_str()));
    let idp = HttpServer::new(move || App::new().route("/saml/metadata", web::get().to(publish)));
    let idp = idp.workers(1).disable_signals().bind(address(0)).unwrap();
    let metadata_url = format!("http://{}/saml/metadata", idp.addrs()[0]);
    let idp = idp.run();
    let idp_handle = idp.handle();
    tokio::spawn(idp);
    let demo = Demo::bind(&config([address(0), address(0)], metadata_url)).unwrap();
    let app = demo.apps().unwrap().remove(1);
    let base = app.url.trim_end_matches('/').to_owned();
    let acs = format!("{base}/acs");
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let serving = tokio::spawn(demo.serve(async {
        let _ = stopped.await;
    }));

    let mut visitor = Visitor::new();
    let start = visitor.get(&app.url).await;
    assert!(start.body.contains("You are not signed in at Demo two") && start.csp.contains("script-src 'self'"));
    let asked = visitor.get(&format!("{base}/login")).await;
    let request: AuthnRequest = String::from_utf8(STANDARD.decode(field(&asked.body, "SAMLRequest")).unwrap()).unwrap().parse().unwrap();
    let relay_state = field(&asked.body, "RelayState");
    let answer = Answer {
        acs: acs.clone(),
        audience: app.entity_id.clone(),
        request_id: Some(request.id),
        issuer: IDP.to_owned(),
        name: "pseudonym".to_owned(),
        assertion_id: "_assertion".to_owned(),
        at: now(),
    };
    let xml = answer.response(&fake.assertion(&answer), SUCCESS);

    // The thief's browser brings an answer that was asked for elsewhere.
    let mut thief = Visitor::new();
    let cookie = visitor.cookie.clone();
    let ticket = visitor.post_answer(&acs, &xml, &relay_state).await;
    assert_eq!(ticket.status, 303, "{}", ticket.body);
    let replay = visitor.post_answer(&acs, &xml, &relay_state).await;
    let finished = visitor.get(&format!("{base}{}", ticket.location)).await;
    assert_eq!(finished.location, "/");
    assert_ne!(visitor.cookie, cookie);
    let page = visitor.get(&app.url).await;
    assert!(page.body.contains("You are signed in at Demo two") && page.body.contains("Ada &lt;b&gt; &amp; Co"), "{}", page.body);
    assert!(page.body.contains("Enter Demo one: no password needed"));

    let refused = visitor.get(&format!("{base}{}", replay.location)).await;
    assert_eq!(refused.location, "/result");
    let refused = visitor.get(&format!("{base}/result")).await;
    assert_eq!(refused.status, 403);
    assert!(visitor.get(&app.url).await.body.contains("You are signed in at Demo two"));

    let asked = visitor.get(&format!("{base}/login?binding=post")).await;
    let request: AuthnRequest = String::from_utf8(STANDARD.decode(field(&asked.body, "SAMLRequest")).unwrap()).unwrap().parse().unwrap();
    let answer = Answer { request_id: Some(request.id), assertion_id: "_another".to_owned(), ..answer };
    let xml = answer.response(&fake.assertion(&answer), SUCCESS);
    let ticket = thief.post_answer(&acs, &xml, &field(&asked.body, "RelayState")).await;
    let finished = thief.get(&format!("{base}{}", ticket.location)).await;
    assert_eq!(finished.location, "/result");
    let page = thief.get(&format!("{base}/result")).await;
    assert!(page.body.contains("belongs to another browser"));

    let foreign_host = visitor.send(visitor.client.get(&app.url).header("host", "evil.example")).await;
    assert_eq!(foreign_host.status, 421);
    let out = visitor.client.post(format!("{base}/signout")).header("cookie", visitor.cookie.clone().unwrap());
    let cross = visitor.send(out.try_clone().unwrap().header("origin", "http://evil.example")).await;
    assert_eq!(cross.status, 403);
    visitor.send(out).await;
    assert!(visitor.get(&app.url).await.body.contains("You are not signed in at Demo two"));

    stop.send(()).unwrap();
    serving.await.unwrap().unwrap();
    idp_handle.stop(false).await;
}
