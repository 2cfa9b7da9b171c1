//! Web browser SSO at a SAML app (Profiles 4.1), from the message to the answer: one straight line.

use std::sync::Arc;

use crate::authn::policy::{self, Decision, Need, Satisfied};
use crate::crypto::{digest, random};
use crate::flows::issue::{self, Whom};
use crate::flows::pending::{self, ResumeKey};
use crate::flows::{About, Fault, PENDING_FOR, Services, Visitor};
use crate::model::check::{Check, Refusal, RefusalClass, Trace, TraceOutcome, TraceRecord};
use crate::model::event::AuditContext;
use crate::model::event::Event;
use crate::model::id::{EntityId, Reference};
use crate::model::pending::{PendingRequest, WaitingRequest};
use crate::model::session::{NameId, NameIdPlan, SamlParticipant};
use crate::model::time::{Span, Timestamp};
use crate::model::user::User;
use crate::registry::name_id::Establish;
use crate::registry::registered::RegisteredSp;
use crate::saml::bindings::{self, Received, post, redirect};
use crate::saml::messages::authn_request::AuthnRequest;
use crate::saml::profiles::denial::Denial;
use crate::saml::profiles::nearest::nearest;
use crate::saml::profiles::respond::{AssertionFacts, OutgoingResponse, respond, respond_error};
use crate::saml::profiles::web_sso::{self, Accepted, Endpoint, ErrorAnswer, Rejected};
use crate::saml::spec;
use crate::session::LiveSession;
use crate::store::replay::Seen;

/// A request as it comes in, or goes on after a sign-in.
#[derive(Debug, Clone)]
pub struct Incoming {
    request: WaitingRequest,
    /// When it first arrived: waiting for the person does not make it old.
    arrived: Timestamp,
    /// When this browser took it up.
    claimed: Timestamp,
    /// The key under which it waits already.
    key: Option<ResumeKey>,
}

impl Incoming {
    /// A request that just arrived.
    pub fn new(request: WaitingRequest, arrived: Timestamp) -> Self {
        Self { request, arrived, claimed: arrived, key: None }
    }

    /// A request that waited under `key` and goes on `now`.
    pub fn resumed(waiting: &PendingRequest, key: &str, now: Timestamp) -> Self {
        // What anybody may go on with has to be parked anew for the one browser that does.
        let bound = *waiting.browser.as_bytes() != pending::ANYONE;
        let key = bound.then(|| ResumeKey::new(key.to_owned()));
        // Whoever has the key of an unbound request takes it up only now; a sign-in of before is none for it.
        let claimed = if bound { waiting.claimed } else { now };
        Self { request: waiting.request.clone(), arrived: waiting.created, claimed, key }
    }
}

/// How an exchange goes on.
pub enum Outcome {
    /// Post this to the app.
    Answer(Outgoing),
    /// The person has to sign in, `again` though a session lives; the request waits under the key.
    SignIn { key: ResumeKey, again: bool },
    /// There is nowhere to send an answer to.
    Refused { class: RefusalClass, reference: Reference, app: Option<String> },
}

/// An answer for the self-posting page.
pub struct Outgoing {
    pub app: String,
    pub acs: String,
    pub saml_response: Vec<u8>,
    pub relay_state: Option<String>,
    pub success: bool,
}

impl Outgoing {
    fn new(sp: &RegisteredSp, made: OutgoingResponse) -> Self {
        Self {
            app: sp.app.name.clone(),
            acs: made.acs.as_str().to_owned(),
            saml_response: made.xml,
            relay_state: made.relay_state,
            // An error status carries no assertion.
            success: made.assertion_id.is_some(),
        }
    }
}

/// The app that a waiting request is for, to show on the sign-in page.
pub struct WaitingApp {
    pub name: String,
    pub host: Option<String>,
    /// Whether its answers go to a plain http address (`form-action`).
    pub speaks_http: bool,
}

