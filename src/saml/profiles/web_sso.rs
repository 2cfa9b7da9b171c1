//! Web browser SSO (Profiles 4.1): may this request be answered, and where?

use crate::model::check::{Check, Refusal, RefusalClass, Trace};
use crate::model::secret::Digest;
use crate::model::session::{NameId, NameIdPlan};
use crate::model::sp::AttributeConsumingService;
use crate::model::time::{Span, Timestamp};
use crate::saml::bindings::Verified;
use crate::saml::messages::authn_request::AuthnRequest;
use crate::saml::messages::shown;
use crate::saml::names::status;
use crate::saml::profiles::authn_context::{ContextNeed, ContextTable, decide_context};
use crate::saml::profiles::denial::Denial;
use crate::saml::profiles::destination::{self, AcsUrl, Chosen, Wish};
use crate::saml::profiles::name_id::decide_name_id;
use crate::saml::profiles::nearest::nearest;
use crate::saml::profiles::service_provider::SpView;
use crate::saml::profiles::subject;
use crate::saml::spec;

/// How far a peer's clock may be from ours, either way.
pub const SKEW: Span = Span::minutes(3);

/// What we are called and where requests reach us.
#[derive(Debug, Clone)]
pub struct Endpoint {
    pub entity_id: String,
    /// Addresses of single sign-on that a Destination may name.
    pub urls: Vec<String>,
}

/// A request that may be answered once somebody has signed in, if the decisions that need to know the person (`decide_name_id`,
/// `decide_context`, `check_subject`) go well. Only `accept` and `accept_unsolicited` make one.
#[derive(Debug, Clone)]
pub struct Accepted {
    acs: AcsUrl,
    relay_state: Option<String>,
    /// `None` for a sign-on that we begin ourselves.
    request: Option<Box<AuthnRequest>>,
    attribute_service: Option<AttributeConsumingService>,
    fingerprint: Option<Digest>,
    trace: Trace,
}

/// A request that is not answered with an assertion.
#[derive(Debug, Clone)]
pub enum Rejected {
    /// There is no trusted place to send an answer to, or nobody who should get one.
    Page(Refusal),
    /// The SP is told by a SAML status.
    Answer(ErrorAnswer),
}

/// An error that goes back to the SP.
#[derive(Debug, Clone)]
pub struct ErrorAnswer {
    pub(super) acs: AcsUrl,
    pub(super) in_response_to: Option<String>,
    pub(super) relay_state: Option<String>,
    pub(super) denial: Denial,
    pub(super) refusal: Refusal,
}

impl ErrorAnswer {
    pub fn acs(&self) -> &AcsUrl {
        &self.acs
    }

    pub fn denial(&self) -> &Denial {
        &self.denial
    }

    /// The same for people and the record: a page may be shown before, or instead.
    pub fn refusal(&self) -> &Refusal {
        &self.refusal
    }
}

impl Rejected {
    /// Why, whichever way it is told.
    pub fn refusal(&self) -> &Refusal {
        match self {
            Self::Page(refusal) => refusal,
            Self::Answer(answer) => &answer.refusal,
        }
    }
}

impl Accepted {
    pub fn acs(&self) -> &AcsUrl {
        &self.acs
    }

    pub fn relay_state(&self) -> Option<&str> {
        self.relay_state.as_deref()
    }

    /// The request; `None` where we began.
    pub fn request(&self) -> Option<&AuthnRequest> {
        self.request.as_deref()
    }

    /// Whether the person must prove anew who they are.
    pub fn force_authn(&self) -> bool {
        self.request.as_ref().is_some_and(|request| request.force_authn)
    }

    /// Whether no page may be shown.
    pub fn is_passive(&self) -> bool {
        self.request.as_ref().is_some_and(|request| request.is_passive)
    }

    /// Decides how the NameID is to be made.
    ///
    /// # Errors
    /// `InvalidNameIDPolicy`, to be passed to `deny`.
    pub fn decide_name_id(&mut self, sp: &SpView) -> Result<NameIdPlan, Box<Denial>> {
        let policy = self.request.as_ref().and_then(|request| request.name_id_policy.as_ref());
        let (plan, check) = decide_name_id(policy, sp)?;
        self.trace.push(check);
        Ok(plan)
    }

