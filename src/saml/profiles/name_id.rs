//! Which NameID an answer gets (Core 3.4.1.1, 8.3).

use crate::model::check::Check;
use crate::model::session::{NameId, NameIdPlan};
use crate::saml::messages::authn_request::NameIdPolicy;
use crate::saml::names::{name_id, status};
use crate::saml::profiles::denial::Denial;
use crate::saml::profiles::service_provider::SpView;
use crate::saml::spec;

/// Formats that are made without further settings.
const KNOWN: [&str; 4] = [name_id::PERSISTENT, name_id::TRANSIENT, name_id::EMAIL, name_id::UNSPECIFIED];

/// Decides the format by the request's policy, else by the NameID of its Subject, else by the app's settings, else by the
/// first known format of its metadata, else persistent. `subject` is the NameID that the request names the person by: only an
/// answer in its format matches it strongly (Core 3.3.4).
///
/// # Errors
/// `InvalidNameIDPolicy` where the request demands a format that is not given, an encrypted one without a key to encrypt for,
/// or names somebody else's namespace.
pub fn decide_name_id(policy: Option<&NameIdPolicy>, subject: Option<&NameId>, sp: &SpView) -> Result<(NameIdPlan, Check), Box<Denial>> {
    let requested = policy.and_then(|policy| policy.format.as_deref());
    let encrypt = requested == Some(name_id::ENCRYPTED);
    let of_subject =
        subject.map(|subject| subject.format.as_str()).filter(|format| *format != name_id::UNSPECIFIED && is_given(sp, format));
    let (format, why) = match (requested, of_subject) {
        (None | Some(name_id::ENCRYPTED | name_id::UNSPECIFIED), Some(format)) => (format, Default::Subject),
        (None | Some(name_id::ENCRYPTED), None) => by_default(sp),
        (Some(name_id::UNSPECIFIED), None) => match by_default(sp) {
            // The request leaves the choice to us, but asks for no more than a name; settings and metadata may say better.
            (_, Default::Nothing) => (name_id::UNSPECIFIED, Default::Request),
            (_, Default::Metadata) if lists(sp, name_id::UNSPECIFIED) => (name_id::UNSPECIFIED, Default::Request),
            chosen => chosen,
        },
        (Some(format), _) if is_given(sp, format) => (format, Default::Request),
        (Some(format), _) => return Err(unknown_format(sp, format)),
    };
    if encrypt && let Err(check) = sp.encryption(true) {
        return Err(Box::new(Denial::requester(Some(status::INVALID_NAME_ID_POLICY), *check)));
    }
    let sp_name_qualifier = decide_qualifier(policy, sp, format)?;
    let plan = NameIdPlan { format: format.to_owned(), sp_name_qualifier, allow_create: allow_create(policy), encrypt };
    let check = Check::passed(&spec::NAMEID_POLICY, why.words()).seen(format);
    Ok((plan, check))
}

/// The URI of a format of the settings: `persistent`, `transient`, `emailAddress`, `unspecified`, or itself.
pub fn format_uri(setting: &str) -> &str {
    match setting {
        "persistent" => name_id::PERSISTENT,
        "transient" => name_id::TRANSIENT,
        "emailAddress" => name_id::EMAIL,
        "unspecified" => name_id::UNSPECIFIED,
        uri => uri,
    }
}

#[derive(Clone, Copy)]
enum Default {
    Request,
    Subject,
    Settings,
    Metadata,
    Nothing,
}

impl Default {
    fn words(self) -> &'static str {
        match self {
            Self::Request => "the format that the request names",
            Self::Subject => "the format by which the request names the person",
            Self::Settings => "the format of the app's settings",
            Self::Metadata => "the first known format of the app's metadata",
            Self::Nothing => "persistent, since nobody says otherwise",
        }
    }
}

fn by_default(sp: &SpView) -> (&str, Default) {
    if let Some(setting) = &sp.settings.nameid.format {
        return (format_uri(setting), Default::Settings);
    }
    match sp.metadata.name_id_formats.iter().find(|format| KNOWN.contains(&format.as_str())) {
        Some(format) => (format, Default::Metadata),
        None => (name_id::PERSISTENT, Default::Nothing),
    }
}

fn lists(sp: &SpView, format: &str) -> bool {
    sp.metadata.name_id_formats.iter().any(|listed| listed == format)
}

/// Whether this app can get the format.
fn is_given(sp: &SpView, format: &str) -> bool {
    KNOWN.contains(&format) || is_custom(sp, format)
}

/// A format of one's own, which the settings give a value for.
fn is_custom(sp: &SpView, format: &str) -> bool {
    sp.settings.nameid.format.as_deref().is_some_and(|setting| format_uri(setting) == format) && format != name_id::ENTITY
}

/// Core 3.4.1.1: SPNameQualifier names the requester, or an affiliation of its; we know of no affiliations.
fn decide_qualifier(policy: Option<&NameIdPolicy>, sp: &SpView, format: &str) -> Result<Option<String>, Box<Denial>> {
    let own = sp.metadata.entity_id.as_str();
    match policy.and_then(|policy| policy.sp_name_qualifier.as_deref()) {
        Some(qualifier) if qualifier != own => {
            let check = Check::failed(
                &spec::NAMEID_SPQUALIFIER,
                "SPNameQualifier names another entity than the app itself.",
                "Leave SPNameQualifier out of the NameIDPolicy, or set it to the app's own entity ID.",
            );
            let check = check.seen(qualifier).allowed([own.to_owned()]);
            Err(Box::new(Denial::requester(Some(status::INVALID_NAME_ID_POLICY), check)))
        }
        Some(_) => Ok(Some(own.to_owned())),
        // Core 8.3.7, 8.3.8: the identifier belongs to this one SP.
        None => Ok([name_id::PERSISTENT, name_id::TRANSIENT].contains(&format).then(|| own.to_owned())),
    }
}

/// Only a request that says `false` forbids to establish an identifier. Core 3.4.1.1 reads silence as `false`; real SPs that
/// are silent mean "sign this person in", see `docs/decisions/0004-allow-create.md`.
fn allow_create(policy: Option<&NameIdPolicy>) -> bool {
    policy.and_then(|policy| policy.allow_create).unwrap_or(true)
}

fn unknown_format(sp: &SpView, format: &str) -> Box<Denial> {
    let remedy = if format == name_id::ENTITY {
        "That format names systems, not people: choose another one in the app."
    } else {
        "Choose another NameID format in the app, or set saml.nameid.format to this one and saml.nameid.value to what it shall hold."
    };
    let mut allowed: Vec<String> = KNOWN.iter().map(|known| (*known).to_owned()).collect();
    allowed.extend(sp.settings.nameid.format.as_deref().map(format_uri).filter(|own| !KNOWN.contains(own)).map(ToOwned::to_owned));
    let check = Check::failed(&spec::NAMEID_POLICY, "The request asks for a NameID format that is not given to this app.", remedy)
        .seen(format)
        .allowed(allowed);
    Box::new(Denial::requester(Some(status::INVALID_NAME_ID_POLICY), check))
}

#[cfg(test)]
mod tests;
