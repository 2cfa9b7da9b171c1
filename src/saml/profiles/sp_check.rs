//! Looks at an answer of ours as a strict SP does (Profiles 4.1.4.3, 4.1.4.5), for `app test` and previews.
//!
//! What is found is a trace like any other: each rule with what was seen. Nothing here serves to accept an assertion.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::model::check::{Check, SpecRef, Trace};
use crate::model::time::Timestamp;
use crate::saml::names::{ns, status};
use crate::saml::profiles::nearest::difference;
use crate::saml::spec;
use crate::saml::xml::reader::{Limits, parse};
use crate::saml::xml::signature::verify::verify;
use crate::saml::xml::signature::{SignatureAlgorithm, SignatureError, SignaturePolicy, VerificationKey, digest_from_uri};
use crate::saml::xml::tree::{Element, Node};
use crate::saml::xml::writer::serialize;

/// What the SP knows when the answer arrives.
#[derive(Debug, Clone, Copy)]
pub struct Expectations<'a> {
    /// Our entity ID and the keys that our metadata publishes.
    pub idp: &'a str,
    pub keys: &'a [VerificationKey],
    /// Its own entity ID and address.
    pub sp: &'a str,
    pub acs: &'a str,
    /// The ID of its request; `None` where it made none.
    pub in_response_to: Option<&'a str>,
    pub wants_assertion_signed: bool,
    /// The format that it uses, if it insists on one.
    pub name_id_format: Option<&'a str>,
    pub now: Timestamp,
}

/// Checks a Response as an SP would. `plain` is the assertion as it was before it was encrypted, where it was.
pub fn check_response(xml: &[u8], plain: Option<&[u8]>, expect: &Expectations<'_>) -> Trace {
    let mut trace = Trace::default();
    let response = match parse(xml, &Limits::MESSAGE) {
        Ok(response) if response.is(ns::SAMLP, "Response") => response,
        Ok(_) => {
            trace.push(fails(&spec::OUTBOUND_STATUS, "the root element is no Response"));
            return trace;
        }
        Err(error) => {
            trace.push(fails(&spec::OUTBOUND_STATUS, format!("the Response cannot be read: {error}")));
            return trace;
        }
    };
    check_envelope(&response, expect, &mut trace);
    let Some(assertion) = find_assertion(&response, plain, expect, &mut trace) else { return trace };
    check_issuer(&assertion, "assertion", expect, &mut trace);
    check_confirmation(&assertion, expect, &mut trace);
    check_conditions(&assertion, expect, &mut trace);
    check_authn_statement(&assertion, expect, &mut trace);
    check_subject(&assertion, expect, &mut trace);
    trace
}

fn fails(rule: &'static SpecRef, detail: impl Into<std::borrow::Cow<'static, str>>) -> Check {
    Check::failed(
        rule,
        detail,
        "The app would refuse this answer: look at its settings and metadata here, and report it as a fault of ours.",
    )
}

/// One value against the one that is wanted.
fn equals(rule: &'static SpecRef, what: &str, seen: Option<&str>, wanted: &str) -> Check {
    match seen {
        Some(seen) if seen == wanted => Check::passed(rule, format!("{what} is right")).seen(seen),
        Some(seen) => {
            fails(rule, format!("{what} is another one")).seen(seen).allowed([wanted.to_owned()]).difference(difference(seen, wanted))
        }
        None => fails(rule, format!("{what} is missing")).allowed([wanted.to_owned()]),
    }
}

/// A value that must be what is wanted, or missing where nothing is wanted.
fn equals_option(rule: &'static SpecRef, what: &str, seen: Option<&str>, wanted: Option<&str>) -> Check {
    match (seen, wanted) {
        (seen, Some(wanted)) => equals(rule, what, seen, wanted),
        (None, None) => Check::passed(rule, format!("{what} is left out, since nothing was asked")),
        (Some(seen), None) => fails(rule, format!("{what} names a request that was not made")).seen(seen),
    }
}

