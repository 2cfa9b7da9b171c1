use std::collections::BTreeMap;

use super::*;
use crate::model::app::{App, AppSource, Release, ReleaseRow, SamlSettings};
use crate::model::check::Outcome;
use crate::model::id::{AppId, EntityId, UserId};
use crate::model::secret::Secret;
use crate::model::sp::{SpMetadata, UiInfo};
use crate::model::time::Timestamp;
use crate::model::user::User;
use crate::registry::release::plan::ReleaseError;
use crate::registry::release::vocabulary::{PAIRWISE_ID, SUBJECT_ID};
use crate::registry::subject_ids::SubjectIds;

const MAIL: &str = "urn:oid:0.9.2342.19200300.100.1.3";

pub(in crate::registry) fn ids() -> SubjectIds {
    SubjectIds::new(Secret::new([7; 32]))
}

pub(in crate::registry) fn ada() -> User {
    let attributes = [
        ("givenName", vec!["Ada"]),
        ("last_name", vec!["Lovelace"]),
        ("eduPersonAffiliation", vec!["member", "staff"]),
        ("quota", vec!["5"]),
        ("awsRole", vec!["arn:1,arn:p", "arn:2,arn:p"]),
    ];
    User {
        id: UserId::parse("u_ada").unwrap(),
        name: "ada".to_owned(),
        email: Some("ada@example.com".to_owned()),
        display_name: None,
        attributes: attributes
            .into_iter()
            .map(|(name, values)| (name.to_owned(), values.into_iter().map(str::to_owned).collect()))
            .collect::<BTreeMap<String, Vec<String>>>(),
        groups: ["saas-admins", "saas-editors", "staff"].map(str::to_owned).to_vec(),
        admin: false,
        enabled: true,
        password_hash: Some("$argon2id$secret".to_owned()),
        created: Timestamp::from_seconds(0),
        updated: Timestamp::from_seconds(0),
        revision: 1,
    }
}

pub(in crate::registry) fn metadata() -> SpMetadata {
    SpMetadata {
        entity_id: EntityId::parse("https://sp.example.com").unwrap(),
        acs: Vec::new(),
        slo: Vec::new(),
        keys: Vec::new(),
        name_id_formats: Vec::new(),
        authn_requests_signed: false,
        want_assertions_signed: false,
        attribute_services: Vec::new(),
        ui: UiInfo::default(),
        entity_attributes: Vec::new(),
        digest_methods: Vec::new(),
        signing_methods: Vec::new(),
        error_url: None,
        valid_until: None,
        cache_duration: None,
        organization: None,
        contacts: Vec::new(),
        registration_authority: None,
    }
}

pub(in crate::registry) fn app(presets: &[&str], rows: &[(&str, &str)]) -> App {
    let row = |(name, value): &(&str, &str)| ReleaseRow {
        name: (*name).to_owned(),
        value: (*value).to_owned(),
        format: None,
        friendly_name: None,
    };
    App {
        id: AppId::parse("grafana").unwrap(),
        name: "Grafana".to_owned(),
        enabled: true,
        entity_id: EntityId::parse("https://sp.example.com").unwrap(),
        source: AppSource::Upload { signer: None },
        metadata: String::new(),
        saml: SamlSettings::default(),
        release: Release { presets: presets.iter().map(|name| (*name).to_owned()).collect(), rows: rows.iter().map(row).collect() },
        created: Timestamp::from_seconds(0),
        updated: Timestamp::from_seconds(0),
        revision: 1,
    }
}

fn plan(presets: &[&str], rows: &[(&str, &str)]) -> ReleasePlan {
    ReleasePlan::compile(&app(presets, rows), &metadata(), "id.example.com").unwrap()
}

fn wish(name: &str) -> RequestedAttribute {
    RequestedAttribute { name: name.to_owned(), name_format: None, friendly_name: None, is_required: false, values: Vec::new() }
}

fn service(requested: Vec<RequestedAttribute>) -> AttributeConsumingService {
    AttributeConsumingService { index: Some(0), is_default: None, names: Vec::new(), requested }
}

