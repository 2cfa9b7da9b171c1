//! `[outbound]`: where our own requests may go.

use crate::config::key::{Key, Kind, Section};
use crate::config::values::Values;
use crate::model::network::Network;

pub(super) const SECTION: Section = Section {
    name: "outbound",
    doc: "Where requests of the server itself may go, as when it fetches metadata.",
    keys: &[Key {
        name: "allow",
        kind: Kind::Networks,
        written: "[]",
        default_note: "",
        secret: false,
        doc: "Networks that are allowed although they are private or loopback, as \"10.1.0.0/16\"; empty means public addresses only.",
    }],
};

/// `[outbound]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outbound {
    pub allow: Vec<Network>,
}

impl Outbound {
    pub(super) fn read(values: &mut Values) -> Self {
        Self { allow: values.networks("outbound.allow") }
    }
}