fn check_envelope(response: &Element, expect: &Expectations<'_>, trace: &mut Trace) {
    let code = response.child(ns::SAMLP, "Status").and_then(|status| status.child(ns::SAMLP, "StatusCode"));
    trace.push(equals(&spec::OUTBOUND_STATUS, "the status", code.and_then(|code| code.attribute("Value")), status::SUCCESS));
    if response.child(ns::SAML, "Issuer").is_some() {
        check_issuer(response, "response", expect, trace);
    }
    trace.push(equals(&spec::OUTBOUND_DESTINATION, "Destination", response.attribute("Destination"), expect.acs));
    let in_response_to = response.attribute("InResponseTo");
    trace.push(equals_option(&spec::OUTBOUND_IN_RESPONSE_TO, "InResponseTo of the response", in_response_to, expect.in_response_to));
}

fn check_issuer(element: &Element, of: &str, expect: &Expectations<'_>, trace: &mut Trace) {
    let issuer = element.child(ns::SAML, "Issuer").map(Element::text);
    trace.push(equals(&spec::OUTBOUND_ISSUER, &format!("the Issuer of the {of}"), issuer.as_deref(), expect.idp));
}

/// The one assertion, read from verified bytes.
fn find_assertion(response: &Element, plain: Option<&[u8]>, expect: &Expectations<'_>, trace: &mut Trace) -> Option<Element> {
    let open = response.children_named(ns::SAML, "Assertion").count();
    let sealed = response.children_named(ns::SAML, "EncryptedAssertion").count();
    if open + sealed != 1 {
        trace.push(fails(&spec::OUTBOUND_STATUS, format!("there are {} assertions", open + sealed)));
        return None;
    }
    let assertion = match (response.child(ns::SAML, "Assertion"), plain) {
        (Some(assertion), _) => assertion.clone(),
        (None, Some(plain)) => match parse(plain, &Limits::MESSAGE) {
            Ok(assertion) if assertion.is(ns::SAML, "Assertion") => {
                trace.push(Check::passed(&spec::OUTBOUND_ENCRYPTION, "encrypted"));
                assertion
            }
            _ => {
                trace.push(fails(&spec::OUTBOUND_ENCRYPTION, "what was encrypted is no assertion"));
                return None;
            }
        },
        (None, None) => {
            trace.push(Check::warned(
                &spec::OUTBOUND_ENCRYPTION,
                "encrypted, so that only the app can look inside",
                "Look at the app's own log for what it makes of the assertion.",
            ));
            return None;
        }
    };
    match verified_assertion(response, &assertion, expect) {
        Ok((assertion, words)) => {
            trace.push(Check::passed(&spec::OUTBOUND_SIGNATURE, words));
            Some(assertion)
        }
        Err(why) => {
            trace.push(fails(&spec::OUTBOUND_SIGNATURE, why));
            None
        }
    }
}

fn verified_assertion(response: &Element, assertion: &Element, expect: &Expectations<'_>) -> Result<(Element, &'static str), String> {
    let policy = SignaturePolicy::default();
    let in_words = |error: SignatureError| error.to_string();
    let response_signed = response.child(ns::DS, "Signature").is_some();
    let assertion_signed = assertion.child(ns::DS, "Signature").is_some();
    if expect.wants_assertion_signed && !assertion_signed {
        return Err("the app wants assertions signed, and this one is not".to_owned());
    }
    match (response_signed, assertion_signed) {
        (false, false) => Err("neither the response nor the assertion is signed".to_owned()),
        (false, true) => Ok((verify(assertion, expect.keys, &policy).map_err(in_words)?.root, "the assertion is signed")),
        (true, false) => {
            let verified = verify(response, expect.keys, &policy).map_err(in_words)?.root;
            // An encrypted assertion is covered as ciphertext; what was encrypted is the caller's word.
            let inside = verified.child(ns::SAML, "Assertion").cloned().unwrap_or_else(|| assertion.clone());
            Ok((inside, "the response is signed"))
        }
        (true, true) => {
            if !canonical_signature_holds(response, expect.keys) {
                return Err("the signature of the response does not verify".to_owned());
            }
            Ok((verify(assertion, expect.keys, &policy).map_err(in_words)?.root, "the response and the assertion are signed"))
        }
    }
}

