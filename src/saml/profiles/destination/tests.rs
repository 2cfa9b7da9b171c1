use proptest::prelude::*;

use super::*;
use crate::saml::fixtures::{ACS, acs, metadata};

const POST: &str = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST";
const ARTIFACT: &str = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Artifact";
const REDIRECT: &str = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect";

fn strict() -> SamlSettings {
    SamlSettings::default()
}

/// What came out, in a form that can be compared: an address; `instead` of one, or `denied`, at the default one; or the rule
/// that said no.
fn outcome(chosen: &Chosen) -> String {
    match chosen {
        Chosen::Here(acs, _) => acs.as_str().to_owned(),
        Chosen::Instead(acs, denial) => {
            assert_eq!(denial.code, status::REQUESTER);
            match (denial.second, denial.check.id.as_ref()) {
                (Some(status::UNSUPPORTED_BINDING), "acs.binding") => format!("instead {}", acs.as_str()),
                (Some(status::REQUEST_DENIED), "acs.registered") => format!("denied {}", acs.as_str()),
                other => panic!("not a denial of ours: {other:?}"),
            }
        }
        Chosen::Nowhere(check) => check.id.to_string(),
    }
}

fn choose_in(metadata: &SpMetadata, wish: Wish<'_>) -> String {
    outcome(&choose(metadata, &strict(), &wish))
}

fn by_url<'w>(url: &'w str, binding: Option<&'w str>) -> Wish<'w> {
    Wish { url: Some(url), binding, ..Wish::default() }
}

fn by_index(index: u16, binding: Option<&str>) -> Wish<'_> {
    Wish { index: Some(index), binding, ..Wish::default() }
}

// clause: IIP-IDP12, SDP-IDP06
#[test]
fn a_registered_url_is_taken_as_it_stands() {
    let sp = metadata();

    assert_eq!(choose_in(&sp, by_url(ACS, None)), ACS);
    assert_eq!(choose_in(&sp, by_url(ACS, Some(POST))), ACS);
    assert_eq!(choose_in(&sp, by_url("https://sp.example.org/saml/acs2", None)), "https://sp.example.org/saml/acs2");
}

#[test]
fn any_other_url_goes_nowhere() {
    let sp = metadata();

    for url in [
        "https://evil.example/acs",
        "https://sp.example.org/saml/acs/",
        "https://sp.example.org/saml/ACS",
        "https://sp.example.org:443/saml/acs",
        "https://sp.example.org/saml/acs?x",
        "https://sp.example.org/saml/./acs",
        "http://sp.example.org/saml/acs",
        "javascript:alert(1)",
        "",
    ] {
        assert_eq!(choose_in(&sp, by_url(url, None)), "acs.registered", "{url}");
    }
}

#[test]
fn the_nearest_registered_url_is_named() {
    let Chosen::Nowhere(check) = choose(&metadata(), &strict(), &by_url("https://sp.example.org/saml/acs/", None)) else { panic!() };

    assert_eq!(check.allowed.first().map(String::as_str), Some(ACS));
    assert_eq!(check.difference.as_deref(), Some("a \"/\" at the end"));
}

#[test]
fn an_index_chooses_its_endpoint() {
    let sp = metadata();

    assert_eq!(choose_in(&sp, by_index(1, None)), "https://sp.example.org/saml/acs2");
    assert_eq!(choose_in(&sp, by_index(1, Some(POST))), "https://sp.example.org/saml/acs2");
}

#[test]
fn an_index_that_is_not_on_file_is_told_to_the_default_address() {
    let mut sp = metadata();
    assert_eq!(choose_in(&sp, by_index(9, None)), format!("denied {ACS}"));
    assert_eq!(choose_in(&sp, by_index(9, Some(ARTIFACT))), format!("denied {ACS}"));

    sp.acs.drain(..2);
    assert_eq!(choose_in(&sp, by_index(9, None)), "acs.registered", "there is no address to tell");
}