/// Runs the exchange.
pub async fn run(services: &Services, visitor: &Visitor, incoming: Incoming) -> Result<Outcome, Fault> {
    match &incoming.request {
        WaitingRequest::SamlStart { sp, target } => start(services, visitor, &incoming, sp, target.clone()).await,
        request => match decode(request) {
            Ok(received) => answer(services, visitor, &incoming, received).await,
            Err(refusal) => refuse_unread(services, visitor, refusal).await,
        },
    }
}

fn decode(request: &WaitingRequest) -> Result<Received<AuthnRequest>, Refusal> {
    match request {
        WaitingRequest::SamlRedirect { query } if query.len() > QUERY_AT_MOST => {
            let detail = format!("the query has {} bytes; {QUERY_AT_MOST} are taken", query.len());
            Err(Refusal::new(
                RefusalClass::MessageBroken,
                Check::failed(&spec::PARAMETERS, detail, "let the app send large requests by HTTP-POST"),
            ))
        }
        WaitingRequest::SamlRedirect { query } => redirect::decode(query),
        WaitingRequest::SamlPost { saml_request, relay_state } => {
            let mut fields = vec![("SAMLRequest".to_owned(), saml_request.clone())];
            fields.extend(relay_state.clone().map(|relay_state| ("RelayState".to_owned(), relay_state)));
            post::decode(&fields)
        }
        WaitingRequest::SamlStart { .. } | WaitingRequest::Page { .. } => Err(broken_form("this is not a SAML message")),
    }
}

/// Bytes of a query with a message; browsers and proxies take less.
const QUERY_AT_MOST: usize = 32 << 10;
/// Bytes of a posted message and its RelayState that are kept for a person; real requests have a few thousand.
const PARKED_AT_MOST: usize = 96 << 10;

/// Whether a posted message may be parked: what strangers send must not fill the store.
pub fn check_parkable(services: &Services, request: &WaitingRequest) -> Result<(), Refusal> {
    if let WaitingRequest::SamlPost { saml_request, relay_state } = request {
        let bytes = saml_request.len() + relay_state.as_ref().map_or(0, String::len);
        if bytes > PARKED_AT_MOST {
            return Err(broken_form(&format!("the message has {bytes} bytes; {PARKED_AT_MOST} are taken")));
        }
    }
    let received = decode(request)?;
    let issuer = received.issuer().clone();
    match services.registry.by_entity_id(&issuer) {
        Some(_) => Ok(()),
        None => Err(received.refuse(RefusalClass::AppUnknown, unknown_issuer(services, &issuer))),
    }
}

/// The refusal for a form that holds no message.
pub fn broken_form(what: &str) -> Refusal {
    let check = Check::failed(&spec::POST_DECODED, what.to_owned(), "post the fields SAMLRequest and RelayState, each once");
    Refusal::new(RefusalClass::MessageBroken, check)
}

/// Refuses what could not be read, or comes from an app that we do not know.
pub async fn refuse_unread(services: &Services, visitor: &Visitor, refusal: Refusal) -> Result<Outcome, Fault> {
    refuse(services, visitor, None, None, refusal).await
}

async fn refuse(
    services: &Services,
    visitor: &Visitor,
    sp: Option<&RegisteredSp>,
    named: Option<&str>,
    refusal: Refusal,
) -> Result<Outcome, Fault> {
    let now = (services.clock)();
    let client = visitor.client.address.as_deref();
    let app = sp.map(|sp| sp.app.entity_id.as_str()).or(named);
    let about = About { flow: "saml.sso", app, known: sp.is_some() && visitor.session.is_some(), user: None, client };
    let reference = services.keep_refusal(&refusal, about, now).await?;
    let check = refusal.check().map(|check| check.id.to_string()).unwrap_or_default();
    let event = Event::SamlSsoFailed { app: sp.map(|sp| sp.app.id.to_string()), check };
    let context = AuditContext { reference: Some(reference.clone()), ..visitor.audit_context() };
    services.audit.record(now, event, context).await?;
    services.stores.health.commit().await?;
    Ok(Outcome::Refused { class: refusal.class, reference, app: sp.map(|sp| sp.app.name.clone()) })
}