/// Whether the signature of an element that is written in canonical form holds, whatever signatures stand deeper inside.
///
/// `verify` refuses a second signature for good reason; ours has one where both are signed, and its bytes are canonical.
fn canonical_signature_holds(element: &Element, keys: &[VerificationKey]) -> bool {
    let attempt = || -> Option<bool> {
        let signature = element.child(ns::DS, "Signature")?;
        let signed_info = signature.child(ns::DS, "SignedInfo")?;
        let reference = signed_info.child(ns::DS, "Reference")?;
        let algorithm = SignatureAlgorithm::from_uri(signed_info.child(ns::DS, "SignatureMethod")?.attribute("Algorithm")?)?;
        let digest = digest_from_uri(reference.child(ns::DS, "DigestMethod")?.attribute("Algorithm")?)?;
        if reference.attribute("URI")?.strip_prefix('#')? != element.attribute("ID")? {
            return None;
        }
        let mut bare = element.clone();
        bare.children.retain(|node| !matches!(node, Node::Element(child) if child.is(ns::DS, "Signature")));
        let digested = digest.digest(&[serialize(&bare).as_bytes()]).ok()?;
        if STANDARD.encode(digested) != reference.child(ns::DS, "DigestValue")?.text() {
            return Some(false);
        }
        let value = STANDARD.decode(signature.child(ns::DS, "SignatureValue")?.text()).ok()?;
        let signed = serialize(signed_info);
        Some(keys.iter().any(|key| key.public().verify(algorithm.hash(), signed.as_bytes(), &value)))
    };
    attempt().unwrap_or(false)
}

/// Profiles 4.1.4.3: one bearer confirmation with Recipient, InResponseTo and a NotOnOrAfter to come, without NotBefore.
fn check_confirmation(assertion: &Element, expect: &Expectations<'_>, trace: &mut Trace) {
    let bearer = assertion.child(ns::SAML, "Subject").and_then(|subject| {
        let mut confirmations = subject.children_named(ns::SAML, "SubjectConfirmation");
        confirmations.find(|one| one.attribute("Method") == Some("urn:oasis:names:tc:SAML:2.0:cm:bearer"))
    });
    let Some(data) = bearer.and_then(|bearer| bearer.child(ns::SAML, "SubjectConfirmationData")) else {
        trace.push(fails(&spec::OUTBOUND_RECIPIENT, "there is no bearer confirmation"));
        return;
    };
    trace.push(equals(&spec::OUTBOUND_RECIPIENT, "Recipient", data.attribute("Recipient"), expect.acs));
    let in_response_to = data.attribute("InResponseTo");
    trace.push(equals_option(&spec::OUTBOUND_IN_RESPONSE_TO, "InResponseTo of the confirmation", in_response_to, expect.in_response_to));
    trace.push(match time(data, "NotOnOrAfter") {
        _ if data.attribute("NotBefore").is_some() => fails(&spec::OUTBOUND_RECIPIENT, "the confirmation has a NotBefore"),
        Some(end) if expect.now < end => Check::passed(&spec::OUTBOUND_RECIPIENT, "the confirmation holds").seen(end.to_rfc3339()),
        Some(end) => fails(&spec::OUTBOUND_RECIPIENT, "the confirmation has run out").seen(end.to_rfc3339()),
        None => fails(&spec::OUTBOUND_RECIPIENT, "the confirmation has no NotOnOrAfter"),
    });
}