#[test]
fn a_url_and_an_index_exclude_each_other_and_the_default_address_is_told() {
    let both = |url| Wish { url: Some(url), index: Some(0), binding: None };
    let mut sp = metadata();

    assert_eq!(choose_in(&sp, both(ACS)), format!("denied {ACS}"));
    assert_eq!(choose_in(&sp, both("https://sp.example.org/saml/acs2")), format!("denied {ACS}"));
    assert_eq!(choose_in(&sp, both("https://evil.example/acs")), "acs.registered", "a strange address gets a page all the same");
    sp.acs.drain(..2);
    assert_eq!(choose_in(&sp, both("https://sp.example.org/saml/artifact")), "acs.registered", "there is no address to tell");
}

#[test]
fn what_is_registered_but_not_built_is_told_to_the_default_address() {
    let sp = metadata();
    let instead = format!("instead {ACS}");

    assert_eq!(choose_in(&sp, by_index(2, None)), instead);
    assert_eq!(choose_in(&sp, by_index(1, Some(ARTIFACT))), instead);
    assert_eq!(choose_in(&sp, by_url("https://sp.example.org/saml/artifact", None)), instead);
    assert_eq!(choose_in(&sp, by_url(ACS, Some(ARTIFACT))), instead);
    assert_eq!(choose_in(&sp, by_url(ACS, Some(REDIRECT))), instead);
    assert_eq!(choose_in(&sp, Wish { binding: Some(ARTIFACT), ..Wish::default() }), instead);
    assert_eq!(choose_in(&sp, Wish { binding: Some("urn:nonsense"), ..Wish::default() }), instead);
}

#[test]
fn the_default_is_the_one_marked_true_else_the_first_not_marked_false_else_the_first() {
    let mut sp = metadata();
    assert_eq!(choose_in(&sp, Wish::default()), ACS);

    sp.acs[0].is_default = Some(false);
    assert_eq!(choose_in(&sp, Wish::default()), "https://sp.example.org/saml/acs2");
    sp.acs[1].is_default = Some(false);
    assert_eq!(choose_in(&sp, Wish::default()), ACS);
    sp.acs[1].is_default = Some(true);
    assert_eq!(choose_in(&sp, Wish::default()), "https://sp.example.org/saml/acs2");
    // A default that cannot be sent to is none.
    sp.acs[2].is_default = Some(true);
    sp.acs[1].is_default = None;
    assert_eq!(choose_in(&sp, Wish::default()), "https://sp.example.org/saml/acs2");
}

#[test]
fn an_sp_without_a_built_binding_gets_nothing() {
    let mut sp = metadata();
    sp.acs.drain(..2);

    assert_eq!(choose_in(&sp, Wish::default()), "acs.binding");
    assert_eq!(choose_in(&sp, by_index(2, None)), "acs.binding");
    assert!(default_acs(&sp, &strict()).is_none());
}

#[test]
fn unusable_endpoints_are_as_if_they_were_not_there() {
    let mut sp = metadata();
    for (location, unusable) in [
        ("http://sp.example.org/acs", Unusable::PlainHttp),
        ("javascript:alert(1)", Unusable::Scheme),
        ("https://sp.example.org/saml1", Unusable::Binding),
    ] {
        sp.acs[0] = AcsEndpoint { unusable: Some(unusable), ..acs(Binding::HttpPost, location, 0) };
        assert_eq!(choose_in(&sp, by_url(location, None)), "acs.registered", "{location}");
        assert_eq!(choose_in(&sp, by_index(0, None)), "denied https://sp.example.org/saml/acs2", "{location}");
        assert_eq!(choose_in(&sp, Wish::default()), "https://sp.example.org/saml/acs2", "{location}");
    }
}

