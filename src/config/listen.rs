//! `[listen]`: where the server listens, and the bounds on those who connect.

use std::net::SocketAddr;

use crate::config::key::{Key, Kind, Section};
use crate::config::values::Values;
use crate::model::network::Network;
use crate::model::time::Span;

pub(super) const SECTION: Section = Section {
    name: "listen",
    doc: "Where the server listens.",
    keys: &[
        Key {
            name: "web",
            kind: Kind::Address,
            written: "\"127.0.0.1:8080\"",
            default_note: "",
            secret: false,
            doc: "Sign-in, SAML, the API.",
        },
        Key {
            name: "ops",
            kind: Kind::Address,
            written: "\"127.0.0.1:9464\"",
            default_note: "",
            secret: false,
            doc: "/metrics, /livez, /readyz; not for the public.",
        },
        Key {
            name: "trusted_proxies",
            kind: Kind::Networks,
            written: "[]",
            default_note: "",
            secret: false,
            doc: "Proxies whose Forwarded and X-Forwarded-For headers are believed for client addresses, as \"10.0.0.0/8\"; \
                  never for URLs.",
        },
        Key {
            name: "max_connections",
            kind: Kind::Count,
            written: "10000",
            default_note: "",
            secret: false,
            doc: "Connections at one time; more wait.",
        },
        Key {
            name: "request_timeout",
            kind: Kind::Duration,
            written: "\"10s\"",
            default_note: "",
            secret: false,
            doc: "How long a client may take to send a request.",
        },
        Key {
            name: "max_body",
            kind: Kind::Size,
            written: "\"1MiB\"",
            default_note: "",
            secret: false,
            doc: "The largest request body; metadata sent to the API may have 10 MiB.",
        },
    ],
};

/// `[listen]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listen {
    pub web: SocketAddr,
    pub ops: SocketAddr,
    /// Whose forwarded headers are believed for client addresses.
    pub trusted_proxies: Vec<Network>,
    pub max_connections: usize,
    pub request_timeout: Span,
    pub max_body: usize,
}

impl Listen {
    pub(super) fn read(values: &mut Values) -> Self {
        let listen = Self {
            web: values.address("listen.web"),
            ops: values.address("listen.ops"),
            trusted_proxies: values.networks("listen.trusted_proxies"),
            max_connections: usize::try_from(values.count("listen.max_connections", 1, 1_000_000)).unwrap_or(1),
            request_timeout: values.duration("listen.request_timeout", Span::seconds(1), Span::minutes(10)),
            max_body: usize::try_from(values.size("listen.max_body", 64 << 10, 64 << 20)).unwrap_or(64 << 10),
        };
        if listen.web == listen.ops && listen.web.port() != 0 {
            let key = if values.is_set("listen.ops") { "listen.ops" } else { "listen.web" };
            values.problem(key, format!("listen.web and listen.ops are both {}", listen.web), "give one of them another port");
        }
        listen
    }
}