/// An AuthnRequest: who sent it, is it theirs, may it be answered, where?
async fn answer(
    services: &Services,
    visitor: &Visitor,
    incoming: &Incoming,
    mut received: Received<AuthnRequest>,
) -> Result<Outcome, Fault> {
    let issuer = received.issuer().clone();
    let Some(sp) = services.registry.by_entity_id(&issuer) else {
        let refusal = received.refuse(RefusalClass::AppUnknown, unknown_issuer(services, &issuer));
        return refuse(services, visitor, None, Some(issuer.as_str()), refusal).await;
    };
    received.note(Check::passed(&spec::ISSUER_KNOWN, "a registered app").seen(issuer.as_str()));
    if let Err((class, check)) = check_app(&sp, incoming.arrived) {
        let refusal = received.refuse(class, check);
        return refuse(services, visitor, Some(&sp), None, refusal).await;
    }
    let verified = match bindings::verify(received, sp.view.verification_keys(), &sp.view.verify_policy()) {
        Ok(verified) => verified,
        Err(refusal) => return refuse(services, visitor, Some(&sp), None, refusal).await,
    };
    let endpoint = Endpoint { entity_id: services.facts.entity_id.clone(), urls: vec![services.facts.sso_url()] };
    let mut accepted = match web_sso::accept(verified, &sp.view, &endpoint, incoming.arrived) {
        Ok(accepted) => accepted,
        Err(Rejected::Page(refusal)) => return refuse(services, visitor, Some(&sp), None, refusal).await,
        Err(Rejected::Answer(answer)) => return deny(services, visitor, &sp, None, answer).await,
    };
    match first_seen(services, visitor, &sp, &accepted, incoming.arrived).await? {
        Ok(check) => accepted.note(check),
        Err(check) => {
            let now = (services.clock)();
            let event = Event::SamlReplayDetected { app: sp.app.id.to_string() };
            services.audit.record(now, event, visitor.audit_context()).await?;
            let mut trace = accepted.trace().clone();
            trace.push(check);
            let refusal = Refusal { class: RefusalClass::NotTrusted, trace };
            return refuse(services, visitor, Some(&sp), None, refusal).await;
        }
    }
    go_on(services, visitor, incoming, &sp, accepted).await
}

/// A sign-on that we begin.
async fn start(services: &Services, visitor: &Visitor, incoming: &Incoming, sp: &str, target: Option<String>) -> Result<Outcome, Fault> {
    let known = EntityId::parse(sp).ok().and_then(|entity_id| services.registry.by_entity_id(&entity_id));
    let Some(sp) = known else {
        let named: String = sp.chars().take(1_024).collect();
        let check = match EntityId::parse(named.as_str()) {
            Ok(entity_id) => unknown_issuer(services, &entity_id),
            Err(error) => Check::failed(&spec::ISSUER_KNOWN, error.to_string(), "name the app's entity ID in the parameter sp"),
        };
        return refuse(services, visitor, None, Some(&named), Refusal::new(RefusalClass::AppUnknown, check)).await;
    };
    let mut trace = Trace::default();
    trace.push(Check::passed(&spec::ISSUER_KNOWN, "a registered app").seen(sp.app.entity_id.as_str()));
    if let Err((class, check)) = check_app(&sp, incoming.arrived) {
        return refuse(services, visitor, Some(&sp), None, trace.refuse(class, check)).await;
    }
    let target = target.filter(|target| !target.is_empty());
    if target.as_ref().is_some_and(|target| target.len() > 4_096) {
        let check = Check::failed(&spec::RELAY_STATE_SIZE, "the parameter target has more than 4,096 bytes", "use a shorter RelayState");
        return refuse(services, visitor, Some(&sp), None, trace.refuse(RefusalClass::MessageBroken, check)).await;
    }
    match web_sso::accept_unsolicited(&sp.view, target, trace) {
        Ok(accepted) => go_on(services, visitor, incoming, &sp, accepted).await,
        Err(refusal) => refuse(services, visitor, Some(&sp), None, refusal).await,
    }
}

