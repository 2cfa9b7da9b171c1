use super::*;
use crate::model::app::{NameIdSettings, SamlSettings};
use crate::model::sp::SpMetadata;
use crate::saml::fixtures::{SP, encrypting_metadata, metadata, sp, view};

fn asks(format: &str) -> NameIdPolicy {
    NameIdPolicy { format: Some(format.to_owned()), ..NameIdPolicy::default() }
}

fn with_setting(metadata: SpMetadata, format: &str) -> SpView {
    let nameid = NameIdSettings { format: Some(format.to_owned()), value: None };
    view(metadata, SamlSettings { nameid, ..SamlSettings::default() })
}

fn with_formats(formats: &[&str]) -> SpMetadata {
    SpMetadata { name_id_formats: formats.iter().map(|format| (*format).to_owned()).collect(), ..metadata() }
}

fn format(policy: Option<&NameIdPolicy>, sp: &SpView) -> String {
    decide_name_id(policy, None, sp).unwrap().0.format
}

fn refused_by(policy: &NameIdPolicy, sp: &SpView) -> String {
    let denial = decide_name_id(Some(policy), None, sp).unwrap_err();
    assert_eq!((denial.code, denial.second), (status::REQUESTER, Some(status::INVALID_NAME_ID_POLICY)));
    denial.check.id.to_string()
}

// clause: IIP-SSO05, IIP-IDP10
#[test]
fn the_format_of_the_request_comes_first() {
    let sp = with_setting(with_formats(&[name_id::EMAIL]), "emailAddress");

    for wanted in [name_id::PERSISTENT, name_id::TRANSIENT, name_id::EMAIL] {
        assert_eq!(format(Some(&asks(wanted)), &sp), wanted);
    }
}

#[test]
fn without_one_settings_then_metadata_then_persistent() {
    assert_eq!(format(None, &with_setting(with_formats(&[name_id::EMAIL]), "transient")), name_id::TRANSIENT);
    assert_eq!(format(None, &view(with_formats(&["urn:strange", name_id::EMAIL]), SamlSettings::default())), name_id::EMAIL);
    assert_eq!(format(Some(&NameIdPolicy::default()), &sp()), name_id::PERSISTENT);
}

#[test]
fn unspecified_leaves_the_choice_to_settings_and_metadata() {
    let policy = asks(name_id::UNSPECIFIED);

    assert_eq!(format(Some(&policy), &with_setting(metadata(), "emailAddress")), name_id::EMAIL);
    assert_eq!(format(Some(&policy), &view(with_formats(&[name_id::TRANSIENT]), SamlSettings::default())), name_id::TRANSIENT);
    assert_eq!(
        format(Some(&policy), &view(with_formats(&[name_id::TRANSIENT, name_id::UNSPECIFIED]), SamlSettings::default())),
        name_id::UNSPECIFIED
    );
    assert_eq!(format(Some(&policy), &sp()), name_id::UNSPECIFIED);
}

#[test]
fn where_the_policy_leaves_it_open_the_subject_gives_the_format() {
    let format_for = |subject: &str, policy: Option<&NameIdPolicy>, sp: &SpView| {
        let subject = NameId { value: "ada".to_owned(), format: subject.to_owned(), name_qualifier: None, sp_name_qualifier: None };
        decide_name_id(policy, Some(&subject), sp).unwrap().0.format
    };
    let transient = with_setting(metadata(), "transient");

    for open in [None, Some(NameIdPolicy::default()), Some(asks(name_id::UNSPECIFIED))] {
        assert_eq!(format_for(name_id::EMAIL, open.as_ref(), &transient), name_id::EMAIL, "{open:?}");
        assert_eq!(format_for("urn:mine", open.as_ref(), &with_setting(metadata(), "urn:mine")), "urn:mine", "{open:?}");
        // What is unspecified or cannot be given decides nothing.
        for other in [name_id::UNSPECIFIED, name_id::ENTITY, "urn:mine"] {
            assert_eq!(format_for(other, open.as_ref(), &transient), name_id::TRANSIENT, "{other} {open:?}");
        }
    }
    assert_eq!(format_for(name_id::EMAIL, Some(&asks(name_id::PERSISTENT)), &transient), name_id::PERSISTENT);
    assert_eq!(
        format_for(name_id::EMAIL, Some(&asks(name_id::ENCRYPTED)), &view(encrypting_metadata().0, SamlSettings::default())),
        name_id::EMAIL
    );
}

#[test]
fn formats_that_are_not_given_are_refused() {
    for other in [name_id::ENTITY, "urn:oasis:names:tc:SAML:2.0:nameid-format:kerberos", "urn:mine", "persistent"] {
        assert_eq!(refused_by(&asks(other), &sp()), "nameid.policy", "{other}");
    }
    assert_eq!(format(Some(&asks("urn:mine")), &with_setting(metadata(), "urn:mine")), "urn:mine");
    assert_eq!(refused_by(&asks(name_id::ENTITY), &with_setting(metadata(), name_id::ENTITY)), "nameid.policy");
}

#[test]
fn the_encrypted_format_needs_a_key_to_encrypt_for() {
    let policy = asks(name_id::ENCRYPTED);
    assert_eq!(refused_by(&policy, &sp()), "encrypt.possible");

    let (plan, _) = decide_name_id(Some(&policy), None, &view(encrypting_metadata().0, SamlSettings::default())).unwrap();
    assert!(plan.encrypt);
    assert_eq!(plan.format, name_id::PERSISTENT);
}

#[test]
fn a_qualifier_names_the_requester_or_nothing() {
    let mut policy = asks(name_id::EMAIL);
    assert_eq!(decide_name_id(Some(&policy), None, &sp()).unwrap().0.sp_name_qualifier, None);

    policy.sp_name_qualifier = Some(SP.to_owned());
    assert_eq!(decide_name_id(Some(&policy), None, &sp()).unwrap().0.sp_name_qualifier.as_deref(), Some(SP));
    policy.sp_name_qualifier = Some("https://other.example.org".to_owned());
    assert_eq!(refused_by(&policy, &sp()), "nameid.spqualifier");

    assert_eq!(decide_name_id(None, None, &sp()).unwrap().0.sp_name_qualifier.as_deref(), Some(SP));
}

#[test]
fn nothing_new_is_made_for_a_request_that_forbids_it() {
    let create = |policy: Option<NameIdPolicy>| decide_name_id(policy.as_ref(), None, &sp()).unwrap().0.allow_create;

    assert!(create(None));
    assert!(create(Some(NameIdPolicy::default())));
    assert!(create(Some(asks(name_id::PERSISTENT))));
    assert!(create(Some(NameIdPolicy { allow_create: Some(true), ..asks(name_id::PERSISTENT) })));
    assert!(!create(Some(NameIdPolicy { allow_create: Some(false), ..NameIdPolicy::default() })));
}
