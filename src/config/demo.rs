//! `[demo]`: what `serve --demo` adds.

use std::net::SocketAddr;

use crate::config::key::{Key, Kind, Section};
use crate::config::public_url::is_loopback;
use crate::config::values::Values;

pub(super) const SECTION: Section = Section {
    name: "demo",
    doc: "What serve --demo adds.",
    keys: &[Key {
        name: "apps",
        kind: Kind::Addresses,
        written: "[\"127.0.0.1:8081\", \"127.0.0.1:8082\"]",
        default_note: "",
        secret: false,
        doc: "Where the two demo apps listen; loopback only.",
    }],
};

/// `[demo]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Demo {
    pub apps: [SocketAddr; 2],
}

impl Demo {
    pub(super) fn read(values: &mut Values) -> Self {
        let default = [8081, 8082].map(|port| SocketAddr::from(([127, 0, 0, 1], port)));
        if !values.is_set("demo.apps") {
            values.note_default("demo.apps");
            return Self { apps: default };
        }
        let before = values.problems.len();
        match <[SocketAddr; 2]>::try_from(values.addresses("demo.apps")) {
            Ok(apps) if apps.iter().all(|app| is_loopback(*app)) && apps[0] != apps[1] => Self { apps },
            _ => {
                if values.problems.len() == before {
                    values.problem(
                        "demo.apps",
                        "demo.apps are not two different loopback addresses".to_owned(),
                        "write [\"127.0.0.1:8081\", \"127.0.0.1:8082\"]",
                    );
                }
                Self { apps: default }
            }
        }
    }
}
