//! `saml explain`: judges a pasted message as the server would. Nothing is recorded, nothing is answered.

use serde_json::json;

use crate::flows::command::Reply;
use crate::flows::{Fault, Services};
use crate::model::check::{Check, Refusal, RefusalClass, Trace};
use crate::model::time::Timestamp;
use crate::saml::bindings::{self, Received, pasted};
use crate::saml::messages::authn_request::AuthnRequest;
use crate::saml::profiles::web_sso::{Endpoint, accept};
use crate::saml::spec;

/// How a message would come out.
struct Verdict {
    /// Whether the message itself is accepted.
    accepted: bool,
    /// `answer`, `status` (the app is told by a SAML status) or `page`.
    told: &'static str,
    app: Option<String>,
    trace: Trace,
}

/// Judges `message` at `at` (default now) as received at `destination` (default our own address).
pub async fn run(services: &Services, message: &str, at: Option<&str>, destination: Option<&str>) -> Result<Reply, Fault> {
    let now = match at.map(|text| (text, Timestamp::parse_xs_date_time(text))) {
        None => (services.clock)(),
        Some((_, Some(at))) => at,
        Some((text, None)) => {
            return Ok(Reply {
                exit: 2,
                ..Reply::failed(422, format!("\"{}\" is not a time", text.escape_debug()), "write it as 2026-11-24T20:46:59Z")
            });
        }
    };
    let verdict = judge(services, message, now, destination);
    let value = json!({
        "accepted": verdict.accepted, "told": verdict.told, "app": verdict.app, "at": now.to_rfc3339(), "checks": verdict.trace.checks,
    });
    Ok(if verdict.accepted { Reply::ok(value) } else { Reply::found(value) })
}

fn judge(services: &Services, message: &str, now: Timestamp, destination: Option<&str>) -> Verdict {
    let page = |refusal: Refusal, app: Option<String>| Verdict { accepted: false, told: "page", app, trace: refusal.trace };
    let received = match read(message) {
        Ok(received) => received,
        Err(refusal) => return page(refusal, None),
    };
    let issuer = received.issuer().clone();
    let Some(sp) = services.registry.by_entity_id(&issuer) else {
        let check = super::saml_sso::unknown_issuer(services, &issuer);
        return page(received.refuse(RefusalClass::AppUnknown, check), None);
    };
    let app = Some(sp.app.id.to_string());
    let mut received = received;
    received.note(Check::passed(&spec::ISSUER_KNOWN, "a registered app").seen(issuer.as_str()));
    if let Err((class, check)) = super::saml_sso::check_app(&sp, now) {
        return page(received.refuse(class, check), app);
    }
    let verified = match bindings::verify(received, sp.view.verification_keys(), &sp.view.verify_policy()) {
        Ok(verified) => verified,
        Err(refusal) => return page(refusal, app),
    };
    let ours = destination.map_or_else(|| services.facts.sso_url(), str::to_owned);
    let endpoint = Endpoint { entity_id: services.facts.entity_id.clone(), urls: vec![ours] };
    let mut accepted = match accept(verified, &sp.view, &endpoint, now) {
        Ok(accepted) => accepted,
        Err(rejected) => {
            let told = if matches!(rejected, crate::saml::profiles::web_sso::Rejected::Page(_)) { "page" } else { "status" };
            return Verdict { accepted: false, told, app, trace: rejected.refusal().trace.clone() };
        }
    };
    let reachable = crate::authn::policy::reachable_classes(services.facts.protected_transport);
    let denied = accepted.decide_name_id(&sp.view).map(|_| ()).and_then(|()| {
        accepted.decide_context(&services.facts.contexts, reachable).map(|_| ())
    });
    // The message is in order; what it asks for cannot be given to anybody here, which the app is told by a status.
    if let Err(denial) = denied {
        return Verdict { accepted: true, told: "status", app, trace: accepted.deny(*denial).refusal().trace.clone() };
    }
    Verdict { accepted: true, told: "answer", app, trace: accepted.trace().clone() }
}

fn read(message: &str) -> Result<Received<AuthnRequest>, Refusal> {
    pasted::recognise(message.as_bytes()).decode()
}