fn check_conditions(assertion: &Element, expect: &Expectations<'_>, trace: &mut Trace) {
    let Some(conditions) = assertion.child(ns::SAML, "Conditions") else {
        trace.push(fails(&spec::OUTBOUND_CONDITIONS, "there are no Conditions"));
        return;
    };
    let begun = time(conditions, "NotBefore").is_none_or(|from| from <= expect.now);
    let ended = time(conditions, "NotOnOrAfter").is_none_or(|end| end <= expect.now);
    trace.push(match (begun, ended) {
        (true, false) => Check::passed(&spec::OUTBOUND_CONDITIONS, "the assertion holds now"),
        (false, _) => fails(&spec::OUTBOUND_CONDITIONS, "the assertion does not hold yet"),
        (true, true) => fails(&spec::OUTBOUND_CONDITIONS, "the assertion has run out, or never does"),
    });
    let audiences: Vec<String> = conditions
        .children_named(ns::SAML, "AudienceRestriction")
        .flat_map(|restriction| restriction.children_named(ns::SAML, "Audience"))
        .map(Element::text)
        .collect();
    let named = audiences.iter().find(|audience| *audience == expect.sp).or(audiences.first());
    trace.push(equals(&spec::OUTBOUND_CONDITIONS, "the audience", named.map(String::as_str), expect.sp));
}

fn check_authn_statement(assertion: &Element, expect: &Expectations<'_>, trace: &mut Trace) {
    let Some(statement) = assertion.child(ns::SAML, "AuthnStatement") else {
        trace.push(fails(&spec::OUTBOUND_AUTHN, "there is no AuthnStatement"));
        return;
    };
    let class = statement.child(ns::SAML, "AuthnContext").and_then(|context| context.child(ns::SAML, "AuthnContextClassRef"));
    let ended = time(statement, "SessionNotOnOrAfter").is_some_and(|end| end <= expect.now);
    let later = time(statement, "AuthnInstant").is_none_or(|at| at > expect.now);
    trace.push(if statement.attribute("SessionIndex").is_none_or(str::is_empty) {
        fails(&spec::OUTBOUND_AUTHN, "there is no SessionIndex, so the app could never be signed out")
    } else if ended {
        fails(&spec::OUTBOUND_AUTHN, "the session has already ended")
    } else if later {
        fails(&spec::OUTBOUND_AUTHN, "AuthnInstant is missing or lies in the future")
    } else {
        match class {
            Some(class) => Check::passed(&spec::OUTBOUND_AUTHN, "there is one").seen(class.text()),
            None => fails(&spec::OUTBOUND_AUTHN, "it names no class"),
        }
    });
}

fn check_subject(assertion: &Element, expect: &Expectations<'_>, trace: &mut Trace) {
    let Some(subject) = assertion.child(ns::SAML, "Subject") else {
        trace.push(fails(&spec::OUTBOUND_SUBJECT, "there is no Subject"));
        return;
    };
    let name_id = subject.child(ns::SAML, "NameID");
    trace.push(match (name_id, expect.name_id_format) {
        (Some(name_id), Some(format)) => equals(&spec::OUTBOUND_SUBJECT, "the NameID's format", name_id.attribute("Format"), format),
        (Some(name_id), None) => Check::passed(&spec::OUTBOUND_SUBJECT, "named").seen(name_id.attribute("Format").unwrap_or_default()),
        (None, _) if subject.child(ns::SAML, "EncryptedID").is_some() => Check::passed(&spec::OUTBOUND_SUBJECT, "named by an EncryptedID"),
        (None, None) => Check::passed(&spec::OUTBOUND_SUBJECT, "not named; the attributes say who it is"),
        (None, Some(_)) => fails(&spec::OUTBOUND_SUBJECT, "there is no NameID"),
    });
}

fn time(element: &Element, name: &str) -> Option<Timestamp> {
    element.attribute(name).and_then(Timestamp::parse_xs_date_time)
}

#[cfg(test)]
mod tests;
