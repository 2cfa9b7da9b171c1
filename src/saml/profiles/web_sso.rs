//! Web browser SSO (Profiles 4.1): may this request be answered, and where?

mod checks;

use crate::model::check::{Check, Refusal, RefusalClass, Trace};
use crate::model::secret::Digest;
use crate::model::session::{NameId, NameIdPlan};
use crate::model::sp::AttributeConsumingService;
use crate::model::time::{Span, Timestamp};
use crate::saml::bindings::Verified;
use crate::saml::messages::authn_request::{AuthnRequest, RequestedSubject};
use crate::saml::profiles::authn_context::{ContextNeed, ContextTable, decide_context};
use crate::saml::profiles::denial::Denial;
use crate::saml::profiles::destination::{self, AcsUrl, Chosen, Wish};
use crate::saml::profiles::name_id::decide_name_id;
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

    /// Whether no request asked for it.
    pub fn is_unsolicited(&self) -> bool {
        self.in_response_to.is_none()
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
        let subject = self.request.as_ref().and_then(|request| request.subject.as_ref()).and_then(RequestedSubject::name_id);
        let (plan, check) = decide_name_id(policy, subject, sp)?;
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

/// Judges a verified request. `arrived` is when it arrived: a request that waited for a sign-in does not grow old by it.
///
/// All checks run, so that several problems show at once; their order is fixed.
///
/// # Errors
/// `Rejected::Page` where no registered address fits, or the message was not meant for us; `Rejected::Answer` for all else.
pub fn accept(verified: Verified<AuthnRequest>, sp: &SpView, endpoint: &Endpoint, arrived: Timestamp) -> Result<Accepted, Rejected> {
    let fingerprint = *verified.fingerprint();
    let Verified { message: request, relay_state, signed, trace, .. } = verified;
    let mut findings = checks::Findings { trace, page: None, denial: None };

    checks::check_version(&request, &mut findings);
    findings.pass(Check::passed(&spec::MESSAGE_ID, "an XML name").seen(request.id.as_str()));
    checks::check_issue_instant(&request, arrived, &mut findings);
    checks::check_destination(&request, signed.is_some(), endpoint, &mut findings);
    if let Some(signed) = signed {
        checks::check_key(sp, signed.key, arrived, &mut findings);
    }
    let acs = checks::check_acs(&request, sp, &mut findings);
    if let Some(subject) = &request.subject
        && let Err(denial) = subject::check_supported(subject)
    {
        findings.deny(*denial);
    }
    let attribute_service = checks::choose_attribute_service(&request, sp, &mut findings);
    checks::check_scoping(&request, endpoint, &mut findings);

    let checks::Findings { trace, page, denial } = findings;
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
    let attribute_service = checks::default_attribute_service(sp).cloned();
    Ok(Accepted { acs, relay_state: target, request: None, attribute_service, fingerprint: None, trace })
}

#[cfg(test)]
mod corpus_tests;
#[cfg(test)]
mod tests;
