//! `[log]`: what is logged, and how.

use crate::config::key::{Key, Kind, Section};
use crate::config::values::Values;

pub(super) const SECTION: Section = Section {
    name: "log",
    doc: "What is logged, on standard error.",
    keys: &[
        Key {
            name: "level",
            kind: Kind::Choice(&["error", "warn", "info", "debug", "trace"]),
            written: "\"info\"",
            default_note: "",
            secret: false,
            doc: "error: someone must act; warn: degraded; info, debug and trace: ever more.",
        },
        Key {
            name: "format",
            kind: Kind::Choice(&["auto", "text", "json"]),
            written: "\"auto\"",
            default_note: "",
            secret: false,
            doc: "auto is text on a terminal and JSON elsewhere.",
        },
    ],
};

/// `[log]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Log {
    pub level: LogLevel,
    pub format: LogFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogLevel {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

impl LogLevel {
    /// The level as filters write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// Text on a terminal, else JSON.
    Auto,
    Text,
    Json,
}

impl Log {
    pub(super) fn read(values: &mut Values) -> Self {
        let levels =
            [LogLevel::Error, LogLevel::Warn, LogLevel::Info, LogLevel::Debug, LogLevel::Trace].map(|level| (level.as_str(), level));
        let formats = [("auto", LogFormat::Auto), ("text", LogFormat::Text), ("json", LogFormat::Json)];
        Self { level: values.choice("log.level", &levels, LogLevel::Info), format: values.choice("log.format", &formats, LogFormat::Auto) }
    }
}
