//! Reads the SAML 2.0 SP role of one entity (Metadata 2.4.4) and says what is odd about it.

use crate::model::id::EntityId;
use crate::model::sp::{Finding, SpMetadata};
use crate::model::time::Timestamp;
use crate::saml::metadata::refusal::{MetadataRefusal, day_in_words};
use crate::saml::metadata::text::{boolean, display, token, token_attribute, web_address};
use crate::saml::metadata::validity::Validity;
use crate::saml::metadata::{about, endpoints, keys, lint, rules, shape};
use crate::saml::names::ns;
use crate::saml::spec;
use crate::saml::xml::tree::Element;

/// NameIDFormats that are looked at; real metadata has up to eight.
const MOST_FORMATS: usize = 200;

/// What an administrator allowed, and the time.
#[derive(Debug, Clone, Copy)]
pub struct ReadOptions {
    pub now: Timestamp,
    /// Takes metadata whose validUntil has passed; that becomes a finding.
    pub accept_expired: bool,
    /// Plain-http endpoints count (`saml.allow_http`).
    pub allow_http: bool,
}

/// Reads one entity.
///
/// Errors: `not-metadata` (no entityID), `no-sp-role`, `no-saml2-sp`, `valid-until-expired`, `no-usable-acs`.
pub fn read_sp(entity: &Element, inherited: &Validity, options: &ReadOptions) -> Result<(SpMetadata, Vec<Finding>), MetadataRefusal> {
    let entity_id = entity_id(entity)?;
    let mut findings = Vec::new();
    let role = choose_role(entity, &entity_id, &mut findings)?;

    let mut validity = inherited.clone();
    validity.narrow(entity);
    validity.narrow(role);
    check_validity(&validity, options, &mut findings)?;

    shape::judge(entity, role, &mut findings);
    let sp = SpMetadata {
        acs: endpoints::read_acs(role),
        slo: endpoints::read_slo(role),
        keys: keys::read_keys(role, &mut findings),
        name_id_formats: unique(role.children_named(ns::MD, "NameIDFormat").take(MOST_FORMATS).filter_map(|format| token(&format.text()))),
        authn_requests_signed: boolean(role, "AuthnRequestsSigned").unwrap_or(false),
        want_assertions_signed: boolean(role, "WantAssertionsSigned").unwrap_or(false),
        attribute_services: about::read_attribute_services(role),
        ui: about::read_ui(role, &mut findings),
        entity_attributes: about::read_entity_attributes(entity, role),
        digest_methods: about::read_algorithms(entity, role, "DigestMethod"),
        signing_methods: about::read_algorithms(entity, role, "SigningMethod"),
        error_url: token_attribute(role, "errorURL").and_then(|url| web_address(&url)),
        valid_until: validity.valid_until,
        cache_duration: validity.cache_duration,
        organization: about::read_organization(entity, role),
        contacts: about::read_contacts(entity, role),
        registration_authority: about::read_registration_authority(entity, role),
        entity_id,
    };
    if endpoints::usable_acs(&sp, options.allow_http).next().is_none() {
        return Err(no_usable_acs(&sp));
    }
    findings.extend(lint::judge(&sp, options.now, options.allow_http));
    // What weighs most comes first.
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    Ok((sp, findings))
}

/// The entity ID, which every entity has (Metadata 2.3.2).
pub(super) fn entity_id(entity: &Element) -> Result<EntityId, MetadataRefusal> {
    let value = entity.attribute("entityID").unwrap_or_default().trim();
    EntityId::parse(value).map_err(|error| {
        let detail = if value.is_empty() {
            format!("The EntityDescriptor on line {} has no entityID.", entity.line)
        } else {
            format!("The entityID on line {} cannot be used: the {error}.", entity.line)
        };
        let remedy = "Ask the app's owner for metadata with an entityID; it is the name by which the app asks for sign-ins.";
        MetadataRefusal::new("not-metadata", &spec::METADATA_ENTITY_ID, detail, remedy).seen(value)
    })
}

