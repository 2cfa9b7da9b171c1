//! Judging an answer: decode, look at its shape, decrypt, let samael verify and validate, hold it against the request.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use samael::crypto::{Crypto, CryptoProvider, ReduceMode};
use samael::schema::{Assertion, CipherValue, Response};
use serde::Serialize;

use crate::demo::checks::{self, Check, Evidence};
use crate::demo::document::{self, DocumentError, Encrypted, Facts, Root};
use crate::demo::idp::{Idp, IdpKey};
use crate::demo::memory::Pending;
use crate::demo::sp::{ALLOWED, Sp};
use crate::model::time::Timestamp;

const AES128_GCM: &str = "http://www.w3.org/2009/xmlenc11#aes128-gcm";

/// One answer as an app received and judged it: what its page shows.
#[derive(Debug, Clone, Serialize)]
pub struct Exchange {
    pub accepted: bool,
    /// Why nobody was signed in, and what to do.
    pub problem: Option<Problem>,
    pub told: Option<Told>,
    pub checks: Vec<Check>,
    pub was_encrypted: bool,
    /// The assertion as it was read, printed for people.
    pub assertion_xml: Option<String>,
    /// The whole answer as it came, printed for people.
    pub response_xml: Option<String>,
    #[serde(skip)]
    pub assertion_id: Option<String>,
    #[serde(skip)]
    pub request_id: Option<String>,
    /// Which browser asked; `None` for an answer that nobody asked for.
    #[serde(skip)]
    pub browser: Option<String>,
    pub at: String,
}

/// Why somebody is not signed in.
#[derive(Debug, Clone, Serialize)]
pub struct Problem {
    pub headline: String,
    pub remedy: String,
}

/// What the app was told about a person.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Told {
    pub name: String,
    pub name_id: String,
    pub name_id_format: String,
    pub authn_instant: Option<String>,
    pub context: Option<String>,
    pub session_index: Option<String>,
    pub attributes: Vec<ToldAttribute>,
}

#[derive(Debug, Clone, Serialize)]
pub struct ToldAttribute {
    pub name: String,
    pub friendly_name: Option<String>,
    pub values: Vec<String>,
}

/// Judges the value of a `SAMLResponse` field. `pending` finds what was asked under a request ID.
pub fn judge(
    sp: &Sp,
    idp: &Idp,
    saml_response: &str,
    relay_state: Option<&str>,
    pending: impl Fn(&str) -> Option<Pending>,
    now: Timestamp,
) -> Exchange {
    let (xml, facts) = match open(saml_response) {
        Ok(opened) => opened,
        Err((xml, error)) => return unreadable(xml, &error, now),
    };
    let asked = facts.in_response_to.as_deref().and_then(pending);
    let decrypted = facts.encrypted.as_ref().map(|encrypted| decrypt(sp, encrypted));

    // The assertion inside an encrypted one carries its own signature as a rule; else the response's has to cover it.
    let (inner, document, document_facts) = match &decrypted {
        Some(Ok((plain, plain_facts))) if !plain_facts.signatures.is_empty() => (true, plain.as_str(), plain_facts),
        _ => (false, xml.as_str(), &facts),
    };
    let signer = signer(idp, document, document_facts);
    let unsolicited = facts.in_response_to.is_none();
    let request_id = facts.in_response_to.clone().filter(|_| asked.is_some());
    // Where both carry one, the response's counts too.
    let outer_signer = (inner && !facts.signatures.is_empty()).then(|| self::signer(idp, &xml, &facts));
    let verdict = match (&signer, &decrypted) {
        (_, Some(Err(why))) => Err(why.clone()),
        (None, _) => Err("the signature does not verify with any published key".to_owned()),
        (Some(key), _) => {
            let ids: Vec<&str> = request_id.as_deref().into_iter().collect();
            let provider = sp.service_provider(key.entity.clone(), unsolicited);
            provider.parse_xml_response(document, Some(&ids)).map_err(|error| error.to_string())
        }
    };
    // Where samael says no, the rows are filled from what cannot be trusted, so that they show what was wrong.
    let untrusted = || match &decrypted {
        Some(Ok((plain, _))) => plain.parse::<Assertion>().ok(),
        Some(Err(_)) => None,
        None => xml.parse::<Response>().ok().and_then(|response| response.assertion),
    };
    let assertion = verdict.as_ref().ok().cloned().or_else(untrusted);
    let checks = checks::run(&Evidence {
        sp,
        idp,
        facts: &facts,
        document_facts,
        decrypted: decrypted.as_ref().map(|result| result.as_ref().map(|_| ()).map_err(Clone::clone)),
        signer: signer.map(|key| key.fingerprint.as_str()),
        outer_signer: outer_signer.map(|signer| signer.map(|key| key.fingerprint.as_str())),
        verdict: verdict.as_ref().map(|_| ()).map_err(Clone::clone),
        assertion: assertion.as_ref(),
        asked: asked.as_ref(),
        relay_state,
        now,
    });
    let accepted = verdict.is_ok() && checks.iter().all(|check| !check.failed());
    Exchange {
        accepted,
        problem: (!accepted).then(|| problem(&facts, &checks)),
        told: assertion.as_ref().filter(|_| accepted).map(told),
        checks,
        was_encrypted: decrypted.is_some(),
        assertion_xml: match decrypted {
            Some(Ok((plain, _))) => Some(document::pretty(&plain)),
            _ => None,
        },
        response_xml: Some(document::pretty(&xml)),
        assertion_id: assertion.map(|assertion| assertion.id),
        request_id,
        browser: asked.map(|asked| asked.browser),
        at: now.to_rfc3339(),
    }
}

