//! `[session]`: how long a session lives.

use crate::config::key::{Key, Kind, Section};
use crate::config::values::Values;
use crate::model::session::SessionLifetime;
use crate::model::time::Span;

pub(super) const SECTION: Section = Section {
    name: "session",
    doc: "How long a sign-in lasts.",
    keys: &[
        Key {
            name: "idle",
            kind: Kind::Duration,
            written: "\"8h\"",
            default_note: "",
            secret: false,
            doc: "A session that is not used for so long ends.",
        },
        Key {
            name: "absolute",
            kind: Kind::Duration,
            written: "\"24h\"",
            default_note: "",
            secret: false,
            doc: "Every session ends so long after the sign-in.",
        },
    ],
};

pub(super) fn read(values: &mut Values) -> SessionLifetime {
    let idle = values.duration("session.idle", Span::minutes(1), Span::days(365));
    let absolute = values.duration("session.absolute", Span::minutes(1), Span::days(365));
    if idle > absolute {
        let key = if values.is_set("session.idle") { "session.idle" } else { "session.absolute" };
        let remedy = "shorten session.idle, or lengthen session.absolute";
        values.problem(key, format!("session.idle ({idle}) is longer than session.absolute ({absolute})"), remedy);
    }
    SessionLifetime { idle, absolute }
}
