//! A "no" that the SP is told as a SAML status.

use crate::model::check::{Check, RefusalClass};
use crate::saml::messages::response::Status;
use crate::saml::names::status;
use crate::saml::spec;

/// Why a request that has a trusted place to go is answered with an error status (Core 3.2.2.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denial {
    pub code: &'static str,
    pub second: Option<&'static str>,
    /// What a person would be told.
    pub class: RefusalClass,
    pub check: Check,
}

impl Denial {
    /// The requester's fault.
    pub fn requester(second: Option<&'static str>, check: Check) -> Self {
        Self { code: status::REQUESTER, second, class: RefusalClass::AppSetup, check }
    }

    /// Ours, or nobody's.
    pub fn responder(second: Option<&'static str>, check: Check) -> Self {
        Self { code: status::RESPONDER, second, class: RefusalClass::AppSetup, check }
    }

    /// The request's version is not ours.
    pub fn version_mismatch(check: Check) -> Self {
        Self { code: status::VERSION_MISMATCH, second: None, class: RefusalClass::AppSetup, check }
    }

    /// A passive request would have needed a page (Core 3.4.1).
    pub fn no_passive() -> Self {
        Self {
            class: RefusalClass::NotAllowed,
            ..Self::responder(
                Some(status::NO_PASSIVE),
                Check::failed(
                    &spec::PASSIVE,
                    "The request is passive, but the person has to see a page first.",
                    "NoPassive was answered; that is correct. The app should go on without sign-in or ask again without IsPassive.",
                ),
            )
        }
    }

    /// The person did not prove who they are.
    pub fn authn_failed(check: Check) -> Self {
        Self { class: RefusalClass::NotAllowed, ..Self::responder(Some(status::AUTHN_FAILED), check) }
    }

    /// The app needs something that is not known about the person.
    pub fn missing_info(check: Check) -> Self {
        Self { class: RefusalClass::MissingInfo, ..Self::responder(Some(status::REQUEST_DENIED), check) }
    }

    /// Something of ours failed.
    pub fn our_fault(check: Check) -> Self {
        Self { class: RefusalClass::OurFault, ..Self::responder(None, check) }
    }

    /// The status as it is written. What failed inside of us is nothing for strangers.
    pub fn status(&self) -> Status<'_> {
        let message = (self.class != RefusalClass::OurFault).then_some(self.check.detail.as_ref());
        Status { code: self.code, second: self.second, message }
    }
}
