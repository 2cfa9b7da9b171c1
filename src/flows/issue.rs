//! What an app is told about a person: the NameID and the attributes. The one function for sign-ins, previews and tests.

use crate::crypto::random::Random;
use crate::flows::{Fault, Services};
use crate::model::check::Outcome;
use crate::model::release::ReleasedAttribute;
use crate::model::session::{NameId, NameIdPlan, Participant, Session};
use crate::model::user::User;
use crate::registry::name_id::{Establish, NameIdError};
use crate::registry::registered::RegisteredSp;
use crate::registry::release::person::Person;
use crate::saml::names::{name_id, status};
use crate::saml::profiles::denial::Denial;
use crate::saml::profiles::web_sso::Accepted;

/// What goes into an assertion.
#[derive(Debug, Clone)]
pub struct Prepared {
    pub name_id: NameId,
    pub attributes: Vec<ReleasedAttribute>,
}

/// For whom an assertion is made.
#[derive(Debug, Clone, Copy)]
pub struct Whom<'a> {
    pub user: &'a User,
    /// The session that the app joins, where there is one.
    pub session: Option<&'a Session>,
    /// Whether a persistent NameID that is made now counts from now on.
    pub establish: Establish,
}

/// Makes the NameID that the exchange asks for, and evaluates the app's release for the person.
pub async fn prepare(
    services: &Services,
    sp: &RegisteredSp,
    accepted: &mut Accepted,
    plan: &NameIdPlan,
    whom: Whom<'_>,
) -> Result<Result<Prepared, Box<Denial>>, Fault> {
    let Whom { user, session, establish } = whom;
    let person = Person { user, ids: &services.subject_ids };
    let name_id = match transient_of(session, sp, plan) {
        Some(known) => known,
        None => match services.name_ids.issue(plan, &sp.release, person, establish, &mut Random::system()).await {
            Ok(name_id) => name_id,
            Err(error) => match (error.check(), error) {
                (Some(check), _) => return Ok(Err(Box::new(Denial::requester(Some(status::INVALID_NAME_ID_POLICY), check)))),
                (None, NameIdError::Store(error)) => return Err(error.into()),
                (None, NameIdError::Crypto(error)) => return Err(error.into()),
                (None, other) => return Err(Fault::Other(other.to_string())),
            },
        },
    };
    let released = sp.release.evaluate(person, accepted.attribute_service())?;
    for check in released.checks {
        if check.outcome == Outcome::Failed {
            return Ok(Err(Box::new(Denial::missing_info(check))));
        }
        accepted.note(check);
    }
    Ok(Ok(Prepared { name_id, attributes: released.attributes }))
}

/// The transient NameID that the session already has at this app: one for the length of the session, so that logout can name
/// it and the list of participants does not grow with each visit.
fn transient_of(session: Option<&Session>, sp: &RegisteredSp, plan: &NameIdPlan) -> Option<NameId> {
    if plan.format != name_id::TRANSIENT {
        return None;
    }
    session?.participants.iter().find_map(|participant| {
        let Participant::Saml(participant) = participant;
        let known = &participant.name_id;
        let same = participant.entity_id == sp.app.entity_id.as_str()
            && known.format == name_id::TRANSIENT
            && plan.sp_name_qualifier.as_ref().is_none_or(|wanted| known.sp_name_qualifier.as_ref() == Some(wanted));
        same.then(|| known.clone())
    })
}