fn release(plan: &ReleasePlan, requested: Vec<RequestedAttribute>) -> Released {
    plan.evaluate(Person { user: &ada(), ids: &ids() }, Some(&service(requested))).unwrap()
}

/// `name|format|friendly=a,b` of each attribute; formats by their last word.
fn shown(released: &Released) -> Vec<String> {
    let show = |attribute: &ReleasedAttribute| {
        let format = attribute.name_format.as_deref().and_then(|format| format.rsplit(':').next()).unwrap_or("-");
        let friendly = attribute.friendly_name.as_deref().unwrap_or("-");
        format!("{}|{format}|{friendly}={}", attribute.name, attribute.values.join(";"))
    };
    released.attributes.iter().map(show).collect()
}

#[test]
fn the_basic_preset_tells_names_and_address_in_the_form_of_directories() {
    let released = release(&plan(&["basic"], &[]), Vec::new());

    let expected = [
        "urn:oid:0.9.2342.19200300.100.1.1|uri|uid=ada",
        "urn:oid:0.9.2342.19200300.100.1.3|uri|mail=ada@example.com",
        "urn:oid:2.16.840.1.113730.3.1.241|uri|displayName=Ada Lovelace",
        "urn:oid:2.5.4.42|uri|givenName=Ada",
        "urn:oid:2.5.4.4|uri|sn=Lovelace",
    ];
    assert_eq!(shown(&released), expected);
    assert!(released.checks.is_empty());
}

#[test]
fn presets_add_up_and_nothing_stands_twice() {
    let released = release(&plan(&["basic", "eduperson", "groups"], &[]), Vec::new());

    let names: Vec<&str> = released.attributes.iter().map(|attribute| attribute.name.as_ref()).collect();
    assert_eq!(names.iter().filter(|name| **name == MAIL).count(), 1);
    assert_eq!(names.len(), 5 + 4 + 1);
    let text = shown(&released).join("\n");
    assert!(text.contains("eduPersonPrincipalName=ada@id.example.com"), "{text}");
    assert!(text.contains("eduPersonScopedAffiliation=member@id.example.com;staff@id.example.com"), "{text}");
    assert!(text.contains("groups|basic|-=saas-admins;saas-editors;staff"), "{text}");
}

#[test]
fn claims_and_aws_roles_have_the_names_that_these_products_read() {
    let released = release(&plan(&["microsoft", "aws"], &[]), Vec::new());

    let text = shown(&released).join("\n");
    assert!(text.contains("http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress|-|-=ada@example.com"), "{text}");
    assert!(text.contains("https://aws.amazon.com/SAML/Attributes/Role|uri|-=arn:1,arn:p;arn:2,arn:p"), "{text}");
    assert!(text.contains("https://aws.amazon.com/SAML/Attributes/RoleSessionName|uri|-=ada@example.com"), "{text}");
    assert_eq!(
        released.absent.iter().map(AsRef::as_ref).collect::<Vec<&str>>(),
        ["https://aws.amazon.com/SAML/Attributes/SessionDuration"]
    );
}

#[test]
fn a_row_of_the_apps_own_replaces_what_a_preset_says_of_that_name() {
    let released = release(&plan(&["groups"], &[("groups", "user.groups | prefix_filter('saas-')"), ("fixed", "'x'")]), Vec::new());

    assert_eq!(shown(&released), ["groups|-|-=saas-admins;saas-editors", "fixed|-|-=x"]);
}

#[test]
fn nothing_is_sent_that_nobody_released() {
    assert!(release(&plan(&[], &[]), Vec::new()).attributes.is_empty());
}