pub(super) fn unknown_issuer(services: &Services, issuer: &EntityId) -> Check {
    // Likeness in full costs too much to be worked out for thousands of apps at every stranger's message.
    let mut apps = services.registry.all();
    apps.sort_by_cached_key(|sp| std::cmp::Reverse(shared_ends(sp.app.entity_id.as_str(), issuer.as_str())));
    let likely = apps.iter().take(20).filter(|_| issuer.as_str().len() <= 512);
    let (mut allowed, difference) = nearest(issuer.as_str(), likely.map(|sp| sp.app.entity_id.as_str()));
    allowed.truncate(5);
    Check::failed(
        &spec::ISSUER_KNOWN,
        "no app with this entity ID is registered",
        "add the app: linkspan app add metadata.xml; or correct the entity ID in the app",
    )
    .seen(issuer.as_str())
    .allowed(allowed)
    .difference(difference)
}

/// How many bytes two texts share at their beginning and at their end.
fn shared_ends(a: &str, b: &str) -> usize {
    let front = a.bytes().zip(b.bytes()).take_while(|(a, b)| a == b).count();
    let back = a.bytes().rev().zip(b.bytes().rev()).take_while(|(a, b)| a == b).count();
    front + back
}

/// Whether the app may be used at all.
pub(super) fn check_app(sp: &RegisteredSp, now: Timestamp) -> Result<(), (RefusalClass, Check)> {
    if !sp.app.enabled {
        let remedy = format!("switch it on: linkspan app set {} enabled=true", sp.app.id);
        return Err((RefusalClass::NotAllowed, Check::failed(&spec::APP_ENABLED, "the app is switched off", remedy)));
    }
    if let Some(ended) = sp.stops_at().filter(|at| *at <= now) {
        let check = Check::failed(
            &spec::APP_METADATA_VALID,
            format!("the app's metadata expired on {ended}"),
            format!("fetch it again: linkspan app refresh {}", sp.app.id),
        );
        return Err((RefusalClass::AppSetup, check));
    }
    Ok(())
}

/// Asks the replay guard. A reload by the same browser goes on.
async fn first_seen(
    services: &Services,
    visitor: &Visitor,
    sp: &RegisteredSp,
    accepted: &Accepted,
    arrived: Timestamp,
) -> Result<Result<Check, Check>, Fault> {
    let (Some(request), Some(bytes)) = (accepted.request(), accepted.fingerprint()) else {
        return Ok(Ok(Check::passed(&spec::MESSAGE_REPLAY, "nothing was received")));
    };
    let message = digest::sha256_parts(&[b"replay", sp.app.entity_id.as_str().as_bytes(), request.id.as_bytes()]);
    let fingerprint = digest::sha256_parts(&[bytes.as_bytes(), visitor.browser.as_bytes()]);
    // As long as the message could be accepted again: its time, both skews, and the wait for a sign-in.
    let expires = arrived + PENDING_FOR + Span::minutes(10);
    Ok(match services.stores.replay.first_seen(&message, &fingerprint, arrived, expires).await? {
        Seen::First => Ok(Check::passed(&spec::MESSAGE_REPLAY, "seen for the first time")),
        Seen::SameAgain => Ok(Check::passed(&spec::MESSAGE_REPLAY, "the same browser sent the same bytes again")),
        Seen::Replayed => Err(Check::failed(
            &spec::MESSAGE_REPLAY,
            "a request with this ID was received before, from another browser or with other content",
            "start again from the app; if that happens always, the app reuses IDs",
        )
        .seen(request.id.as_str())),
    })
}