    /// Decides which authentication contexts satisfy the request, of those that this person could reach.
    ///
    /// # Errors
    /// `NoAuthnContext`, to be passed to `deny`.
    pub fn decide_context(&mut self, table: &ContextTable, reachable: &[&str]) -> Result<ContextNeed, Box<Denial>> {
        let requested = self.request.as_ref().and_then(|request| request.requested_authn_context.as_ref());
        let (need, check) = decide_context(table, requested, reachable)?;
        self.trace.push(check);
        Ok(need)
    }

    /// Makes sure that the person who signed in is the one that the request names, by the NameID that the answer would have.
    ///
    /// # Errors
    /// `UnknownPrincipal`, to be passed to `deny`.
    pub fn check_subject(&mut self, issued: Option<&NameId>) -> Result<(), Box<Denial>> {
        let subject = self.request.as_ref().and_then(|request| request.subject.as_ref());
        if let Some(check) = subject::check_subject(subject, issued)? {
            self.trace.push(check);
        }
        Ok(())
    }

    /// The attributes that the SP wants: of the index in the request, else of the default service of its metadata.
    pub fn attribute_service(&self) -> Option<&AttributeConsumingService> {
        self.attribute_service.as_ref()
    }

    /// A digest of the bytes that arrived, for the replay guard; `None` where we began.
    pub fn fingerprint(&self) -> Option<&Digest> {
        self.fingerprint.as_ref()
    }

    pub fn trace(&self) -> &Trace {
        &self.trace
    }

    /// Adds a check that the caller made.
    pub fn note(&mut self, check: Check) {
        self.trace.push(check);
    }

    /// Answers with an error status instead.
    pub fn deny(self, denial: Denial) -> ErrorAnswer {
        let refusal = self.trace.refuse(denial.class, denial.check.clone());
        ErrorAnswer {
            acs: self.acs,
            in_response_to: self.request.map(|request| request.id),
            relay_state: self.relay_state,
            denial,
            refusal,
        }
    }

    pub(super) fn into_parts(self) -> (AcsUrl, Option<String>, Option<Box<AuthnRequest>>, Trace) {
        (self.acs, self.relay_state, self.request, self.trace)
    }
}

/// What the checks found, so far.
struct Findings {
    trace: Trace,
    /// Nobody may be answered.
    page: Option<RefusalClass>,
    /// The first thing that the SP is to be told.
    denial: Option<Denial>,
}

impl Findings {
    fn pass(&mut self, check: Check) {
        self.trace.push(check);
    }

    fn stop(&mut self, class: RefusalClass, check: Check) {
        self.trace.push(check);
        self.page.get_or_insert(class);
    }

    fn deny(&mut self, denial: Denial) {
        self.trace.push(denial.check.clone());
        self.denial.get_or_insert(denial);
    }
}

/// Judges a verified request. `arrived` is when it arrived: a request that waited for a sign-in does not grow old by it.
///
/// All checks run, so that several problems show at once; their order is fixed.
///
/// # Errors
/// `Rejected::Page` where no registered address fits, or the message was not meant for us; `Rejected::Answer` for all else.
pub fn accept(verified: Verified<AuthnRequest>, sp: &SpView, endpoint: &Endpoint, arrived: Timestamp) -> Result<Accepted, Rejected> {
    let fingerprint = *verified.fingerprint();
    let Verified { message: request, relay_state, signed, trace, .. } = verified;
    let mut findings = Findings { trace, page: None, denial: None };

    check_version(&request, &mut findings);
    findings.pass(Check::passed(&spec::MESSAGE_ID, "an XML name").seen(request.id.as_str()));
    check_issue_instant(&request, arrived, &mut findings);
    check_destination(&request, signed.is_some(), endpoint, &mut findings);
    if let Some(signed) = signed {
        check_key(sp, signed.key, arrived, &mut findings);
    }
    let acs = check_acs(&request, sp, &mut findings);
    if let Some(subject) = &request.subject
        && let Err(denial) = subject::check_supported(subject)
    {
        findings.deny(*denial);
    }
    let attribute_service = choose_attribute_service(&request, sp, &mut findings);
    check_scoping(&request, endpoint, &mut findings);

    let Findings { trace, page, denial } = findings;
    match (acs, page, denial) {
        (Some(acs), None, None) => {
            Ok(Accepted { acs, relay_state, request: Some(Box::new(request)), attribute_service, fingerprint: Some(fingerprint), trace })
        }
        (Some(acs), None, Some(denial)) => {
            let refusal = Refusal { class: denial.class, trace };
            Err(Rejected::Answer(ErrorAnswer { acs, in_response_to: Some(request.id), relay_state, denial, refusal }))
        }
        (_, page, ..) => Err(Rejected::Page(Refusal { class: page.unwrap_or(RefusalClass::AppSetup), trace })),
    }
}

