//! `app preview` and `app test`: the very assertion that would be sent, made by the functions that make the real one; the
//! test judges it as a strict app would.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::authn::policy;
use crate::crypto::random;
use crate::flows::command::Reply;
use crate::flows::issue::{self, Whom};
use crate::flows::{Fault, Services, users};
use crate::model::app::Sign;
use crate::model::check::{Outcome, Trace};
use crate::model::session::class;
use crate::model::time::Timestamp;
use crate::model::user::User;
use crate::registry::name_id::Establish;
use crate::registry::registered::RegisteredSp;
use crate::saml::profiles::respond::{AssertionFacts, OutgoingResponse, respond};
use crate::saml::profiles::sp_check::{Expectations, check_response};
use crate::saml::profiles::web_sso::accept_unsolicited;
use crate::saml::xml::signature::VerificationKey;

struct Made {
    prepared: issue::Prepared,
    outgoing: OutgoingResponse,
    trace: Trace,
}

/// Builds the answer of a sign-on that we begin, for this person, now.
async fn make(services: &Services, sp: &Arc<RegisteredSp>, user: &User, now: Timestamp) -> Result<Result<Made, Trace>, Fault> {
    let mut accepted = match accept_unsolicited(&sp.view, None, Trace::default()) {
        Ok(accepted) => accepted,
        Err(refusal) => return Ok(Err(refusal.trace)),
    };
    let plan = match accepted.decide_name_id(&sp.view) {
        Ok(plan) => plan,
        Err(denial) => return Ok(Err(accepted.deny(*denial).refusal().trace.clone())),
    };
    let prepared =
        match issue::prepare(services, sp, &mut accepted, &plan, Whom { user, session: None, establish: Establish::Never }).await? {
            Ok(prepared) => prepared,
            Err(denial) => return Ok(Err(accepted.deny(*denial).refusal().trace.clone())),
        };
    let honest = policy::reachable_classes(services.facts.protected_transport);
    let session_index = random::with_system(|random| random.xml_id());
    let facts = AssertionFacts {
        name_id: Some(&prepared.name_id),
        encrypt_name_id: plan.encrypt,
        attributes: &prepared.attributes,
        session_index: &session_index,
        authn_instant: now,
        class: honest.first().copied().unwrap_or(class::UNSPECIFIED),
        session_not_on_or_after: now + services.sessions.lifetime().absolute,
    };
    let keys = services.signing_keys();
    let made = random::with_system(|random| respond(accepted, &facts, &sp.view, &services.idp(&keys), now, random));
    Ok(match made {
        Ok(outgoing) => {
            let trace = outgoing.trace.clone();
            Ok(Made { prepared, outgoing, trace })
        }
        Err(answer) => Err(answer.refusal().trace.clone()),
    })
}

async fn person(services: &Services, user: &str) -> Result<Result<User, Reply>, Fault> {
    Ok(users::find(services, user)
        .await?
        .ok_or_else(|| Reply::failed(404, format!("there is no person called {user}"), "linkspan user list  shows everybody")))
}

fn refused(trace: &Trace) -> Reply {
    let check = trace.failure();
    let mut reply = Reply::failed(
        422,
        check.map_or("the answer cannot be made", |check| check.detail.as_ref()),
        check.and_then(|check| check.remedy.as_deref()).unwrap_or("see the checks"),
    );
    if let Some(error) = &mut reply.error {
        error.checks.clone_from(&trace.checks);
    }
    reply
}

/// Shows the very assertion that would be sent.
pub async fn preview(services: &Services, sp: &Arc<RegisteredSp>, user: &str) -> Result<Reply, Fault> {
    let user = match person(services, user).await? {
        Ok(user) => user,
        Err(reply) => return Ok(reply),
    };
    let made = match make(services, sp, &user, (services.clock)()).await? {
        Ok(made) => made,
        Err(trace) => return Ok(refused(&trace)),
    };
    let encrypted = made.outgoing.plain.is_some();
    let xml = made.outgoing.plain.as_ref().unwrap_or(&made.outgoing.xml);
    let attributes: Vec<Value> = made
        .prepared
        .attributes
        .iter()
        .map(|attribute| json!({
            "name": attribute.name, "format": attribute.name_format, "friendly_name": attribute.friendly_name, "values": attribute.values,
        }))
        .collect();
    Ok(Reply::ok(json!({
        "app": sp.app.id, "user": user.name, "acs": made.outgoing.acs.as_str(), "encrypted": encrypted,
        "xml": String::from_utf8_lossy(xml), "attributes": attributes, "name_id": made.prepared.name_id, "checks": made.trace.checks,
    })))
}

/// A dry run, judged as the app would.
pub async fn test(services: &Services, sp: &Arc<RegisteredSp>, user: &str) -> Result<Reply, Fault> {
    let now = (services.clock)();
    let user = match person(services, user).await? {
        Ok(user) => user,
        Err(reply) => return Ok(reply),
    };
    let (mut trace, sent) = match make(services, sp, &user, now).await? {
        Ok(made) => (made.trace, Some(made.outgoing)),
        Err(trace) => (trace, None),
    };
    if let Some(sent) = &sent {
        let ring = services.keys.current();
        let keys: Vec<VerificationKey> = ring.published().filter_map(|key| VerificationKey::from_spki(key.public.spki()).ok()).collect();
        let expect = Expectations {
            idp: &services.facts.entity_id,
            keys: &keys,
            sp: sp.app.entity_id.as_str(),
            acs: sent.acs.as_str(),
            in_response_to: None,
            wants_assertion_signed: sp.metadata.want_assertions_signed || sp.app.saml.sign != Sign::Response,
            name_id_format: None,
            now,
        };
        trace.checks.extend(check_response(&sent.xml, sent.plain.as_deref(), &expect).checks);
    }
    let count = |outcome: Outcome| trace.checks.iter().filter(|check| check.outcome == outcome).count();
    let failed = count(Outcome::Failed);
    let value = json!({
        "app": sp.app.id, "user": user.name, "passed": count(Outcome::Passed), "warned": count(Outcome::Warned), "failed": failed,
        "bytes": sent.as_ref().map(|sent| sent.xml.len()), "checks": trace.checks,
    });
    Ok(if failed == 0 { Reply::ok(value) } else { Reply::found(value) })
}
