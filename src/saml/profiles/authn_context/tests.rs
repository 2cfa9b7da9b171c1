use super::*;
use crate::model::session::{AuthnEvent, AuthnMethod};
use crate::model::time::Timestamp;
use crate::saml::names::authn_context::{PASSWORD, PASSWORD_PROTECTED_TRANSPORT as PPT, REFEDS_MFA, UNSPECIFIED};

fn asks(comparison: Comparison, classes: &[&str]) -> RequestedAuthnContext {
    let classes = classes.iter().map(|class| (*class).to_owned()).collect();
    RequestedAuthnContext { comparison, references: ContextReferences::Classes(classes) }
}

fn event(protected_transport: bool) -> AuthnEvent {
    AuthnEvent { method: AuthnMethod::Password, at: Timestamp::from_seconds(0), protected_transport }
}

/// The class that is stated of a password over TLS, or the status.
fn stated(comparison: Comparison, classes: &[&str]) -> Result<&'static str, &'static str> {
    let honest = AuthnMethod::Password.honest_classes(true);
    match decide_context(&ContextTable::default(), Some(&asks(comparison, classes)), honest) {
        Ok((need, _)) => Ok(event(true).class_for(need.acceptable()).unwrap()),
        Err(denial) => Err(denial.second.unwrap()),
    }
}

// clause: IIP-IDP08
#[test]
fn exact_means_one_of_the_classes_named() {
    assert_eq!(stated(Comparison::Exact, &[PPT]), Ok(PPT));
    assert_eq!(stated(Comparison::Exact, &[REFEDS_MFA, PPT]), Ok(PPT));
    assert_eq!(stated(Comparison::Exact, &[UNSPECIFIED]), Ok(UNSPECIFIED));
    assert_eq!(stated(Comparison::Exact, &[REFEDS_MFA]), Err(status::NO_AUTHN_CONTEXT));
}

#[test]
fn a_password_over_tls_is_not_called_a_bare_password() {
    assert_eq!(stated(Comparison::Exact, &[PASSWORD]), Err(status::NO_AUTHN_CONTEXT));
    assert_eq!(AuthnMethod::Password.honest_classes(false), [PASSWORD, UNSPECIFIED]);
}

#[test]
fn minimum_means_as_strong_as_one_of_them() {
    assert_eq!(stated(Comparison::Minimum, &[PASSWORD]), Ok(PPT));
    assert_eq!(stated(Comparison::Minimum, &[PPT]), Ok(PPT));
    assert_eq!(stated(Comparison::Minimum, &[REFEDS_MFA, PASSWORD]), Ok(PPT));
    assert_eq!(stated(Comparison::Minimum, &[REFEDS_MFA]), Err(status::NO_AUTHN_CONTEXT));
}

#[test]
fn maximum_means_not_stronger_than_the_strongest_of_them() {
    assert_eq!(stated(Comparison::Maximum, &[PPT]), Ok(PPT));
    assert_eq!(stated(Comparison::Maximum, &[UNSPECIFIED, PPT]), Ok(PPT));
    assert_eq!(stated(Comparison::Maximum, &[PASSWORD]), Ok(UNSPECIFIED));
    assert_eq!(stated(Comparison::Maximum, &[REFEDS_MFA]), Err(status::NO_AUTHN_CONTEXT));
}

#[test]
fn better_means_stronger_than_all_of_them() {
    assert_eq!(stated(Comparison::Better, &[PASSWORD]), Ok(PPT));
    assert_eq!(stated(Comparison::Better, &[UNSPECIFIED, PASSWORD]), Ok(PPT));
    assert_eq!(stated(Comparison::Better, &[PASSWORD, PPT]), Err(status::NO_AUTHN_CONTEXT));
    assert_eq!(stated(Comparison::Better, &[REFEDS_MFA, PASSWORD]), Err(status::NO_AUTHN_CONTEXT));
}

#[test]
fn declarations_are_not_known() {
    let requested = RequestedAuthnContext {
        comparison: Comparison::Exact,
        references: ContextReferences::Declarations(vec!["urn:declaration".to_owned()]),
    };

    let denial = decide_context(&ContextTable::default(), Some(&requested), &[PPT]).unwrap_err();
    assert_eq!((denial.code, denial.second), (status::RESPONDER, Some(status::NO_AUTHN_CONTEXT)));
}

#[test]
fn without_a_request_the_strongest_honest_class_is_stated() {
    let (need, _) = decide_context(&ContextTable::default(), None, &[]).unwrap();

    assert_eq!(event(true).class_for(need.acceptable()), Some(PPT));
    assert_eq!(event(false).class_for(need.acceptable()), Some(PASSWORD));
}

#[test]
fn a_session_may_fall_short_of_what_could_be_reached() {
    let (need, _) = decide_context(&ContextTable::default(), Some(&asks(Comparison::Minimum, &[PPT])), &[PPT]).unwrap();

    assert_eq!(event(false).class_for(need.acceptable()), None);
}

#[test]
fn the_table_is_configurable_and_keeps_its_order() {
    let table = ContextTable::new([PASSWORD, REFEDS_MFA, PASSWORD].map(ToOwned::to_owned));

    let (need, _) = decide_context(&table, Some(&asks(Comparison::Better, &[PASSWORD])), &[REFEDS_MFA]).unwrap();
    assert_eq!(need.acceptable(), Some([REFEDS_MFA.to_owned()].as_slice()));
    assert!(decide_context(&table, Some(&asks(Comparison::Minimum, &[PPT])), &[REFEDS_MFA]).is_err());
}