/// Who is the person, and is that enough?
async fn go_on(
    services: &Services,
    visitor: &Visitor,
    incoming: &Incoming,
    sp: &Arc<RegisteredSp>,
    mut accepted: Accepted,
) -> Result<Outcome, Fault> {
    let now = (services.clock)();
    let plan = match accepted.decide_name_id(&sp.view) {
        Ok(plan) => plan,
        Err(denial) => return deny(services, visitor, sp, None, accepted.deny(*denial)).await,
    };
    let reachable = policy::reachable_classes(services.facts.protected_transport);
    let need = match accepted.decide_context(&services.facts.contexts, reachable) {
        Ok(need) => need,
        Err(denial) => return deny(services, visitor, sp, None, accepted.deny(*denial)).await,
    };
    let need = Need { fresh_since: accepted.force_authn().then_some(incoming.claimed), classes: need.acceptable().map(<[String]>::to_vec) };
    let live = services.live_session(visitor, now).await?;
    let user = match &live {
        Some(live) => services.directory.by_id(&live.session().user).await?.filter(|user| user.enabled),
        None => None,
    };
    let decision = if user.is_some() { policy::decide(live.as_ref().map(LiveSession::session), &need) } else { Decision::SignIn };
    let again = user.is_some();
    match (decision, live, user) {
        (Decision::Satisfied(satisfied), Some(live), Some(user)) => {
            if accepted.force_authn() {
                accepted.note(Check::passed(&spec::FORCE_AUTHN, "the person signed in for this request"));
            }
            issue_to(services, visitor, sp, accepted, &plan, &live, &user, &satisfied, now).await
        }
        _ if accepted.is_passive() => deny(services, visitor, sp, None, accepted.deny(Denial::no_passive())).await,
        _ => {
            let key = match &incoming.key {
                Some(key) => key.clone(),
                None => pending::park_for(services, visitor, incoming.request.clone(), incoming.arrived, incoming.claimed).await?,
            };
            Ok(Outcome::SignIn { key, again })
        }
    }
}

/// Makes the assertion for the person and sends it.
#[expect(clippy::too_many_arguments, reason = "everything that an assertion states, each of its own type")]
async fn issue_to(
    services: &Services,
    visitor: &Visitor,
    sp: &Arc<RegisteredSp>,
    mut accepted: Accepted,
    plan: &NameIdPlan,
    live: &LiveSession,
    user: &User,
    satisfied: &Satisfied,
    now: Timestamp,
) -> Result<Outcome, Fault> {
    let prepared = match issue::prepare(
        services,
        sp,
        &mut accepted,
        plan,
        Whom { user, session: Some(live.session()), establish: Establish::At(now) },
    )
    .await?
    {
        Ok(prepared) => prepared,
        Err(denial) => return deny(services, visitor, sp, Some(user), accepted.deny(*denial)).await,
    };
    if let Err(denial) = accepted.check_subject(Some(&prepared.name_id)) {
        return deny(services, visitor, sp, Some(user), accepted.deny(*denial)).await;
    }
    let participant = SamlParticipant {
        app: sp.app.id.clone(),
        entity_id: sp.app.entity_id.to_string(),
        session_index: random::with_system(|random| random.xml_id()),
        name_id: prepared.name_id.clone(),
        first: now,
        last: now,
    };
    let Some(joined) = services.sessions.join(live, participant).await? else {
        // The session ended in this very moment: nothing may be issued; the person signs in again.
        let check = Check::failed(&spec::SESSION_LIVE, "the session ended while the answer was made", "start again from the app");
        return deny(services, visitor, sp, Some(user), accepted.deny(Denial::authn_failed(check))).await;
    };
    let keys = services.signing_keys();
    let facts = AssertionFacts {
        name_id: Some(&prepared.name_id),
        encrypt_name_id: plan.encrypt,
        attributes: &prepared.attributes,
        session_index: &joined.session_index,
        authn_instant: satisfied.event().at,
        class: satisfied.class(),
        session_not_on_or_after: live.session().expires,
    };
    let unsolicited = accepted.request().is_none();
    let made = random::with_system(|random| respond(accepted, &facts, &sp.view, &services.idp(&keys), now, random));
    let outgoing = match made {
        Ok(outgoing) => outgoing,
        Err(answer) => return deny(services, visitor, sp, Some(user), *answer).await,
    };
    record_success(services, visitor, sp, user, live, &prepared.name_id, &outgoing, unsolicited, now).await?;
    services.stores.health.commit().await?;
    Ok(Outcome::Answer(Outgoing::new(sp, outgoing)))
}