impl Exchange {
    /// The same answer, refused because another one came first.
    pub fn into_replayed(mut self) -> Self {
        self.refuse(
            "This answer was used before.",
            "Start again from the app’s start page.",
            Check::fail("Used once", "a second time", "An answer and its assertion count once, or a copy would sign in its thief."),
        );
        self
    }

    /// The same answer, refused because another browser asked for it.
    pub fn into_foreign(mut self) -> Self {
        self.refuse(
            "This answer belongs to another browser.",
            "Start again from the app’s start page, in this browser.",
            Check::fail("Same browser", "another one", "Otherwise somebody could sign you in as themselves, unnoticed."),
        );
        self
    }

    fn refuse(&mut self, headline: &str, remedy: &str, check: Check) {
        self.accepted = false;
        self.told = None;
        self.problem = Some(Problem { headline: headline.to_owned(), remedy: remedy.to_owned() });
        self.checks.push(check);
    }
}

fn open(saml_response: &str) -> Result<(String, Facts), (Option<String>, DocumentError)> {
    let text: String = saml_response.split_ascii_whitespace().collect();
    let bytes = STANDARD.decode(text).map_err(|_| (None, DocumentError::NotBase64))?;
    let xml = String::from_utf8(bytes).map_err(|_| (None, DocumentError::NotWellFormed("it is not UTF-8".to_owned())))?;
    match document::inspect(&xml, Root::Response) {
        Ok(facts) => Ok((xml, facts)),
        Err(error) => Err((Some(xml), error)),
    }
}

fn unreadable(xml: Option<String>, error: &DocumentError, now: Timestamp) -> Exchange {
    Exchange {
        accepted: false,
        problem: Some(Problem {
            headline: "The answer cannot be read.".to_owned(),
            remedy: "Start again from the app’s start page. If it happens again, what sent the answer is at fault.".to_owned(),
        }),
        told: None,
        checks: vec![Check::fail("Shape", error.to_string(), "Only the plain shape of a SAML answer reaches the XML library.")],
        was_encrypted: false,
        assertion_xml: None,
        response_xml: xml,
        assertion_id: None,
        request_id: None,
        browser: None,
        at: now.to_rfc3339(),
    }
}

