//! The checks of an answer, one row each with the value that was seen, next to samael's verdict over all of them.

use samael::schema::{Assertion, SubjectConfirmationData};
use serde::Serialize;

use crate::demo::document::Facts;
use crate::demo::idp::Idp;
use crate::demo::memory::Pending;
use crate::demo::sp::Sp;
use crate::model::time::{Span, Timestamp};

const SUCCESS: &str = "urn:oasis:names:tc:SAML:2.0:status:Success";
const BEARER: &str = "urn:oasis:names:tc:SAML:2.0:cm:bearer";
/// The clock skew that samael allows too.
const SKEW: Span = Span::minutes(3);

/// How one check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    Passed,
    Failed,
    /// There was nothing to check.
    Skipped,
}

/// One row: what was looked at, the value, and what it has to be.
#[derive(Debug, Clone, Serialize)]
pub struct Check {
    pub name: &'static str,
    pub outcome: Outcome,
    pub value: String,
    pub rule: String,
}

impl Check {
    pub fn failed(&self) -> bool {
        self.outcome == Outcome::Failed
    }

    pub fn fail(name: &'static str, value: impl Into<String>, rule: impl Into<String>) -> Self {
        Self { name, outcome: Outcome::Failed, value: value.into(), rule: rule.into() }
    }

    fn skip(name: &'static str, value: impl Into<String>, rule: impl Into<String>) -> Self {
        Self { name, outcome: Outcome::Skipped, value: value.into(), rule: rule.into() }
    }

    fn of(holds: bool, name: &'static str, value: impl Into<String>, rule: impl Into<String>) -> Self {
        let outcome = if holds { Outcome::Passed } else { Outcome::Failed };
        Self { name, outcome, value: value.into(), rule: rule.into() }
    }
}

/// What the checks look at.
pub struct Evidence<'a> {
    pub sp: &'a Sp,
    pub idp: &'a Idp,
    /// Of the response.
    pub facts: &'a Facts,
    /// Of the document whose signature counts: the response, or the decrypted assertion.
    pub document_facts: &'a Facts,
    pub decrypted: Option<Result<(), String>>,
    /// The fingerprint of the key that verified.
    pub signer: Option<&'a str>,
    /// Likewise for the response around a signed assertion that came encrypted; `None` where it carries no signature.
    pub outer_signer: Option<Option<&'a str>>,
    pub verdict: Result<(), String>,
    pub assertion: Option<&'a Assertion>,
    pub asked: Option<&'a Pending>,
    pub relay_state: Option<&'a str>,
    pub now: Timestamp,
}

/// Runs every check that applies.
pub fn run(e: &Evidence) -> Vec<Check> {
    let mut checks = vec![status(e.facts)];
    let success = e.facts.status.first().is_some_and(|code| code == SUCCESS);
    checks.push(destination(e));
    checks.extend(
        e.facts.issuer.as_deref().map(|issuer| Check::of(issuer == e.idp.entity_id, "Response issuer", issuer, equal(&e.idp.entity_id))),
    );
    checks.push(in_response_to(e));
    checks.extend(relay_state(e));
    if !success {
        // An answer that says no carries no assertion; there is nothing else to hold.
        return checks;
    }
    checks.extend(decryption(e));
    checks.push(signature("Signature", e.document_facts, e.signer));
    checks.extend(e.outer_signer.map(|signer| signature("Response signature", e.facts, signer)));
    if let Some(assertion) = e.assertion {
        assertion_checks(e, assertion, &mut checks);
    }
    checks.push(match &e.verdict {
        Ok(()) => Check::of(true, "samael", "accepted", "The ServiceProvider of the library samael, with libxmlsec1, has the last word."),
        Err(why) => Check::fail("samael", why, "The ServiceProvider of the library samael, with libxmlsec1, has the last word."),
    });
    checks
}

/// What a status other than Success means, and what to do; `None` for Success.
pub fn status_in_words(status: &[String]) -> Option<(&'static str, &'static str)> {
    if status.first().is_some_and(|code| code == SUCCESS) {
        return None;
    }
    let last = status.last().map(|code| code.rsplit(':').next().unwrap_or(code)).unwrap_or_default();
    Some(match last {
        "NoPassive" => (
            "Nobody is signed in at Linkspan, and this app asked it not to ask.",
            "Take away IsPassive on the start page, or sign in at the other app first.",
        ),
        "NoAuthnContext" => (
            "Linkspan cannot sign anybody in the way this app asked for.",
            "Choose another authentication context, or another comparison, on the start page.",
        ),
        "AuthnFailed" => ("The sign-in at Linkspan did not succeed.", "Try again from the start page."),
        "InvalidNameIDPolicy" => {
            ("Linkspan cannot name people in the form this app asked for.", "Change the NameID format in the app’s settings at Linkspan.")
        }
        "RequestDenied" => ("Linkspan refused the request.", "The trace at Linkspan says why; its administrator can see it."),
        "UnsupportedBinding" => ("Linkspan cannot answer by the binding this app asked for.", "Use HTTP-POST for the answer."),
        "UnknownPrincipal" => ("Linkspan does not know the person this app asked for.", "Sign in as somebody else."),
        "VersionMismatch" => {
            ("Linkspan does not speak the version of SAML in the request.", "This app sends 2.0; something changed it on the way.")
        }
        "Requester" => {
            ("Linkspan says that this app’s request was at fault.", "The trace at Linkspan says why; its administrator can see it.")
        }
        "Responder" => ("Linkspan says that it could not answer.", "Try again; Linkspan’s log says why."),
        _ => ("Linkspan answered with an error.", "The trace at Linkspan says why; its administrator can see it."),
    })
}

