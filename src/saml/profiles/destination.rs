//! Where an answer goes (Profiles 4.1.4.1). Guarded.
//!
//! The attack it stops: a request that names an address of the attacker's and so collects somebody's assertion. Whoever
//! holds an `AcsUrl` holds an address that stands in the SP's registered metadata; nothing else makes one, and a request's
//! own words, signed or not, only choose among them.

use crate::model::app::SamlSettings;
use crate::model::check::Check;
use crate::model::sp::{AcsEndpoint, Binding, SpMetadata, Unusable};
use crate::saml::messages::authn_request::AuthnRequest;
use crate::saml::names::status;
use crate::saml::profiles::denial::Denial;
use crate::saml::profiles::nearest::nearest;
use crate::saml::spec;

/// An assertion consumer service that stands in registered metadata and may be sent to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AcsUrl {
    location: String,
}

impl AcsUrl {
    /// The address, exactly as registered.
    pub fn as_str(&self) -> &str {
        &self.location
    }

    /// The only constructor: an endpoint that counts, by a binding that is built.
    fn of(endpoint: &AcsEndpoint, settings: &SamlSettings) -> Option<Self> {
        (counts(endpoint, settings) && endpoint.binding.is_built()).then(|| Self { location: endpoint.location.clone() })
    }
}

/// What a request says about where the answer shall go.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wish<'r> {
    pub url: Option<&'r str>,
    pub index: Option<u16>,
    pub binding: Option<&'r str>,
}

impl<'r> Wish<'r> {
    /// The wish of an AuthnRequest.
    pub fn of(request: &'r AuthnRequest) -> Self {
        Self { url: request.acs_url.as_deref(), index: request.acs_index, binding: request.protocol_binding.as_deref() }
    }
}

/// Where the answer goes, and what it may be.
#[derive(Debug)]
pub enum Chosen {
    /// The address that was asked for, or the default one.
    Here(AcsUrl, Check),
    /// What was asked for cannot be served, and no address was named that is not on file; the default address is told so.
    Instead(AcsUrl, Box<Denial>),
    /// No registered address fits: nobody is answered.
    Nowhere(Box<Check>),
}

/// Chooses among the registered endpoints: by URL, by index, or the default.
pub fn choose(metadata: &SpMetadata, settings: &SamlSettings, wish: &Wish<'_>) -> Chosen {
    let usable: Vec<&AcsEndpoint> = metadata.acs.iter().filter(|endpoint| counts(endpoint, settings)).collect();
    match (wish.url, wish.index) {
        (Some(url), Some(index)) => by_both(&usable, settings, url, index),
        (Some(url), None) => by_url(&usable, settings, url, wish.binding),
        (None, Some(index)) => by_index(&usable, settings, index, wish.binding),
        (None, None) => by_default(&usable, settings, wish.binding),
    }
}

/// The default among the endpoints that we can send to: the one marked true, else the first not marked false, else the
/// first (Metadata 2.2.3).
pub fn default_acs(metadata: &SpMetadata, settings: &SamlSettings) -> Option<AcsUrl> {
    let usable: Vec<&AcsEndpoint> = metadata.acs.iter().filter(|endpoint| counts(endpoint, settings)).collect();
    default_of(&usable, settings)
}

/// Whether an endpoint may be sent to at all. The scheme is looked at once more here, whatever the import said.
fn counts(endpoint: &AcsEndpoint, settings: &SamlSettings) -> bool {
    let allowed = match endpoint.unusable {
        None => true,
        Some(Unusable::PlainHttp) => settings.allow_http,
        Some(Unusable::Binding | Unusable::Scheme) => false,
    };
    let scheme = endpoint.location.split_once("://").map_or("", |(scheme, _)| scheme);
    allowed && endpoint.binding.carries_responses() && (scheme.eq_ignore_ascii_case("https") || scheme.eq_ignore_ascii_case("http"))
}

fn by_url(usable: &[&AcsEndpoint], settings: &SamlSettings, url: &str, binding: Option<&str>) -> Chosen {
    // Compared byte for byte: two spellings of one address may be two places to somebody.
    let registered: Vec<&AcsEndpoint> = usable.iter().copied().filter(|endpoint| endpoint.location == url).collect();
    if registered.is_empty() {
        return Chosen::Nowhere(Box::new(not_registered(usable, url)));
    }
    let fitting: Vec<&AcsEndpoint> =
        registered.iter().copied().filter(|endpoint| binding.is_none_or(|uri| endpoint.binding.uri() == uri)).collect();
    match fitting.iter().find_map(|endpoint| AcsUrl::of(endpoint, settings)) {
        Some(acs) => here(acs, "asked for by URL"),
        None => {
            let asked = binding.map(ToOwned::to_owned).or_else(|| registered.first().map(|endpoint| endpoint.binding.uri().to_owned()));
            unsupported(usable, settings, asked)
        }
    }
}