#[test]
fn pairwise_id_and_subject_id_are_scoped_and_opaque() {
    let released = release(&plan(&["eduperson"], &[]), Vec::new());

    let value = |name: &str| released.attributes.iter().find(|attribute| *attribute.name == *name).unwrap().values[0].clone();
    let (pairwise, subject) = (value(PAIRWISE_ID), value(SUBJECT_ID));
    assert_ne!(pairwise, subject);
    for id in [pairwise, subject] {
        let (unique, scope) = id.split_once('@').unwrap();
        assert_eq!(scope, "id.example.com");
        assert!((1..=127).contains(&unique.len()) && unique.bytes().all(|b| b.is_ascii_alphanumeric()), "{unique}");
        assert!(!unique.contains("ada"));
    }
}

#[test]
fn an_sp_that_says_which_subject_identifier_it_needs_gets_that_one_alone() {
    for (need, sent) in [("subject-id", vec![SUBJECT_ID]), ("pairwise-id", vec![PAIRWISE_ID]), ("any", vec![PAIRWISE_ID]), ("none", vec![])]
    {
        let mut metadata = metadata();
        metadata.entity_attributes = vec![("urn:oasis:names:tc:SAML:profiles:subject-id:req".to_owned(), vec![need.to_owned()])];
        let plan = ReleasePlan::compile(&app(&["eduperson"], &[]), &metadata, "id.example.com").unwrap();

        let released = release(&plan, Vec::new());

        let ids: Vec<&str> =
            released.attributes.iter().map(|a| a.name.as_ref()).filter(|name| [PAIRWISE_ID, SUBJECT_ID].contains(name)).collect();
        assert_eq!(ids, sent, "{need}");
        let basic = ReleasePlan::compile(&app(&["basic"], &[]), &metadata, "id.example.com").unwrap();
        assert_eq!(release(&basic, Vec::new()).checks.len(), usize::from(need != "none"), "{need}: a need that is not met is named");
    }
}

#[test]
fn without_a_domain_scoped_values_are_absent() {
    let plan = ReleasePlan::compile(&app(&["eduperson"], &[]), &metadata(), "[::1]").unwrap();

    let released = release(&plan, Vec::new());

    assert!(released.attributes.iter().all(|attribute| attribute.values.iter().all(|value| !value.contains("::1"))));
    assert_eq!(released.absent.len(), 4);
}

#[test]
fn requested_attributes_are_sent_under_the_very_name_that_was_asked_for() {
    let mut email = wish("email");
    email.name_format = Some("urn:oasis:names:tc:SAML:2.0:attrname-format:basic".to_owned());
    email.friendly_name = Some("E-Mail".to_owned());
    let unspecified = RequestedAttribute { name_format: Some(attrname::UNSPECIFIED.to_owned()), ..wish("urn:oid:2.5.4.42") };

    let released = release(&plan(&[], &[]), vec![email, unspecified, wish("quota"), wish("memberOf"), wish("shoeSize")]);

    let expected =
        ["email|basic|E-Mail=ada@example.com", "urn:oid:2.5.4.42|-|-=Ada", "quota|-|-=5", "memberOf|-|-=saas-admins;saas-editors;staff"];
    assert_eq!(shown(&released), expected);
    assert!(released.checks.is_empty(), "an optional attribute may be missing");
}

#[test]
fn a_name_is_sent_once_in_the_format_that_was_asked_for() {
    let basic = RequestedAttribute { name_format: Some(attrname::BASIC.to_owned()), ..wish(MAIL) };

    let adapted = release(&plan(&["basic"], &[]), vec![basic.clone(), wish(MAIL)]);
    let indifferent = release(&plan(&["basic"], &[]), vec![wish(MAIL)]);
    let own = release(&plan(&[], &[(MAIL, "'fixed'")]), vec![basic]);

    let mail = |released: &Released| -> Vec<String> { shown(released).into_iter().filter(|line| line.starts_with(MAIL)).collect() };
    assert_eq!(mail(&adapted), [format!("{MAIL}|basic|mail=ada@example.com")]);
    assert_eq!(mail(&indifferent), [format!("{MAIL}|uri|mail=ada@example.com")]);
    assert_eq!(mail(&own), [format!("{MAIL}|-|-=fixed")]);
}

