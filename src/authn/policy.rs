//! What does this request still need? Pure.

use crate::model::session::{AuthnEvent, AuthnMethod, Session};
use crate::model::time::Timestamp;

/// What an exchange asks of the person's sign-in.
#[derive(Debug, Clone, Default)]
pub struct Need {
    /// The proof must not be older than this: ForceAuthn, from the moment its request came in.
    pub fresh_since: Option<Timestamp>,
    /// Classes that the requester accepts, the preferred one first; `None` accepts any.
    pub classes: Option<Vec<String>>,
}

/// A live session has what the exchange needs: demanded for building an Assertion.
#[derive(Debug, Clone)]
pub struct Satisfied {
    event: AuthnEvent,
    class: &'static str,
}

impl Satisfied {
    /// The proof that counts; its time is the AuthnInstant.
    pub fn event(&self) -> &AuthnEvent {
        &self.event
    }

    /// The class to state.
    pub fn class(&self) -> &'static str {
        self.class
    }
}

/// What is to be done.
#[derive(Debug, Clone)]
pub enum Decision {
    Satisfied(Satisfied),
    /// The person has to sign in (again).
    SignIn,
}

/// Judges a live session, or the lack of one, against a need.
pub fn decide(live: Option<&Session>, need: &Need) -> Decision {
    let Some(session) = live else { return Decision::SignIn };
    for event in session.authn.iter().rev() {
        if need.fresh_since.is_some_and(|since| event.at < since) {
            continue;
        }
        let class = event.class_for(need.classes.as_deref());
        if let Some(class) = class {
            return Decision::Satisfied(Satisfied { event: event.clone(), class });
        }
    }
    Decision::SignIn
}

/// What a sign-in here could reach.
pub fn reachable_classes(protected_transport: bool) -> &'static [&'static str] {
    AuthnMethod::Password.honest_classes(protected_transport)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::id::{SessionId, UserId};
    use crate::model::secret::Digest;
    use crate::model::session::class;
    use crate::model::time::Span;

    const SIGNED_IN: Timestamp = Timestamp::from_seconds(1_800_000_000);

    fn session(protected_transport: bool) -> Session {
        Session {
            id: SessionId::parse("s_a").unwrap(),
            secret: Digest::from_bytes([0; 32]),
            user: UserId::parse("u_a").unwrap(),
            user_name: "ada".to_owned(),
            created: SIGNED_IN,
            last_seen: SIGNED_IN,
            expires: SIGNED_IN + Span::hours(1),
            authn: vec![AuthnEvent { method: AuthnMethod::Password, at: SIGNED_IN, protected_transport }],
            client: None,
            agent: None,
            participants: Vec::new(),
        }
    }

    fn class_for(session: &Session, need: &Need) -> Option<String> {
        match decide(Some(session), need) {
            Decision::Satisfied(satisfied) => Some(satisfied.class().to_owned()),
            Decision::SignIn => None,
        }
    }

    #[test]
    fn without_a_session_somebody_has_to_sign_in() {
        assert!(matches!(decide(None, &Need::default()), Decision::SignIn));
    }

    #[test]
    fn the_class_that_is_stated_is_the_honest_one() {
        assert_eq!(class_for(&session(true), &Need::default()).as_deref(), Some(class::PASSWORD_PROTECTED_TRANSPORT));
        assert_eq!(class_for(&session(false), &Need::default()).as_deref(), Some(class::PASSWORD));

        let asks = |class: &str| Need { classes: Some(vec![class.to_owned()]), ..Need::default() };
        assert_eq!(class_for(&session(false), &asks(class::PASSWORD_PROTECTED_TRANSPORT)), None);
        assert_eq!(class_for(&session(true), &asks("https://refeds.org/profile/mfa")), None);
    }

    #[test]
    fn a_proof_from_before_the_request_is_not_fresh() {
        let since = |at| Need { fresh_since: Some(at), ..Need::default() };

        assert_eq!(class_for(&session(true), &since(SIGNED_IN + Span::millis(1))), None);
        assert!(class_for(&session(true), &since(SIGNED_IN)).is_some());
    }

    #[test]
    fn the_newest_proof_counts() {
        let mut session = session(true);
        let later = SIGNED_IN + Span::minutes(10);
        session.authn.push(AuthnEvent { method: AuthnMethod::Password, at: later, protected_transport: true });

        let Decision::Satisfied(satisfied) = decide(Some(&session), &Need::default()) else { panic!("satisfied") };

        assert_eq!(satisfied.event().at, later);
    }
}