/// Core 3.4.1: the URL and the index exclude each other. An address that is not on file weighs more than that.
fn by_both(usable: &[&AcsEndpoint], settings: &SamlSettings, url: &str, index: u16) -> Chosen {
    if !usable.iter().any(|endpoint| endpoint.location == url) {
        return Chosen::Nowhere(Box::new(not_registered(usable, url)));
    }
    let check = Check::failed(
        &spec::ACS_REGISTERED,
        "The request names an AssertionConsumerServiceURL and an AssertionConsumerServiceIndex.",
        "Let the app send only one of the two.",
    );
    instead(usable, settings, status::REQUEST_DENIED, check.seen(format!("{url}, index {index}")))
}

fn by_index(usable: &[&AcsEndpoint], settings: &SamlSettings, index: u16, binding: Option<&str>) -> Chosen {
    let Some(endpoint) = usable.iter().find(|endpoint| endpoint.index == Some(index)) else {
        let allowed = usable.iter().filter_map(|endpoint| Some(format!("{} is {}", endpoint.index?, endpoint.location)));
        let check = Check::failed(
            &spec::ACS_REGISTERED,
            format!("The request asks for the AssertionConsumerService with index {index}, which is not on file."),
            "Import the app's metadata again if it was changed, or correct the index in the app.",
        );
        return instead(usable, settings, status::REQUEST_DENIED, check.seen(index.to_string()).allowed(allowed));
    };
    let fits = binding.is_none_or(|uri| endpoint.binding.uri() == uri);
    match AcsUrl::of(endpoint, settings) {
        // Core 3.4.1: ProtocolBinding beside an index is out of order; it does no harm while both say the same.
        Some(acs) if fits && binding.is_some() => {
            let check = Check::warned(
                &spec::ACS_REGISTERED,
                "asked for by index; ProtocolBinding stands beside it and says the same",
                "Leave ProtocolBinding out beside AssertionConsumerServiceIndex.",
            );
            Chosen::Here(acs.clone(), check.seen(acs.as_str()))
        }
        Some(acs) if fits => here(acs, "asked for by index"),
        _ => unsupported(usable, settings, Some(binding.unwrap_or_else(|| endpoint.binding.uri()).to_owned())),
    }
}

fn by_default(usable: &[&AcsEndpoint], settings: &SamlSettings, binding: Option<&str>) -> Chosen {
    let fitting: Vec<&AcsEndpoint> =
        usable.iter().copied().filter(|endpoint| binding.is_none_or(|uri| endpoint.binding.uri() == uri)).collect();
    match default_of(&fitting, settings) {
        Some(acs) => here(acs, "the default one"),
        None => unsupported(usable, settings, binding.map(ToOwned::to_owned)),
    }
}

fn default_of(endpoints: &[&AcsEndpoint], settings: &SamlSettings) -> Option<AcsUrl> {
    let built: Vec<&&AcsEndpoint> = endpoints.iter().filter(|endpoint| endpoint.binding.is_built()).collect();
    let marked = built.iter().find(|endpoint| endpoint.is_default == Some(true));
    let unmarked = built.iter().find(|endpoint| endpoint.is_default.is_none());
    marked.or(unmarked).or(built.first()).and_then(|endpoint| AcsUrl::of(endpoint, settings))
}

fn here(acs: AcsUrl, why: &'static str) -> Chosen {
    let check = Check::passed(&spec::ACS_REGISTERED, why).seen(acs.as_str());
    Chosen::Here(acs, check)
}

/// The default address is told what is wrong (Core 3.2.2.2).
fn instead(usable: &[&AcsEndpoint], settings: &SamlSettings, second: &'static str, check: Check) -> Chosen {
    match default_of(usable, settings) {
        Some(acs) => Chosen::Instead(acs, Box::new(Denial::requester(Some(second), check))),
        None => Chosen::Nowhere(Box::new(check)),
    }
}

/// The binding is none that could be used.
fn unsupported(usable: &[&AcsEndpoint], settings: &SamlSettings, asked: Option<String>) -> Chosen {
    let asked = asked.unwrap_or_else(|| "none".to_owned());
    let check = if matches!(Binding::from(asked.clone()), Binding::HttpRedirect) {
        Check::failed(
            &spec::ACS_BINDING,
            "The request wants the response by HTTP-Redirect.",
            "Responses can't travel by redirect (Profiles 4.1.2): let the app ask for HTTP-POST.",
        )
    } else {
        Check::failed(
            &spec::ACS_BINDING,
            "The request wants the response by a binding that this server or the app's metadata does not support.",
            "Let the app ask for HTTP-POST, and list an AssertionConsumerService with that binding in its metadata.",
        )
    };
    let bindings = usable.iter().filter(|endpoint| endpoint.binding.is_built()).map(|endpoint| endpoint.binding.uri().to_owned()).take(1);
    instead(usable, settings, status::UNSUPPORTED_BINDING, check.seen(asked).allowed(bindings))
}

fn not_registered(usable: &[&AcsEndpoint], url: &str) -> Check {
    let (allowed, difference) = nearest(url, usable.iter().map(|endpoint| endpoint.location.as_str()));
    Check::failed(
        &spec::ACS_REGISTERED,
        "The request asks for an answer at an address that is not on file.",
        "We only send sign-ins to addresses in the app's metadata, or anyone could collect them. Import its metadata again if the address \
         is new, or correct the ACS URL in the app.",
    )
    .seen(url)
    .allowed(allowed)
    .difference(difference)
}

#[cfg(test)]
mod tests;