#[expect(clippy::too_many_arguments, reason = "everything that is recorded, each of its own type")]
async fn record_success(
    services: &Services,
    visitor: &Visitor,
    sp: &RegisteredSp,
    user: &User,
    live: &LiveSession,
    name_id: &NameId,
    outgoing: &OutgoingResponse,
    unsolicited: bool,
    now: Timestamp,
) -> Result<(), Fault> {
    let reference = random::with_system(|random| random.reference());
    let record = TraceRecord {
        reference: reference.clone(),
        at: now,
        flow: if unsolicited { "saml.idp_initiated" } else { "saml.sso" }.to_owned(),
        outcome: TraceOutcome::Succeeded,
        app: Some(sp.app.entity_id.to_string()),
        user: Some(user.name.clone()),
        client: visitor.client.address.clone(),
        trace: outgoing.trace.clone(),
    };
    services.traces.keep(record, true).await?;
    let (who, app, entity_id) = (user.name.clone(), sp.app.id.to_string(), sp.app.entity_id.to_string());
    let (name_id_format, assertion_id) = (name_id.format.clone(), outgoing.assertion_id.clone().unwrap_or_default());
    let event = if unsolicited {
        Event::SamlUnsolicitedSent { user: who, app, entity_id, name_id_format, assertion_id }
    } else {
        Event::SamlSsoSucceeded { user: who, app, entity_id, name_id_format, assertion_id }
    };
    let context = AuditContext {
        actor: Some(user.name.clone()),
        client: visitor.client.address.clone(),
        reference: Some(reference),
        session: Some(live.session().id.to_string()),
    };
    services.audit.record(now, event, context).await?;
    Ok(())
}

/// Tells the app by a SAML status; keeps the trace.
async fn deny(
    services: &Services,
    visitor: &Visitor,
    sp: &Arc<RegisteredSp>,
    user: Option<&User>,
    answer: ErrorAnswer,
) -> Result<Outcome, Fault> {
    if answer.is_unsolicited() {
        // Nobody asked, so an error response would answer nothing; the person is told.
        return refuse(services, visitor, Some(sp), None, answer.refusal().clone()).await;
    }
    let now = (services.clock)();
    let refusal = answer.refusal();
    let check = answer.denial().check.id.to_string();
    let client = visitor.client.address.as_deref();
    let name = user.map(|user| user.name.as_str());
    let about = About { flow: "saml.sso", app: Some(sp.app.entity_id.as_str()), known: true, user: name, client };
    let reference = services.keep_refusal(refusal, about, now).await?;
    let context = AuditContext { actor: user.map(|user| user.name.clone()), reference: Some(reference), ..visitor.audit_context() };
    services.audit.record(now, Event::SamlSsoFailed { app: Some(sp.app.id.to_string()), check }, context).await?;
    let keys = services.signing_keys();
    let outgoing = random::with_system(|random| respond_error(answer, &sp.view, &services.idp(&keys), now, random));
    services.stores.health.commit().await?;
    Ok(Outcome::Answer(Outgoing::new(sp, outgoing)))
}

/// The app that a waiting request is for.
pub fn app_of(services: &Services, request: &WaitingRequest) -> Option<WaitingApp> {
    let entity_id = match request {
        WaitingRequest::SamlStart { sp, .. } => EntityId::parse(sp.as_str()).ok()?,
        other => decode(other).ok()?.issuer().clone(),
    };
    let sp = services.registry.by_entity_id(&entity_id)?;
    Some(WaitingApp { name: sp.app.name.clone(), host: sp.host(), speaks_http: sp.speaks_http() })
}