fn equal(expected: &str) -> String {
    format!("must be {expected}")
}

fn status(facts: &Facts) -> Check {
    let names: Vec<&str> = facts.status.iter().map(|code| code.rsplit(':').next().unwrap_or(code)).collect();
    let mut value = names.join(" / ");
    if value.is_empty() {
        "none".clone_into(&mut value);
    }
    if let Some(message) = &facts.status_message {
        value = format!("{value}: {message}");
    }
    Check::of(facts.status.first().is_some_and(|code| code == SUCCESS), "Status", value, "must be Success")
}

fn destination(e: &Evidence) -> Check {
    match e.facts.destination.as_deref() {
        Some(destination) => Check::of(destination == e.sp.acs, "Destination", destination, equal(&e.sp.acs)),
        None => Check::skip("Destination", "none", "Needed only where the response itself is signed."),
    }
}

fn in_response_to(e: &Evidence) -> Check {
    match (&e.facts.in_response_to, e.asked) {
        (Some(id), Some(_)) => Check::of(true, "InResponseTo", id, "must be a request of this app that is still open"),
        (Some(id), None) => Check::fail("InResponseTo", id, "must be a request of this app that is still open"),
        (None, _) => Check::skip("InResponseTo", "none: nobody asked", "This app also takes sign-ins that begin at Linkspan."),
    }
}

fn relay_state(e: &Evidence) -> Option<Check> {
    let asked = e.asked?;
    let value = e.relay_state.unwrap_or("none");
    Some(Check::of(e.relay_state == Some(&asked.relay_state), "RelayState", value, "must come back exactly as it was sent"))
}

fn decryption(e: &Evidence) -> Option<Check> {
    let encrypted = e.facts.encrypted.as_ref();
    match (&e.decrypted, encrypted) {
        (Some(Ok(())), Some(encrypted)) => Some(Check::of(
            true,
            "Encryption",
            format!("{}, key by {}", short(&encrypted.data_method), short(&encrypted.key_method)),
            "must be decrypted by this app’s key",
        )),
        (Some(Err(why)), _) => Some(Check::fail("Encryption", why, "must be decrypted by this app’s key")),
        _ if e.sp.decrypts() => Some(Check::skip("Encryption", "none", "This app publishes a key to encrypt for, and takes both.")),
        _ => None,
    }
}

fn signature(name: &'static str, facts: &Facts, signer: Option<&str>) -> Check {
    let rule = "must verify with a key in Linkspan’s metadata";
    let what: Vec<String> = facts.signatures.iter().map(|(element, algorithm)| format!("{element}, {}", short(algorithm))).collect();
    match (signer, what.is_empty()) {
        (Some(fingerprint), _) => {
            let fingerprint: String = fingerprint.chars().take(23).collect();
            Check::of(true, name, format!("{}; certificate {fingerprint}…", what.join("; ")), rule)
        }
        (None, true) => Check::fail(name, "none", rule),
        (None, false) => Check::fail(name, format!("{}; does not verify", what.join("; ")), rule),
    }
}

fn assertion_checks(e: &Evidence, assertion: &Assertion, checks: &mut Vec<Check>) {
    let issuer = assertion.issuer.value.as_deref().unwrap_or("none");
    checks.push(Check::of(issuer == e.idp.entity_id, "Issuer", issuer, equal(&e.idp.entity_id)));
    checks.push(audience(e, assertion));
    confirmation(e, assertion, checks);
    checks.push(conditions(e, assertion));
    if let Some(asked) = e.asked {
        checks.extend(force_authn(asked, assertion));
        checks.extend(context(asked, assertion));
    }
}