/// Judges a sign-on that we begin (Profiles 4.1.5): to the default address, with `target` as RelayState.
///
/// # Errors
/// A refusal where the SP has no address that can be sent to.
pub fn accept_unsolicited(sp: &SpView, target: Option<String>, mut trace: Trace) -> Result<Accepted, Refusal> {
    let acs = match destination::choose(&sp.metadata, &sp.settings, &Wish::default()) {
        Chosen::Here(acs, check) => {
            trace.push(check);
            acs
        }
        Chosen::Instead(_, denial) => return Err(trace.refuse(RefusalClass::AppSetup, denial.check)),
        Chosen::Nowhere(check) => return Err(trace.refuse(RefusalClass::AppSetup, *check)),
    };
    let attribute_service = default_attribute_service(sp).cloned();
    Ok(Accepted { acs, relay_state: target, request: None, attribute_service, fingerprint: None, trace })
}

/// Core 3.2.1, 4.1.2.
fn check_version(request: &AuthnRequest, findings: &mut Findings) {
    if request.version == "2.0" {
        findings.pass(Check::passed(&spec::MESSAGE_VERSION, "2.0"));
        return;
    }
    let check = Check::failed(
        &spec::MESSAGE_VERSION,
        "The request is not of SAML version 2.0.",
        "Set the app to SAML 2.0; other versions are not spoken here.",
    );
    findings.deny(Denial::version_mismatch(check.seen(shown(&request.version)).allowed(["2.0".to_owned()])));
}

fn check_issue_instant(request: &AuthnRequest, arrived: Timestamp, findings: &mut Findings) {
    let age = arrived.since(request.issue_instant);
    let seconds = age.as_millis() / 1_000;
    let seen = request.issue_instant.to_rfc3339();
    if age > SKEW || age < Span::millis(-SKEW.as_millis()) {
        let (detail, remedy) = if seconds > 0 {
            (
                format!("The request is {} old; {SKEW} are allowed.", in_words(seconds)),
                "Start again from the app: a bookmarked or reloaded address looks like this. If it happens always, the app's clock is behind.",
            )
        } else {
            (
                format!("The request is dated {} in the future; {SKEW} are allowed.", in_words(-seconds)),
                "The app's clock is ahead of ours: synchronise it (NTP).",
            )
        };
        let denial = Denial::requester(Some(status::REQUEST_DENIED), Check::failed(&spec::ISSUE_INSTANT, detail, remedy).seen(seen));
        findings.deny(Denial { class: RefusalClass::Expired, ..denial });
    } else if request.issue_instant_is_utc {
        findings.pass(Check::passed(&spec::ISSUE_INSTANT, format!("{seconds} s old")).seen(seen));
    } else {
        let check = Check::warned(
            &spec::ISSUE_INSTANT,
            format!("{seconds} s old, but not written in UTC."),
            "Core 1.3.3 demands UTC, with \"Z\" at the end; a zone is converted, none is taken for UTC.",
        );
        findings.pass(check.seen(seen));
    }
}

