//! What an entity says about itself for people and for other federations: names, logos, contacts, categories, algorithms.

use crate::model::sp::{AttributeConsumingService, Contact, Finding, Logo, Organization, RequestedAttribute, UiInfo};
use crate::saml::metadata::endpoints::index;
use crate::saml::metadata::rules;
use crate::saml::metadata::text::{boolean, display, localized, localized_urls, token, token_attribute, web_address};
use crate::saml::names::ns;
use crate::saml::xml::tree::Element;

/// Characters of a name for people, and of a description.
const NAME: usize = 256;
const DESCRIPTION: usize = 2_000;
/// Bytes of a `data:` logo.
const DATA_LOGO: usize = 64 << 10;
/// Values and names in one list that are compared with one another; real metadata has up to a hundred.
const MOST: usize = 500;

/// `mdui:UIInfo` of a role (Login and Discovery UI 2.1).
pub(super) fn read_ui(role: &Element, findings: &mut Vec<Finding>) -> UiInfo {
    let Some(info) = role.child(ns::MD, "Extensions").and_then(|extensions| extensions.child(ns::MDUI, "UIInfo")) else {
        return UiInfo::default();
    };
    let ui = UiInfo {
        display_names: localized(info, ns::MDUI, "DisplayName", NAME),
        descriptions: localized(info, ns::MDUI, "Description", DESCRIPTION),
        information_urls: localized_urls(info, ns::MDUI, "InformationURL"),
        privacy_urls: localized_urls(info, ns::MDUI, "PrivacyStatementURL"),
        logos: info.children_named(ns::MDUI, "Logo").filter_map(logo).collect(),
    };
    for name in ["InformationURL", "PrivacyStatementURL", "Logo"] {
        for element in info.children_named(ns::MDUI, name) {
            let text = element.text();
            if !text.starts_with("https://") && !text.starts_with("data:image/") {
                findings.push(rules::INFO_URL.about(&format!("mdui:{name} {text}"), "Give it on https; other kinds are not shown."));
            }
        }
    }
    ui
}

fn logo(element: &Element) -> Option<Logo> {
    let text = element.text();
    let url = if text.starts_with("data:image/") && text.len() <= DATA_LOGO && !text.chars().any(char::is_control) {
        text
    } else {
        web_address(&text)?
    };
    let number = |name| element.attribute(name).and_then(|value| value.trim().parse().ok()).unwrap_or(0);
    Some(Logo { url, width: number("width"), height: number("height") })
}

/// `mdattr:EntityAttributes` of the entity and of its role; the same name in several places is one attribute.
pub(super) fn read_entity_attributes(entity: &Element, role: &Element) -> Vec<(String, Vec<String>)> {
    let mut out: Vec<(String, Vec<String>)> = Vec::new();
    for extensions in [entity, role].into_iter().filter_map(|element| element.child(ns::MD, "Extensions")) {
        for attribute in extensions
            .children_named(ns::MDATTR, "EntityAttributes")
            .flat_map(|group| group.children_named(ns::SAML, "Attribute"))
            .take(MOST)
        {
            let Some(name) = token_attribute(attribute, "Name") else { continue };
            let values = values(attribute);
            match out.iter_mut().find(|(known, _)| *known == name) {
                Some((_, all)) => {
                    for value in values {
                        if !all.contains(&value) {
                            all.push(value);
                        }
                    }
                }
                None => out.push((name, values)),
            }
        }
    }
    out
}

fn values(attribute: &Element) -> Vec<String> {
    let mut out = Vec::new();
    for value in attribute.children_named(ns::SAML, "AttributeValue").take(MOST).filter_map(|value| token(&value.text())) {
        if !out.contains(&value) {
            out.push(value);
        }
    }
    out
}

/// AttributeConsumingServices of a role.
pub(super) fn read_attribute_services(role: &Element) -> Vec<AttributeConsumingService> {
    role.children_named(ns::MD, "AttributeConsumingService")
        .map(|service| AttributeConsumingService {
            index: index(service),
            is_default: boolean(service, "isDefault"),
            names: localized(service, ns::MD, "ServiceName", NAME),
            requested: service.children_named(ns::MD, "RequestedAttribute").filter_map(requested).collect(),
        })
        .collect()
}

fn requested(element: &Element) -> Option<RequestedAttribute> {
    Some(RequestedAttribute {
        name: token_attribute(element, "Name")?,
        name_format: token_attribute(element, "NameFormat"),
        friendly_name: element.attribute("FriendlyName").map(|name| display(name, NAME)).filter(|name| !name.is_empty()),
        is_required: boolean(element, "isRequired").unwrap_or(false),
        values: values(element),
    })
}

/// `alg:DigestMethod` or `alg:SigningMethod` algorithms: of the role if it has any, else of the entity (Algorithm Support 2.3).
pub(super) fn read_algorithms(entity: &Element, role: &Element, name: &str) -> Vec<String> {
    let of = |element: &Element| -> Vec<String> {
        let extensions = element.children_named(ns::MD, "Extensions");
        extensions.flat_map(|all| all.children_named(ns::ALG, name)).filter_map(|method| token_attribute(method, "Algorithm")).collect()
    };
    let own = of(role);
    if own.is_empty() { of(entity) } else { own }
}

/// `mdrpi:RegistrationInfo/@registrationAuthority`.
pub(super) fn read_registration_authority(entity: &Element, role: &Element) -> Option<String> {
    [entity, role]
        .into_iter()
        .filter_map(|element| element.child(ns::MD, "Extensions")?.child(ns::MDRPI, "RegistrationInfo"))
        .find_map(|info| token_attribute(info, "registrationAuthority"))
}

/// The role's Organization, else the entity's.
pub(super) fn read_organization(entity: &Element, role: &Element) -> Option<Organization> {
    let element = role.child(ns::MD, "Organization").or_else(|| entity.child(ns::MD, "Organization"))?;
    Some(Organization {
        names: localized(element, ns::MD, "OrganizationName", NAME),
        display_names: localized(element, ns::MD, "OrganizationDisplayName", NAME),
        urls: localized_urls(element, ns::MD, "OrganizationURL"),
    })
}

/// ContactPersons of the entity and its role; empty ones (AD FS writes them) are left out.
pub(super) fn read_contacts(entity: &Element, role: &Element) -> Vec<Contact> {
    let all = |element: &Element, name: &str| -> Vec<String> {
        element.children_named(ns::MD, name).map(|value| display(&value.text(), NAME)).filter(|value| !value.is_empty()).collect()
    };
    [entity, role]
        .into_iter()
        .flat_map(|element| element.children_named(ns::MD, "ContactPerson"))
        .filter_map(|person| {
            let names = [all(person, "GivenName"), all(person, "SurName")].concat();
            let names = if names.is_empty() { all(person, "Company") } else { names };
            let emails =
                all(person, "EmailAddress").iter().map(|email| email.strip_prefix("mailto:").unwrap_or(email).to_owned()).collect();
            let contact = Contact {
                kind: display(person.attribute("contactType").unwrap_or_default(), 40),
                name: (!names.is_empty()).then(|| names.join(" ")),
                emails,
                phones: all(person, "TelephoneNumber"),
            };
            let empty = contact.name.is_none() && contact.emails.is_empty() && contact.phones.is_empty();
            (!empty).then_some(contact)
        })
        .collect()
}