#[test]
fn of_requested_values_only_those_are_told() {
    let some = RequestedAttribute { values: vec!["staff".to_owned(), "student".to_owned()], ..wish("eduPersonAffiliation") };
    let none = RequestedAttribute { values: vec!["admins".to_owned()], is_required: true, ..wish("groups") };

    let released = release(&plan(&["groups"], &[]), vec![some, none]);

    assert_eq!(shown(&released), ["eduPersonAffiliation|-|-=staff"]);
    assert_eq!(released.checks.len(), 1);
}

#[test]
fn a_required_attribute_without_a_value_is_named() {
    let required = |name: &str| RequestedAttribute { is_required: true, ..wish(name) };

    let missing = release(&plan(&[], &[]), vec![required("urn:oid:2.16.840.1.113730.3.1.3"), required("mail")]);
    let complete = release(&plan(&[], &[]), vec![required("mail"), required("uid")]);

    let check = missing.checks.first().unwrap();
    assert_eq!((check.id.as_ref(), check.outcome), ("release.required_present", Outcome::Warned));
    assert_eq!(check.detail, "The app marks employeeNumber as required, and ada has no value for it.");
    assert_eq!(check.remedy.as_deref(), Some("linkspan user set ada attr.employeeNumber=…, or a row of release with this name."));
    assert_eq!(complete.checks.iter().map(|check| check.outcome).collect::<Vec<_>>(), [Outcome::Passed]);
}

#[test]
fn a_broken_row_is_named_and_the_others_are_sent() {
    let released =
        release(&plan(&[], &[("a", "'x'"), ("b", "user.name + 1"), ("c", "user.staff_id or fail('no staff number')")]), Vec::new());

    assert_eq!(shown(&released), ["a|-|-=x"]);
    let [broken, demanded] = released.checks.as_slice() else { panic!("{:?}", released.checks) };
    assert_eq!((broken.id.as_ref(), broken.outcome), ("release.value_type", Outcome::Warned));
    assert!(broken.detail.starts_with("The row 2 (b) has no value: line 1, column 1"), "{}", broken.detail);
    assert_eq!((demanded.outcome, demanded.detail.as_ref()), (Outcome::Failed, "The row 3 (c) refuses ada: no staff number"));
}

#[test]
fn a_value_that_xml_cannot_carry_is_left_out() {
    let mut user = ada();
    user.attributes.insert("bell".to_owned(), vec!["ding\u{7}".to_owned(), "dong".to_owned()]);

    let released = plan(&[], &[("bell", "user.bell")]).evaluate(Person { user: &user, ids: &ids() }, None).unwrap();

    assert_eq!(shown(&released), ["bell|-|-=dong"]);
    assert_eq!(released.checks.len(), 1);
}

#[test]
fn mistakes_in_rows_are_found_when_the_app_is_set() {
    let compile = |app: &App| ReleasePlan::compile(app, &metadata(), "id.example.com").map(|_| ()).unwrap_err();

    let expression = compile(&app(&[], &[("a", "'x'"), ("b", "user.name | lowr")]));
    assert!(matches!(&expression, ReleaseError::Expression { row: 2, line: 1, column: 13, .. }), "{expression:?}");
    assert!(matches!(compile(&app(&["grafana"], &[])), ReleaseError::UnknownPreset { .. }));
    assert!(matches!(compile(&app(&[], &[("a", "'x'"), ("a", "'y'")])), ReleaseError::Row { row: 2, .. }));
    assert!(matches!(compile(&app(&[], &[(" ", "'x'")])), ReleaseError::Row { row: 1, .. }));
    let mut scope = app(&[], &[]);
    scope.saml.scope = Some("not a domain".to_owned());
    assert!(matches!(compile(&scope), ReleaseError::Scope(_)));
    let mut format = app(&[], &[("a", "'x'")]);
    format.release.rows[0].format = Some("url".to_owned());
    assert!(matches!(compile(&format), ReleaseError::Row { row: 1, .. }));
    let mut value = app(&[], &[]);
    value.saml.nameid.value = Some("user.".to_owned());
    assert!(matches!(compile(&value), ReleaseError::NameIdValue { .. }));
}