fn in_words(seconds: i64) -> String {
    match seconds {
        ..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}

/// Core 3.2.1: a message for somebody else is discarded. Bindings 3.4.5.2, 3.5.5.2: signed through a browser it must have one.
fn check_destination(request: &AuthnRequest, is_signed: bool, endpoint: &Endpoint, findings: &mut Findings) {
    const REMEDY: &str = "Set the app's \"IdP single sign-on URL\" to our address. If a proxy in front of us shows another address, \
                          set public_url to it.";
    match request.destination.as_deref() {
        // What is no absolute address names no place, whatever we are called.
        Some(destination) if endpoint.urls.iter().any(|url| url == destination) && destination.contains("://") => {
            findings.pass(Check::passed(&spec::DESTINATION, "ours").seen(destination));
        }
        Some(destination) => {
            let (allowed, difference) = nearest(destination, endpoint.urls.iter().map(String::as_str));
            let check = Check::failed(&spec::DESTINATION, "The request was made for another address than ours.", REMEDY);
            findings.stop(RefusalClass::AppSetup, check.seen(destination).allowed(allowed).difference(difference));
        }
        None if is_signed => {
            let check = Check::failed(&spec::DESTINATION, "The request is signed but has no Destination.", REMEDY);
            findings.stop(RefusalClass::AppSetup, check.allowed(endpoint.urls.clone()));
        }
        None => findings.pass(Check::passed(&spec::DESTINATION, "none; the request is not signed, so it need not have one")),
    }
}

fn check_key(sp: &SpView, key: usize, now: Timestamp, findings: &mut Findings) {
    match sp.key_expires(key) {
        Some(end) if end < now => findings.pass(
            Check::warned(
                &spec::KEY_EXPIRED,
                "The certificate of the app's signing key has run out; the key still counts.",
                "Ask the app's people for metadata with a new certificate before others refuse it.",
            )
            .seen(end.to_rfc3339()),
        ),
        _ => {}
    }
}

fn check_acs(request: &AuthnRequest, sp: &SpView, findings: &mut Findings) -> Option<AcsUrl> {
    match destination::choose(&sp.metadata, &sp.settings, &Wish::of(request)) {
        Chosen::Here(acs, check) => {
            findings.pass(check);
            Some(acs)
        }
        Chosen::Instead(acs, denial) => {
            findings.deny(*denial);
            Some(acs)
        }
        Chosen::Nowhere(check) => {
            findings.stop(RefusalClass::AppSetup, *check);
            None
        }
    }
}

fn default_attribute_service(sp: &SpView) -> Option<&AttributeConsumingService> {
    let services = &sp.metadata.attribute_services;
    let marked = services.iter().find(|service| service.is_default == Some(true));
    marked.or_else(|| services.iter().find(|service| service.is_default.is_none())).or(services.first())
}

/// Metadata 2.4.4.1. An index that is not there is no reason to refuse: the app gets what it gets by default.
fn choose_attribute_service(request: &AuthnRequest, sp: &SpView, findings: &mut Findings) -> Option<AttributeConsumingService> {
    let Some(index) = request.attribute_consuming_service_index else { return default_attribute_service(sp).cloned() };
    match sp.metadata.attribute_services.iter().find(|service| service.index == Some(index)) {
        Some(service) => {
            findings.pass(Check::passed(&spec::ACS_ATTRIBUTE_INDEX, "on file").seen(index.to_string()));
            Some(service.clone())
        }
        None => {
            let allowed = sp.metadata.attribute_services.iter().filter_map(|service| service.index).map(|index| index.to_string());
            let check = Check::warned(
                &spec::ACS_ATTRIBUTE_INDEX,
                format!("AttributeConsumingServiceIndex {index} is not on file; the default release is used."),
                "Import the app's metadata again, or correct the index in the app.",
            );
            findings.pass(check.seen(index.to_string()).allowed(allowed));
            default_attribute_service(sp).cloned()
        }
    }
}

/// Core 3.4.1.2, 3.4.1.5: we pass no request on, so a list of providers must name us. ProxyCount and RequesterID bind proxies.
fn check_scoping(request: &AuthnRequest, endpoint: &Endpoint, findings: &mut Findings) {
    let Some(scoping) = &request.scoping else { return };
    match &scoping.idp_list {
        Some(list) if !list.contains(&endpoint.entity_id) => {
            let (_, difference) = list.first().map_or((Vec::new(), None), |first| nearest(first, [endpoint.entity_id.as_str()]));
            let check = Check::failed(
                &spec::SCOPING,
                "The request allows only other identity providers to answer.",
                "Add our entity ID to the IDPList in the app, or leave Scoping out.",
            );
            let check = check.seen(shown(&list.join(" "))).allowed([endpoint.entity_id.clone()]).difference(difference);
            findings.deny(Denial::responder(Some(status::NO_SUPPORTED_IDP), check));
        }
        Some(_) => findings.pass(Check::passed(&spec::SCOPING, "the list of identity providers names us")),
        None => findings.pass(Check::passed(&spec::SCOPING, "binds proxies only, and we are none")),
    }
}

#[cfg(test)]
mod corpus_tests;
#[cfg(test)]
mod tests;
