//! The Subject of a request: who is to sign in (Core 3.4.1, 3.3.4).

use crate::model::check::Check;
use crate::model::session::NameId;
use crate::saml::messages::authn_request::{RequestedIdentifier, RequestedSubject};
use crate::saml::names::{name_id, status};
use crate::saml::profiles::denial::Denial;
use crate::saml::spec;

const BEARER: &str = "urn:oasis:names:tc:SAML:2.0:cm:bearer";

/// Whether a Subject can be served at all, before anybody has signed in.
///
/// # Errors
/// `RequestUnsupported` for identifiers that cannot be read and confirmations that cannot be made: ignoring them would
/// answer another question than was asked.
pub fn check_supported(subject: &RequestedSubject) -> Result<(), Box<Denial>> {
    if let Some(RequestedIdentifier::Unreadable(what)) = &subject.identifier {
        return Err(unsupported(
            format!("The Subject of the request is a {what}, which cannot be read here."),
            "Let the app name the person by a plain NameID, or by none.",
        ));
    }
    match subject.confirmation_methods.iter().find(|method| *method != BEARER) {
        Some(method) => Err(unsupported(
            format!("The request wants the subject confirmed by {method}; only bearer confirmation is made here."),
            "Leave SubjectConfirmation out of the request.",
        )),
        None => Ok(()),
    }
}

/// Whether the person who signed in is the one that the request names. `issued` is the NameID that the answer would have.
///
/// Core 3.3.4: the answer's subject strongly matches the request's. An unspecified format leaves the format open; qualifiers
/// count where the request has them.
///
/// # Errors
/// `UnknownPrincipal` where it is somebody else.
pub fn check_subject(subject: Option<&RequestedSubject>, issued: Option<&NameId>) -> Result<Option<Check>, Box<Denial>> {
    let Some(wanted) = subject.and_then(RequestedSubject::name_id) else { return Ok(None) };
    let matches = issued.is_some_and(|issued| {
        let format = wanted.format == issued.format || wanted.format == name_id::UNSPECIFIED;
        let qualifier = wanted.name_qualifier.is_none() || wanted.name_qualifier == issued.name_qualifier;
        let sp_qualifier = wanted.sp_name_qualifier.is_none() || wanted.sp_name_qualifier == issued.sp_name_qualifier;
        wanted.value == issued.value && format && qualifier && sp_qualifier
    });
    if matches {
        return Ok(Some(Check::passed(&spec::SUBJECT, "the person is the one that the request names")));
    }
    // The identifiers themselves stay out of the trace: they name people.
    let check = Check::failed(
        &spec::SUBJECT,
        "The person who signed in is not the one that the request names.",
        "Sign out and in again as the right person; or the app remembers an identifier in another format than it now gets.",
    )
    .seen(format!("format {}", wanted.format));
    Err(Box::new(Denial::responder(Some(status::UNKNOWN_PRINCIPAL), check)))
}

fn unsupported(detail: String, remedy: &'static str) -> Box<Denial> {
    Box::new(Denial::requester(Some(status::REQUEST_UNSUPPORTED), Check::failed(&spec::SUBJECT, detail, remedy)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(value: &str, format: &str) -> NameId {
        NameId { value: value.to_owned(), format: format.to_owned(), name_qualifier: None, sp_name_qualifier: Some("sp".to_owned()) }
    }

    fn asks(identifier: RequestedIdentifier) -> RequestedSubject {
        RequestedSubject { identifier: Some(identifier), confirmation_methods: Vec::new() }
    }

    fn second(denial: &Denial) -> Option<&str> {
        denial.second
    }

    #[test]
    fn only_the_person_who_is_named_is_answered_for() {
        let subject = asks(RequestedIdentifier::NameId(NameId { sp_name_qualifier: None, ..name("ada", name_id::PERSISTENT) }));

        assert!(check_subject(Some(&subject), Some(&name("ada", name_id::PERSISTENT))).is_ok());
        for other in
            [Some(name("bob", name_id::PERSISTENT)), Some(name("Ada", name_id::PERSISTENT)), Some(name("ada", name_id::TRANSIENT)), None]
        {
            let denial = check_subject(Some(&subject), other.as_ref()).unwrap_err();
            assert_eq!(second(&denial), Some(status::UNKNOWN_PRINCIPAL), "{other:?}");
        }
    }

    #[test]
    fn an_unspecified_format_leaves_the_format_open_but_not_the_qualifier() {
        let mut wanted = name("ada", name_id::UNSPECIFIED);
        assert!(check_subject(Some(&asks(RequestedIdentifier::NameId(wanted.clone()))), Some(&name("ada", name_id::EMAIL))).is_ok());

        wanted.sp_name_qualifier = Some("another".to_owned());
        assert!(check_subject(Some(&asks(RequestedIdentifier::NameId(wanted))), Some(&name("ada", name_id::EMAIL))).is_err());
    }

    #[test]
    fn a_subject_that_cannot_be_served_is_an_error_and_not_ignored() {
        let denial = check_supported(&asks(RequestedIdentifier::Unreadable("EncryptedID"))).unwrap_err();
        assert_eq!(second(&denial), Some(status::REQUEST_UNSUPPORTED));

        let holder = "urn:oasis:names:tc:SAML:2.0:cm:holder-of-key".to_owned();
        let subject = RequestedSubject { identifier: None, confirmation_methods: vec![BEARER.to_owned(), holder] };
        assert!(check_supported(&subject).is_err());
        assert!(check_supported(&RequestedSubject { identifier: None, confirmation_methods: vec![BEARER.to_owned()] }).is_ok());
    }
}
