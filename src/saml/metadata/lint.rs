//! What is worth knowing about an SP's metadata, each with rule, value and remedy (`app lint`).

use std::collections::HashSet;

use crate::model::sp::{Binding, Finding, SpKey, SpMetadata, Unusable};
use crate::model::time::{Span, Timestamp};
use crate::saml::metadata::endpoints::{is_usable, usable_acs};
use crate::saml::metadata::refusal::day_in_words;
use crate::saml::metadata::rules;
use crate::saml::names::alg;
use crate::saml::xml::encryption::{EncryptionChoice, EncryptionPolicy};

/// How long before an end people want to hear of it.
const SOON: Span = Span::days(60);
const DOCUMENT_SOON: Span = Span::days(14);

/// Judges what was read of an SP. `read_sp` calls it, so that import and lint say the same.
pub fn judge(sp: &SpMetadata, now: Timestamp, allow_http: bool) -> Vec<Finding> {
    let mut findings = Vec::new();
    entity(sp, now, &mut findings);
    keys(sp, now, &mut findings);
    algorithms(sp, &mut findings);
    consumers(sp, allow_http, &mut findings);
    for_people(sp, &mut findings);
    findings
}

fn entity(sp: &SpMetadata, now: Timestamp, findings: &mut Vec<Finding>) {
    let id = sp.entity_id.as_str();
    if url::Url::parse(id).is_err() || id.chars().count() > 1_024 {
        findings.push(rules::ENTITY_ID_NOT_URI.about(id, "Nothing to do here; other identity providers may refuse it."));
    }
    if let Some(until) = sp.valid_until
        && until > now
        && until <= now + DOCUMENT_SOON
    {
        let value = format!("valid until {}", day_in_words(until));
        findings.push(
            rules::VALID_UNTIL_SOON.about(&value, "Import by URL, so that it is refreshed; or ask for a document without validUntil."),
        );
    }
}

fn keys(sp: &SpMetadata, now: Timestamp, findings: &mut Vec<Finding>) {
    let mut seen = HashSet::new();
    for key in &sp.keys {
        if !seen.insert(&key.spki) {
            continue;
        }
        if key.algorithm.is_weak() {
            let value = format!("{}, {}", key.algorithm, name(key));
            let remedy =
                "Ask the app's owner for a stronger key. Until then what it signs is refused, unless saml.allow_weak_keys is set for it.";
            findings.push(rules::WEAK_KEY.about(&value, remedy));
        }
        let Some(certificate) = &key.certificate else { continue };
        let facts = |date| format!("{}, {date}", name(key));
        if certificate.not_after <= now {
            let value = facts(format!("expired on {}", day_in_words(certificate.not_after)));
            findings
                .push(rules::CERT_EXPIRED.about(&value, "Nothing breaks here. Tell the app's owner, whose own software may refuse it."));
        } else if certificate.not_after <= now + SOON {
            let value = facts(format!("expires on {}", day_in_words(certificate.not_after)));
            findings.push(
                rules::CERT_EXPIRES_SOON.about(&value, "Ask the app's owner when the next key comes; both can be published together."),
            );
        } else if certificate.not_before > now {
            let value = facts(format!("valid from {}", day_in_words(certificate.not_before)));
            findings.push(rules::CERT_NOT_YET_VALID.about(&value, "Nothing to do if this is the next key of a rollover."));
        }
    }
    if sp.authn_requests_signed && sp.signing_keys().next().is_none() {
        let remedy = "Its requests will be refused, since nobody can tell who signed them. Ask the app's owner for metadata with the signing certificate.";
        findings.push(rules::NO_SIGNING_KEY.about("AuthnRequestsSigned is true", remedy));
    }
}

/// What to call a key in a finding.
fn name(key: &SpKey) -> String {
    match &key.certificate {
        Some(certificate) => {
            let short: String = certificate.fingerprint.chars().take(23).collect();
            format!("certificate {} ({short}…)", certificate.subject)
        }
        None => "a key without certificate".to_owned(),
    }
}

fn algorithms(sp: &SpMetadata, findings: &mut Vec<Finding>) {
    const SIGNED: &[&str] = &[alg::RSA_SHA256, alg::RSA_SHA384, alg::RSA_SHA512, alg::ECDSA_SHA256, alg::ECDSA_SHA384, alg::ECDSA_SHA512];
    if !sp.signing_methods.is_empty() && !sp.signing_methods.iter().any(|method| SIGNED.contains(&method.as_str())) {
        let remedy = "Answers are signed with RSA-SHA256 all the same. Ask the app's owner for RSA or ECDSA with SHA-256 or stronger.";
        findings.push(rules::SIGNING_METHODS.about(&sp.signing_methods.join(" "), remedy));
    }
    // One key that works is enough; where none does, the first says why.
    let mut reason = None;
    for key in sp.encryption_keys() {
        match EncryptionChoice::pick(key, EncryptionPolicy::default()) {
            Ok(_) => return,
            Err(error) => reason = reason.or(Some((name(key), error.0))),
        }
    }
    if let Some((key, why)) = reason {
        let remedy = format!(
            "Assertions go unencrypted: {why}. Ask the app's owner for an RSA key with AES-GCM and RSA-OAEP, or set saml.allow_cbc or saml.allow_weak_keys where that is what it lacks."
        );
        findings.push(rules::ENCRYPTION_METHODS.about(&key, remedy));
    }
}