/// The one role that counts: the first SPSSODescriptor that names SAML 2.0.
fn choose_role<'a>(entity: &'a Element, entity_id: &EntityId, findings: &mut Vec<Finding>) -> Result<&'a Element, MetadataRefusal> {
    let roles: Vec<&Element> = entity.children_named(ns::MD, "SPSSODescriptor").collect();
    let is_idp = entity.child(ns::MD, "IDPSSODescriptor").is_some();
    if roles.is_empty() {
        let (detail, remedy) = if is_idp {
            (
                "This describes an identity provider, not an app.",
                "You may have downloaded our kind of file from another product. Get the service provider (SP) metadata of the app.",
            )
        } else {
            (
                "This describes neither an app nor an identity provider: it has no SPSSODescriptor.",
                "Get the service provider (SP) metadata of the app.",
            )
        };
        return Err(MetadataRefusal::new("no-sp-role", &spec::METADATA_SP_ROLE, detail, remedy).seen(entity_id.as_str()));
    }
    let mut chosen: Option<&Element> = None;
    let mut count = 0;
    let mut first_list = String::new();
    for role in &roles {
        let list = role.attribute("protocolSupportEnumeration").unwrap_or_default();
        let (named, well_written) = names_saml2(list, role);
        if first_list.is_empty() {
            first_list = display(list, 200);
        }
        if !named {
            continue;
        }
        count += 1;
        if chosen.is_none() {
            chosen = Some(role);
            if !well_written {
                let value = if list.is_empty() { "no protocolSupportEnumeration" } else { list };
                let remedy = format!("Write protocolSupportEnumeration=\"{}\".", ns::SAMLP);
                findings.push(rules::PROTOCOL_LIST.about(value, remedy));
            }
        }
    }
    let Some(chosen) = chosen else {
        let detail = "The app's role does not speak SAML 2.0.";
        let remedy = "Get the app's SAML 2.0 metadata; other protocols are configured elsewhere.";
        let refusal = MetadataRefusal::new("no-saml2-sp", &spec::METADATA_SAML2, detail, remedy);
        return Err(refusal.seen(&first_list).allowed(&[ns::SAMLP]));
    };
    if roles.len() > 1 {
        let value = format!("{} SPSSODescriptors, {count} of them for SAML 2.0; the one on line {} counts", roles.len(), chosen.line);
        let mut finding =
            rules::SEVERAL_SP_ROLES.about(&value, "Nothing to do if that is the right one; else import a document without the others.");
        if count == 1 {
            finding.severity = crate::model::sp::Severity::Info;
        }
        findings.push(finding);
    }
    if is_idp {
        findings.push(rules::IDP_ROLE.about(entity_id.as_str(), "Nothing to do: the identity provider role is left aside."));
    }
    Ok(chosen)
}

/// Whether a role speaks SAML 2.0, and whether its list says so as the schema demands.
fn names_saml2(list: &str, role: &Element) -> (bool, bool) {
    if list.split_ascii_whitespace().any(|uri| uri == ns::SAMLP) {
        return (true, true);
    }
    // Hand-written metadata has commas, or leaves the list out although the endpoints are plainly of SAML 2.0.
    let with_commas = list.split([',', ';', ' ', '\t', '\n', '\r']).any(|uri| uri == ns::SAMLP);
    let left_out = list.trim().is_empty() && endpoints::read_acs(role).iter().any(|acs| acs.binding.carries_responses());
    (with_commas || left_out, false)
}

fn check_validity(validity: &Validity, options: &ReadOptions, findings: &mut Vec<Finding>) -> Result<(), MetadataRefusal> {
    for value in &validity.odd {
        findings.push(
            rules::VALID_UNTIL_LEXICAL.about(value, "Ask the app's owner to write it in UTC with a Z at the end, or to leave it out."),
        );
    }
    let Some(until) = validity.valid_until.filter(|until| *until <= options.now) else { return Ok(()) };
    if options.accept_expired {
        let remedy = "Ask the app's owner for a new document, and import it over this one.";
        findings.push(rules::VALID_UNTIL_EXPIRED.about(&until.to_rfc3339(), remedy));
        return Ok(());
    }
    let detail = format!("The document expired on {}.", day_in_words(until));
    let remedy = "Ask the app's owner for a new one, or continue with --accept-expired and refresh later.";
    Err(MetadataRefusal::new("valid-until-expired", &spec::METADATA_VALID_UNTIL, detail, remedy).seen(&until.to_rfc3339()))
}

fn no_usable_acs(sp: &SpMetadata) -> MetadataRefusal {
    use crate::model::sp::Unusable;
    let any = |why| sp.acs.iter().any(|acs| acs.unusable == Some(why));
    let (detail, remedy) = if sp.acs.is_empty() {
        ("The app has no AssertionConsumerService, so there is nowhere to send an answer.", "Ask the app's owner for metadata with one.")
    } else if any(Unusable::PlainHttp) {
        (
            "All of the app's addresses for answers are on plain http, where anyone on the path could read them.",
            "Ask the app's owner for an https address, or take the risk with --allow-http.",
        )
    } else if any(Unusable::Scheme) {
        (
            "None of the app's addresses for answers is an absolute https address.",
            "Ask the app's owner for metadata with an https AssertionConsumerService.",
        )
    } else {
        (
            "None of the app's addresses for answers has a binding that may carry a SAML 2.0 response.",
            "Ask the app's owner for an AssertionConsumerService with the HTTP-POST binding; HTTP-Redirect is forbidden for responses.",
        )
    };
    let seen: Vec<String> = sp.acs.iter().take(3).map(|acs| format!("{} {}", acs.binding.uri(), acs.location)).collect();
    let refusal = MetadataRefusal::new("no-usable-acs", &spec::METADATA_ACS, detail, remedy);
    if seen.is_empty() { refusal } else { refusal.seen(&seen.join(", ")) }
}

fn unique(values: impl Iterator<Item = String>) -> Vec<String> {
    let mut out = Vec::new();
    for value in values {
        if !out.contains(&value) {
            out.push(value);
        }
    }
    out
}
