//! Every AuthnRequest of the corpus of real documents is read as its manifest says.

use std::fs;
use std::path::Path;

use super::*;
use crate::crypto::x509::read_pem;
use crate::model::app::SamlSettings;
use crate::model::id::EntityId;
use crate::model::sp::{AcsEndpoint, Binding, KeyUse, SpMetadata, Unusable};
use crate::saml::bindings::pasted::recognise;
use crate::saml::bindings::verify;
use crate::saml::fixtures::{self, IDP, acs, corpus, metadata, metadata_key, view};

/// One line of the manifest, as far as requests need it.
struct Case {
    file: String,
    expectation: String,
    entity_id: String,
    acs: String,
    signer: Option<String>,
    instant: Timestamp,
    destination: Option<String>,
}

/// Reasons that the manifest names, and the rules that may say so. Another true reason is as good as the one named.
fn rules(reason: &str) -> &'static [&'static str] {
    match reason {
        "signature-sha1" => &["signature.algorithm"],
        "signature-invalid" => &["signature.verifies", "signature.algorithm", "signature.keys"],
        "signature-structure" => &["signature.covers", "signature.keys", "signature.algorithm"],
        "schema" => &["xml.schema", "signature.algorithm"],
        "destination" => &["destination.ours"],
        "not-a-request" => &["message.type"],
        other => panic!("the manifest has a new reason, {other}"),
    }
}

fn cases(corpus: &Path) -> Vec<Case> {
    let manifest = fs::read_to_string(corpus.join("manifest.tsv")).unwrap();
    let mut lines = manifest.lines();
    let header: Vec<&str> = lines.next().unwrap().split('\t').collect();
    let column = |name: &str| header.iter().position(|column| *column == name).unwrap();
    let mut cases = Vec::new();
    for line in lines {
        let fields: Vec<&str> = line.split('\t').collect();
        let field = |name: &str| fields.get(column(name)).copied().unwrap_or_default();
        // LogoutRequests come with logout.
        let Some(message) = field("message").strip_prefix("AuthnRequest; instant ") else { continue };
        let (instant, destination) = message.split_once("; destination ").unwrap();
        cases.push(Case {
            file: field("file").to_owned(),
            expectation: field("expectation").to_owned(),
            entity_id: field("entity_ids").to_owned(),
            acs: field("acs").to_owned(),
            signer: Some(field("signer").to_owned()).filter(|signer| !signer.is_empty()),
            instant: Timestamp::parse_xs_date_time(instant).unwrap(),
            destination: Some(destination.to_owned()).filter(|destination| destination != "-"),
        });
    }
    cases
}

fn registered(case: &Case, corpus: &Path) -> SpView {
    let plain_http = |location: &str| location.starts_with("http:").then_some(Unusable::PlainHttp);
    let mut endpoints: Vec<AcsEndpoint> = Vec::new();
    if !case.acs.is_empty() {
        endpoints.push(AcsEndpoint { unusable: plain_http(&case.acs), ..acs(Binding::HttpPost, &case.acs, 0) });
    }
    // The ones that ask by index may ask for any.
    endpoints.extend((1..3).map(|index| acs(Binding::HttpPost, &format!("https://sp.example.org/acs/{index}"), index)));
    let keys = case.signer.iter().map(|signer| {
        let certificate = read_pem(&fs::read(corpus.join(signer)).unwrap()).unwrap();
        metadata_key(&certificate.facts.der, KeyUse::Signing)
    });
    let settings = SamlSettings { allow_http: true, ..SamlSettings::default() };
    let entity_id = EntityId::parse(if case.entity_id.is_empty() { "none" } else { &case.entity_id }).unwrap();
    view(SpMetadata { entity_id, acs: endpoints, keys: keys.collect(), ..metadata() }, settings)
}

/// The rule that refused, or `accept`.
fn verdict(case: &Case, corpus: &Path) -> String {
    let rule = |refusal: &Refusal| refusal.check().unwrap().id.to_string();
    let sp = registered(case, corpus);
    let received = match recognise(&fs::read(corpus.join(&case.file)).unwrap()).decode::<AuthnRequest>() {
        Ok(received) => received,
        Err(refusal) => return rule(&refusal),
    };
    assert_eq!(received.issuer().as_str(), sp.metadata.entity_id.as_str(), "{}", case.file);
    let verified = match verify(received, sp.verification_keys(), &sp.verify_policy()) {
        Ok(verified) => verified,
        Err(refusal) => return rule(&refusal),
    };
    let ours = case.destination.clone().unwrap_or_else(|| fixtures::SSO.to_owned());
    match accept(verified, &sp, &Endpoint { entity_id: IDP.to_owned(), urls: vec![ours] }, case.instant) {
        Ok(accepted) => {
            if !case.acs.is_empty() && accepted.request().is_some_and(|request| request.acs_index.is_none()) {
                assert_eq!(accepted.acs().as_str(), case.acs, "{}", case.file);
            }
            "accept".to_owned()
        }
        Err(rejected) => rule(rejected.refusal()),
    }
}

#[test]
fn real_requests_are_read_as_the_manifest_says() {
    let Some(corpus) = corpus() else { return };
    let cases = cases(&corpus);
    assert!(cases.len() > 20);

    let mut wrong = Vec::new();
    for case in &cases {
        let got = verdict(case, &corpus);
        let fine = match case.expectation.strip_prefix("refuse(").and_then(|rest| rest.strip_suffix(')')) {
            Some(reason) => rules(reason).contains(&got.as_str()),
            None => got == "accept",
        };
        if !fine {
            wrong.push(format!("{}: expected {}, got {got}", case.file, case.expectation));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