#[test]
fn plain_http_counts_where_it_was_allowed_and_other_schemes_never() {
    let allowing = SamlSettings { allow_http: true, ..SamlSettings::default() };
    let mut sp = metadata();
    sp.acs[0] = AcsEndpoint { unusable: Some(Unusable::PlainHttp), ..acs(Binding::HttpPost, "http://sp.example.org/acs", 0) };
    assert_eq!(outcome(&choose(&sp, &allowing, &by_url("http://sp.example.org/acs", None))), "http://sp.example.org/acs");

    // Even if the import had let them through.
    for location in ["javascript://x", "data:text/html,x", "ftp://sp.example.org/", "//sp.example.org/", "sp.example.org"] {
        for unusable in [None, Some(Unusable::PlainHttp)] {
            sp.acs[0] = AcsEndpoint { unusable, ..acs(Binding::HttpPost, location, 0) };
            assert_eq!(outcome(&choose(&sp, &allowing, &by_url(location, None))), "acs.registered", "{location}");
        }
    }
}

#[test]
fn metadata_that_lists_redirect_for_responses_does_not_make_it_so() {
    let mut sp = metadata();
    sp.acs[0] = acs(Binding::HttpRedirect, "https://sp.example.org/redirect", 0);

    assert_eq!(choose_in(&sp, by_url("https://sp.example.org/redirect", None)), "acs.registered");
}

fn any_endpoint() -> impl Strategy<Value = AcsEndpoint> {
    let binding = prop_oneof![
        Just(Binding::HttpPost),
        Just(Binding::HttpRedirect),
        Just(Binding::HttpArtifact),
        Just(Binding::Paos),
        Just(Binding::Other("urn:other".to_owned()))
    ];
    let location = prop_oneof![Just(ACS.to_owned()), "https?://[a-c]\\.example/[a-b]?", "javascript:[a-z]{3}", "\\PC{0,12}"];
    let unusable = prop_oneof![Just(None), Just(Some(Unusable::PlainHttp)), Just(Some(Unusable::Scheme)), Just(Some(Unusable::Binding))];
    let is_default = prop_oneof![Just(None), Just(Some(true)), Just(Some(false))];
    (binding, location, proptest::option::of(0u16..4), is_default, unusable)
        .prop_map(|(binding, location, index, is_default, unusable)| AcsEndpoint { binding, location, index, is_default, unusable })
}

proptest! {
    #[test]
    fn the_destination_is_always_registered(
        endpoints in proptest::collection::vec(any_endpoint(), 0..5),
        url in proptest::option::of(prop_oneof![Just(ACS.to_owned()), "https?://[a-c]\\.example/[a-b]?", "\\PC{0,12}"]),
        index in proptest::option::of(0u16..5),
        binding in proptest::option::of(prop_oneof![Just(POST), Just(ARTIFACT), Just(REDIRECT), Just("urn:x")]),
        allow_http in any::<bool>(),
    ) {
        let mut sp = metadata();
        sp.acs = endpoints;
        let settings = SamlSettings { allow_http, ..SamlSettings::default() };
        let wish = Wish { url: url.as_deref(), index, binding };

        let chosen = choose(&sp, &settings, &wish);

        let acs = match &chosen {
            Chosen::Here(acs, _) => {
                if let Some(url) = &url {
                    prop_assert_eq!(acs.as_str(), url.as_str());
                }
                prop_assert!(url.is_none() || index.is_none());
                Some(acs)
            }
            Chosen::Instead(acs, _) => {
                prop_assert!(url.is_none_or(|url| sp.acs.iter().any(|endpoint| endpoint.location == url)));
                Some(acs)
            }
            Chosen::Nowhere(_) => None,
        };
        if let Some(acs) = acs {
            let registered = sp.acs.iter().any(|endpoint| {
                let usable = match endpoint.unusable {
                    None => true,
                    Some(Unusable::PlainHttp) => allow_http,
                    Some(_) => false,
                };
                endpoint.location == acs.as_str() && endpoint.binding == Binding::HttpPost && usable
            });
            prop_assert!(registered);
            let lower = acs.as_str().to_ascii_lowercase();
            prop_assert!(lower.starts_with("https://") || lower.starts_with("http://"));
        }
    }
}
