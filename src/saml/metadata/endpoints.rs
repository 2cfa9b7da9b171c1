//! Endpoints of the SP role, and which of them may ever be sent anything.
//!
//! Attacks it stops: `javascript:` and `data:` locations, plain http that anyone on the path reads, control characters
//! and blanks that browsers drop so that two readers see different hosts.

use url::{Host, Url};

use crate::model::sp::{AcsEndpoint, Binding, SloEndpoint, SpMetadata, Unusable};
use crate::saml::metadata::text::{boolean, display, token_attribute};
use crate::saml::names::ns;
use crate::saml::xml::tree::Element;

/// Bytes of an address; browsers and servers stop at about as many.
const MOST_LOCATION: usize = 2_048;

/// The endpoints that may be sent a response: the usable ones and, where an administrator allowed it, those on plain http.
pub fn usable_acs(sp: &SpMetadata, allow_http: bool) -> impl Iterator<Item = &AcsEndpoint> {
    sp.acs.iter().filter(move |acs| is_usable(acs.unusable, allow_http))
}

/// Whether an endpoint may be used, given the app's `saml.allow_http`.
pub fn is_usable(unusable: Option<Unusable>, allow_http: bool) -> bool {
    match unusable {
        None => true,
        Some(Unusable::PlainHttp) => allow_http,
        Some(Unusable::Binding | Unusable::Scheme) => false,
    }
}

/// All AssertionConsumerServices of a role.
pub(super) fn read_acs(role: &Element) -> Vec<AcsEndpoint> {
    role.children_named(ns::MD, "AssertionConsumerService")
        .map(|element| {
            let binding = binding(element);
            let (location, unusable) = location(element, "Location");
            let unusable = if binding.carries_responses() { unusable } else { Some(Unusable::Binding) };
            AcsEndpoint { binding, location, index: index(element), is_default: boolean(element, "isDefault"), unusable }
        })
        .collect()
}

/// All SingleLogoutServices of a role.
pub(super) fn read_slo(role: &Element) -> Vec<SloEndpoint> {
    role.children_named(ns::MD, "SingleLogoutService")
        .map(|element| {
            let binding = binding(element);
            let (request_to, request_unusable) = location(element, "Location");
            let response_to = element.attribute("ResponseLocation").map(|_| location(element, "ResponseLocation"));
            let unusable = match binding {
                Binding::HttpPost | Binding::HttpRedirect | Binding::HttpArtifact | Binding::HttpPostSimpleSign | Binding::Soap => {
                    // Both addresses get messages, so the worse one decides.
                    request_unusable.or_else(|| response_to.as_ref().and_then(|(_, unusable)| *unusable))
                }
                Binding::Paos | Binding::Other(_) => Some(Unusable::Binding),
            };
            SloEndpoint { binding, location: request_to, response_location: response_to.map(|(location, _)| location), unusable }
        })
        .collect()
}

/// The index of an indexed endpoint, where it is one.
pub(super) fn index(element: &Element) -> Option<u16> {
    element.attribute("index")?.trim().parse().ok()
}

fn binding(element: &Element) -> Binding {
    Binding::from(token_attribute(element, "Binding").unwrap_or_default())
}

/// The address as written, without blanks around it, and why it is never sent anything. What could never be used anyway
/// is kept in a form fit to be shown.
fn location(element: &Element, attribute: &str) -> (String, Option<Unusable>) {
    let value = element.attribute(attribute).unwrap_or_default().trim();
    let unusable = judge(value);
    let shown = if unusable == Some(Unusable::Scheme) { display(value, MOST_LOCATION) } else { value.to_owned() };
    (shown, unusable)
}

/// Why an address is never sent anything.
fn judge(location: &str) -> Option<Unusable> {
    // Browsers drop or encode these, so that what is registered and what is called would differ.
    if location.len() > MOST_LOCATION
        || location.chars().any(|c| c.is_whitespace() || c.is_control() || matches!(c, '\\' | '<' | '>' | '"'))
    {
        return Some(Unusable::Scheme);
    }
    let Ok(url) = Url::parse(location) else { return Some(Unusable::Scheme) };
    match url.scheme() {
        "https" => None,
        "http" if is_loopback(&url) => None,
        "http" => Some(Unusable::PlainHttp),
        _ => Some(Unusable::Scheme),
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_https_and_loopback_http_are_usable() {
        for (location, want) in [
            ("https://sp.example/acs?a=1&b=2", None),
            ("HTTPS://sp.example/acs", None),
            ("http://localhost:8080/acs", None),
            ("http://127.0.0.1/acs", None),
            ("http://[::1]/acs", None),
            ("http://sp.example/acs", Some(Unusable::PlainHttp)),
            ("http://localhost.example/acs", Some(Unusable::PlainHttp)),
            ("http://128.0.0.1/acs", Some(Unusable::PlainHttp)),
            ("javascript:alert(1)", Some(Unusable::Scheme)),
            ("data:text/html,x", Some(Unusable::Scheme)),
            ("ftp://sp.example/", Some(Unusable::Scheme)),
            ("/acs", Some(Unusable::Scheme)),
            ("", Some(Unusable::Scheme)),
            ("https://", Some(Unusable::Scheme)),
            ("https://sp.example/\nacs", Some(Unusable::Scheme)),
            ("https://sp.example\\@evil.example/", Some(Unusable::Scheme)),
        ] {
            assert_eq!(judge(location), want, "{location}");
        }
    }

    #[test]
    fn plain_http_counts_only_where_it_was_allowed() {
        assert!(!is_usable(Some(Unusable::PlainHttp), false));
        assert!(is_usable(Some(Unusable::PlainHttp), true));
        assert!(!is_usable(Some(Unusable::Scheme), true));
        assert!(!is_usable(Some(Unusable::Binding), true));
    }
}
