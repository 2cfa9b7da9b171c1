//! The checks of a request, one function each; `accept` gives them their order.

use crate::model::check::{Check, RefusalClass, Trace};
use crate::model::sp::AttributeConsumingService;
use crate::model::time::{Span, Timestamp};
use crate::saml::messages::authn_request::AuthnRequest;
use crate::saml::messages::shown;
use crate::saml::names::status;
use crate::saml::profiles::denial::Denial;
use crate::saml::profiles::destination::{self, AcsUrl, Chosen, Wish};
use crate::saml::profiles::nearest::nearest;
use crate::saml::profiles::service_provider::SpView;
use crate::saml::profiles::web_sso::{Endpoint, SKEW};
use crate::saml::spec;

/// What the checks found, so far.
pub struct Findings {
    pub trace: Trace,
    /// Nobody may be answered.
    pub page: Option<RefusalClass>,
    /// The first thing that the SP is to be told.
    pub denial: Option<Denial>,
}

impl Findings {
    pub fn pass(&mut self, check: Check) {
        self.trace.push(check);
    }

    pub fn stop(&mut self, class: RefusalClass, check: Check) {
        self.trace.push(check);
        self.page.get_or_insert(class);
    }

    pub fn deny(&mut self, denial: Denial) {
        self.trace.push(denial.check.clone());
        self.denial.get_or_insert(denial);
    }
}

/// Core 3.2.1, 4.1.2.
pub fn check_version(request: &AuthnRequest, findings: &mut Findings) {
    if request.version == "2.0" {
        findings.pass(Check::passed(&spec::MESSAGE_VERSION, "2.0"));
        return;
    }
    let check = Check::failed(
        &spec::MESSAGE_VERSION,
        "The request is not of SAML version 2.0.",
        "Set the app to SAML 2.0; other versions are not spoken here.",
    );
    findings.deny(Denial::version_mismatch(check.seen(shown(&request.version)).allowed(["2.0".to_owned()])));
}

pub fn check_issue_instant(request: &AuthnRequest, arrived: Timestamp, findings: &mut Findings) {
    let age = arrived.since(request.issue_instant);
    let seconds = age.as_millis() / 1_000;
    let seen = request.issue_instant.to_rfc3339();
    if age > SKEW || age < Span::millis(-SKEW.as_millis()) {
        let (detail, remedy) = if seconds > 0 {
            (
                format!("The request is {} old; {SKEW} are allowed.", in_words(seconds)),
                "Start again from the app: a bookmarked or reloaded address looks like this. If it happens always, the app's clock is behind.",
            )
        } else {
            (
                format!("The request is dated {} in the future; {SKEW} are allowed.", in_words(-seconds)),
                "The app's clock is ahead of ours: synchronise it (NTP).",
            )
        };
        let denial = Denial::requester(Some(status::REQUEST_DENIED), Check::failed(&spec::ISSUE_INSTANT, detail, remedy).seen(seen));
        findings.deny(Denial { class: RefusalClass::Expired, ..denial });
    } else if request.issue_instant_is_utc {
        findings.pass(Check::passed(&spec::ISSUE_INSTANT, format!("{seconds} s old")).seen(seen));
    } else {
        let check = Check::warned(
            &spec::ISSUE_INSTANT,
            format!("{seconds} s old, but not written in UTC."),
            "Core 1.3.3 demands UTC, with \"Z\" at the end; a zone is converted, none is taken for UTC.",
        );
        findings.pass(check.seen(seen));
    }
}