fn consumers(sp: &SpMetadata, allow_http: bool, findings: &mut Vec<Finding>) {
    let slo = sp.slo.iter().map(|slo| ("SingleLogoutService", &slo.binding, slo.location.as_str(), slo.unusable));
    let acs = sp.acs.iter().map(|acs| ("AssertionConsumerService", &acs.binding, acs.location.as_str(), acs.unusable));
    let all: Vec<_> = acs.chain(slo).collect();
    let list = |why: Unusable| -> Option<String> {
        let of: Vec<String> = all.iter().filter(|e| e.3 == Some(why)).map(|(kind, _, location, _)| format!("{kind} {location}")).collect();
        summary(&of)
    };
    if let Some(value) = list(Unusable::PlainHttp) {
        let remedy = if allow_http {
            "They are used, because saml.allow_http is set for this app. Ask the app's owner for https."
        } else {
            "They are left out. Ask the app's owner for https."
        };
        findings.push(rules::HTTP_ENDPOINT.about(&value, remedy));
    }
    if let Some(value) = list(Unusable::Scheme) {
        findings.push(rules::ENDPOINT_SCHEME.about(&value, "They are left out. Ask the app's owner for absolute https addresses."));
    }
    let other: Vec<String> =
        sp.acs.iter().filter(|acs| acs.unusable == Some(Unusable::Binding)).map(|acs| acs.binding.uri().to_owned()).collect();
    if let Some(value) = summary(&other) {
        findings.push(rules::ENDPOINT_BINDING.about(&value, "Nothing to do: endpoints of other protocols are left out."));
    }
    if !usable_acs(sp, allow_http).any(|acs| acs.binding == Binding::HttpPost) {
        let of: Vec<String> = usable_acs(sp, allow_http).map(|acs| acs.binding.uri().to_owned()).collect();
        let value = summary(&of).unwrap_or_default();
        let remedy = "Nobody can sign in to this app yet. Ask the app's owner for an AssertionConsumerService with the HTTP-POST binding.";
        findings.push(rules::NO_POST_ACS.about(&value, remedy));
    }

    let usable: Vec<_> = usable_acs(sp, allow_http).collect();
    if let Some(acs) = usable.iter().find(|acs| acs.index.is_none()) {
        findings.push(
            rules::ACS_INDEX_MISSING
                .about(&acs.location, "Requests can still name the address itself. Ask the app's owner to add index=\"0\"."),
        );
    }
    // An index stands for one endpoint of the whole role, usable or not.
    if let Some(index) = first_twice(sp.acs.iter().filter_map(|acs| acs.index)) {
        findings.push(rules::ACS_INDEX_TWICE.about(&format!("index {index}"), "The first one counts. Ask the app's owner to number them."));
    }
    if sp.acs.iter().filter(|acs| acs.is_default == Some(true)).count() > 1 {
        let of: Vec<String> = sp.acs.iter().filter(|acs| acs.is_default == Some(true)).map(|acs| acs.location.clone()).collect();
        findings.push(
            rules::ACS_DEFAULTS.about(&summary(&of).unwrap_or_default(), "The first one counts. Ask the app's owner which is meant."),
        );
    }
    if let Some(index) = first_twice(sp.attribute_services.iter().filter_map(|service| service.index)) {
        findings.push(
            rules::ATTRIBUTE_INDEX_TWICE.about(&format!("index {index}"), "The first one counts. Ask the app's owner to number them."),
        );
    }
    if !sp.slo.iter().any(|slo| is_usable(slo.unusable, allow_http)) {
        let value = if sp.slo.is_empty() { "no SingleLogoutService" } else { "no usable SingleLogoutService" };
        findings.push(rules::NO_LOGOUT.about(value, "Sessions at this app last as long as it decides, also when people sign out here."));
    }
}

fn for_people(sp: &SpMetadata, findings: &mut Vec<Finding>) {
    if sp.ui.display_names.is_empty() {
        findings.push(
            rules::NO_DISPLAY_NAME.about(sp.entity_id.as_str(), "Give the app a name with --name, or ask its owner to add mdui:UIInfo."),
        );
    }
    if sp.name_id_formats.is_empty() {
        findings.push(
            rules::NO_NAME_ID_FORMAT
                .about("no NameIDFormat", "A persistent identifier is sent unless the request or saml.nameid.format says otherwise."),
        );
    }
}

/// The first few of a list, and how many more there are.
fn summary(values: &[String]) -> Option<String> {
    match values {
        [] => None,
        [only] => Some(only.clone()),
        [first, second] => Some(format!("{first}, {second}")),
        [first, second, rest @ ..] => Some(format!("{first}, {second} and {} more", rest.len())),
    }
}

fn first_twice(indexes: impl Iterator<Item = u16>) -> Option<u16> {
    let mut seen = HashSet::new();
    indexes.into_iter().find(|index| !seen.insert(*index))
}