/// Decrypts an assertion with samael and looks at its shape.
fn decrypt(sp: &Sp, encrypted: &Encrypted) -> Result<(String, Facts), String> {
    if !sp.decrypts() {
        return Err("this app published no key to encrypt for".to_owned());
    }
    // samael cuts the IV and the tag off without looking at the length.
    let least = if encrypted.data_method == AES128_GCM { 12 + 16 } else { 2 * 16 };
    if STANDARD.decode(&encrypted.data).map_err(|_| "the ciphertext is not base64")?.len() < least {
        return Err("the ciphertext is too short".to_owned());
    }
    let value = |text: &str| CipherValue { value: text.to_owned() };
    let key = Crypto::decrypt_assertion_key_info(&value(&encrypted.key), &encrypted.key_method, sp.key.openssl())
        .map_err(|error| format!("the content key cannot be decrypted: {error}"))?;
    let plain = Crypto::decrypt_assertion_value_info(&value(&encrypted.data), &encrypted.data_method, &key)
        .map_err(|error| format!("the assertion cannot be decrypted: {error}"))?;
    let plain = String::from_utf8(plain).map_err(|_| "the decrypted assertion is not UTF-8".to_owned())?;
    let facts = document::inspect(&plain, Root::Assertion).map_err(|error| format!("the decrypted assertion is refused: {error}"))?;
    Ok((plain, facts))
}

/// The published key with which every signature of the document verifies.
fn signer<'a>(idp: &'a Idp, document: &str, facts: &Facts) -> Option<&'a IdpKey> {
    let (_, algorithm) = facts.signatures.first()?;
    let elliptic = algorithm.contains("ecdsa");
    idp.keys.iter().filter(|key| key.elliptic == elliptic).find(|key| {
        let certificates = std::slice::from_ref(&key.certificate);
        Crypto::reduce_xml_to_signed_with_allowed_algorithms(document, certificates, ReduceMode::default(), Some(&ALLOWED)).is_ok()
    })
}

fn told(assertion: &Assertion) -> Told {
    let name_id = assertion.subject.as_ref().and_then(|subject| subject.name_id.clone());
    let statement = assertion.authn_statements.iter().flatten().next();
    let attributes: Vec<ToldAttribute> = assertion
        .attribute_statements
        .iter()
        .flatten()
        .flat_map(|statement| &statement.attributes)
        .map(|attribute| ToldAttribute {
            name: attribute.name.clone().unwrap_or_default(),
            friendly_name: attribute.friendly_name.clone(),
            values: attribute.values.iter().filter_map(|value| value.value.clone()).collect(),
        })
        .collect();
    let name_id_value = name_id.as_ref().map(|name_id| name_id.value.clone()).unwrap_or_default();
    let display = attributes
        .iter()
        .find(|attribute| attribute.friendly_name.as_deref() == Some("displayName") || attribute.name == "displayName")
        .and_then(|attribute| attribute.values.first().cloned());
    Told {
        name: display.unwrap_or_else(|| name_id_value.clone()),
        name_id: name_id_value,
        name_id_format: name_id.and_then(|name_id| name_id.format).unwrap_or_else(|| "not stated".to_owned()),
        authn_instant: statement.and_then(|s| s.authn_instant).map(|at| Timestamp::from_millis(at.timestamp_millis()).to_rfc3339()),
        context: statement.and_then(|s| s.authn_context.as_ref()).and_then(|c| c.value.as_ref()).and_then(|c| c.value.clone()),
        session_index: statement.and_then(|s| s.session_index.clone()),
        attributes,
    }
}

fn problem(facts: &Facts, checks: &[Check]) -> Problem {
    if let Some((headline, remedy)) = checks::status_in_words(&facts.status) {
        return Problem { headline: headline.to_owned(), remedy: remedy.to_owned() };
    }
    let first = checks.iter().find(|check| check.failed());
    Problem {
        headline: match first {
            Some(check) => format!("The answer does not hold: {}.", check.name.to_lowercase()),
            None => "The answer does not hold.".to_owned(),
        },
        remedy: "Nobody was signed in. The failed check below says what was wrong; start again from the app’s start page.".to_owned(),
    }
}