fn audience(e: &Evidence, assertion: &Assertion) -> Check {
    let restrictions: Vec<&Vec<String>> =
        assertion.conditions.iter().flat_map(|c| c.audience_restrictions.iter().flatten()).map(|r| &r.audience).collect();
    let value = restrictions.iter().map(|audiences| audiences.join(", ")).collect::<Vec<_>>().join(" and ");
    // Core 2.5.1.4: every restriction has to name us. Profiles 4.1.4.2: there has to be one; samael lets that pass.
    let holds = !restrictions.is_empty() && restrictions.iter().all(|audiences| audiences.contains(&e.sp.entity_id));
    Check::of(holds, "Audience", if value.is_empty() { "none".to_owned() } else { value }, equal(&e.sp.entity_id))
}

fn confirmation(e: &Evidence, assertion: &Assertion, checks: &mut Vec<Check>) {
    let bearer: Option<&SubjectConfirmationData> = assertion
        .subject
        .iter()
        .flat_map(|subject| subject.subject_confirmations.iter().flatten())
        .filter(|confirmation| confirmation.method.as_deref() == Some(BEARER))
        .find_map(|confirmation| confirmation.subject_confirmation_data.as_ref());
    let Some(data) = bearer else {
        checks.push(Check::fail("Recipient", "no bearer confirmation", equal(&e.sp.acs)));
        return;
    };
    let recipient = data.recipient.as_deref();
    checks.push(Check::of(recipient == Some(&e.sp.acs), "Recipient", recipient.unwrap_or("none"), equal(&e.sp.acs)));
    if let Some(id) = &e.facts.in_response_to {
        let value = data.in_response_to.as_deref().unwrap_or("none");
        checks.push(Check::of(value == id, "InResponseTo of the subject", value, equal(id)));
    } else if let Some(value) = &data.in_response_to {
        checks.push(Check::fail("InResponseTo of the subject", value, "must be absent where nobody asked"));
    }
    let until = data.not_on_or_after.as_ref().map(|at| Timestamp::from_millis(at.timestamp_millis()));
    checks.push(Check::of(
        until.is_some_and(|until| e.now < until + SKEW),
        "Confirmation NotOnOrAfter",
        until.map_or_else(|| "none".to_owned(), Timestamp::to_rfc3339),
        format!("must be later than now ({}), 3 minutes allowed", e.now),
    ));
}

fn conditions(e: &Evidence, assertion: &Assertion) -> Check {
    let conditions = assertion.conditions.as_ref();
    let from = conditions.and_then(|c| c.not_before.as_ref()).map(|at| Timestamp::from_millis(at.timestamp_millis()));
    let until = conditions.and_then(|c| c.not_on_or_after.as_ref()).map(|at| Timestamp::from_millis(at.timestamp_millis()));
    let holds = from.is_none_or(|from| from - SKEW <= e.now) && until.is_none_or(|until| e.now < until + SKEW);
    let text = |at: Option<Timestamp>| at.map_or_else(|| "open".to_owned(), Timestamp::to_rfc3339);
    Check::of(holds, "Valid", format!("{} until {}", text(from), text(until)), format!("must span now ({}), 3 minutes allowed", e.now))
}

fn force_authn(asked: &Pending, assertion: &Assertion) -> Option<Check> {
    if !asked.force_authn {
        return None;
    }
    let at = assertion.authn_statements.iter().flatten().find_map(|statement| statement.authn_instant.as_ref());
    let at = at.map(|at| Timestamp::from_millis(at.timestamp_millis()));
    // AuthnInstant may be written in whole seconds.
    let holds = at.is_some_and(|at| at + Span::seconds(1) >= asked.at);
    Some(Check::of(
        holds,
        "ForceAuthn",
        format!("signed in at {}", at.map_or_else(|| "no stated time".to_owned(), Timestamp::to_rfc3339)),
        format!("must be later than the request ({})", asked.at),
    ))
}

fn context(asked: &Pending, assertion: &Assertion) -> Option<Check> {
    let wanted = asked.exact_context.as_ref()?;
    let class = assertion
        .authn_statements
        .iter()
        .flatten()
        .find_map(|statement| statement.authn_context.as_ref()?.value.as_ref()?.value.as_deref())
        .unwrap_or("none");
    Some(Check::of(class == wanted, "Authentication context", class, equal(wanted)))
}

/// The last part of an algorithm's URI.
fn short(uri: &str) -> &str {
    uri.rsplit(['#', '/']).next().filter(|name| !name.is_empty()).unwrap_or(uri)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_told_in_words() {
        let codes =
            |codes: &[&str]| -> Vec<String> { codes.iter().map(|code| format!("urn:oasis:names:tc:SAML:2.0:status:{code}")).collect() };

        assert_eq!(status_in_words(&codes(&["Success"])), None);
        assert!(status_in_words(&codes(&["Responder", "NoPassive"])).unwrap().0.contains("asked it not to ask"));
        assert!(status_in_words(&codes(&["Requester"])).unwrap().0.contains("request was at fault"));
        assert!(status_in_words(&[]).is_some());
    }
}