fn in_words(seconds: i64) -> String {
    match seconds {
        ..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}

/// Core 3.2.1: a message for somebody else is discarded. Bindings 3.4.5.2, 3.5.5.2: signed through a browser it must have one.
pub fn check_destination(request: &AuthnRequest, is_signed: bool, endpoint: &Endpoint, findings: &mut Findings) {
    const REMEDY: &str = "Set the app's \"IdP single sign-on URL\" to our address. If a proxy in front of us shows another address, \
                          set public_url to it.";
    match request.destination.as_deref() {
        // What is no absolute address names no place, whatever we are called.
        Some(destination) if endpoint.urls.iter().any(|url| url == destination) && destination.contains("://") => {
            findings.pass(Check::passed(&spec::DESTINATION, "ours").seen(destination));
        }
        Some(destination) => {
            let (allowed, difference) = nearest(destination, endpoint.urls.iter().map(String::as_str));
            let check = Check::failed(&spec::DESTINATION, "The request was made for another address than ours.", REMEDY);
            findings.stop(RefusalClass::AppSetup, check.seen(destination).allowed(allowed).difference(difference));
        }
        None if is_signed => {
            let check = Check::failed(&spec::DESTINATION, "The request is signed but has no Destination.", REMEDY);
            findings.stop(RefusalClass::AppSetup, check.allowed(endpoint.urls.clone()));
        }
        None => findings.pass(Check::passed(&spec::DESTINATION, "none; the request is not signed, so it need not have one")),
    }
}

pub fn check_key(sp: &SpView, key: usize, now: Timestamp, findings: &mut Findings) {
    match sp.key_expires(key) {
        Some(end) if end < now => findings.pass(
            Check::warned(
                &spec::KEY_EXPIRED,
                "The certificate of the app's signing key has run out; the key still counts.",
                "Ask the app's people for metadata with a new certificate before others refuse it.",
            )
            .seen(end.to_rfc3339()),
        ),
        _ => {}
    }
}

pub fn check_acs(request: &AuthnRequest, sp: &SpView, findings: &mut Findings) -> Option<AcsUrl> {
    match destination::choose(&sp.metadata, &sp.settings, &Wish::of(request)) {
        Chosen::Here(acs, check) => {
            findings.pass(check);
            Some(acs)
        }
        Chosen::Instead(acs, denial) => {
            findings.deny(*denial);
            Some(acs)
        }
        Chosen::Nowhere(check) => {
            findings.stop(RefusalClass::AppSetup, *check);
            None
        }
    }
}

pub fn default_attribute_service(sp: &SpView) -> Option<&AttributeConsumingService> {
    let services = &sp.metadata.attribute_services;
    let marked = services.iter().find(|service| service.is_default == Some(true));
    marked.or_else(|| services.iter().find(|service| service.is_default.is_none())).or(services.first())
}

/// Metadata 2.4.4.1. An index that is not there is no reason to refuse: the app gets what it gets by default.
pub fn choose_attribute_service(request: &AuthnRequest, sp: &SpView, findings: &mut Findings) -> Option<AttributeConsumingService> {
    let Some(index) = request.attribute_consuming_service_index else { return default_attribute_service(sp).cloned() };
    match sp.metadata.attribute_services.iter().find(|service| service.index == Some(index)) {
        Some(service) => {
            findings.pass(Check::passed(&spec::ACS_ATTRIBUTE_INDEX, "on file").seen(index.to_string()));
            Some(service.clone())
        }
        None => {
            let allowed = sp.metadata.attribute_services.iter().filter_map(|service| service.index).map(|index| index.to_string());
            let check = Check::warned(
                &spec::ACS_ATTRIBUTE_INDEX,
                format!("AttributeConsumingServiceIndex {index} is not on file; the default release is used."),
                "Import the app's metadata again, or correct the index in the app.",
            );
            findings.pass(check.seen(index.to_string()).allowed(allowed));
            default_attribute_service(sp).cloned()
        }
    }
}

/// Core 3.4.1.2, 3.4.1.5: we pass no request on, so a list of providers must name us. ProxyCount and RequesterID bind proxies.
pub fn check_scoping(request: &AuthnRequest, endpoint: &Endpoint, findings: &mut Findings) {
    let Some(scoping) = &request.scoping else { return };
    match &scoping.idp_list {
        Some(list) if !list.contains(&endpoint.entity_id) => {
            let (_, difference) = list.first().map_or((Vec::new(), None), |first| nearest(first, [endpoint.entity_id.as_str()]));
            let check = Check::failed(
                &spec::SCOPING,
                "The request allows only other identity providers to answer.",
                "Add our entity ID to the IDPList in the app, or leave Scoping out.",
            );
            let check = check.seen(shown(&list.join(" "))).allowed([endpoint.entity_id.clone()]).difference(difference);
            findings.deny(Denial::responder(Some(status::NO_SUPPORTED_IDP), check));
        }
        Some(_) => findings.pass(Check::passed(&spec::SCOPING, "the list of identity providers names us")),
        None => findings.pass(Check::passed(&spec::SCOPING, "binds proxies only, and we are none")),
    }
}
