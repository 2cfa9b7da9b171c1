//! Logs: text on a terminal, JSON lines elsewhere; to standard error, so that standard output stays for data.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;

use crate::config::log::{Log, LogFormat};

/// Starts logging for the process. Field names are fixed words (`docs/logging.md`); no personal data, tokens or XML.
pub fn start(log: &Log) {
    // Libraries speak only when something is wrong.
    let filter = EnvFilter::new(format!("warn,linkspan={}", log.level.as_str()));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let json = match log.format {
        LogFormat::Json => true,
        LogFormat::Text => false,
        LogFormat::Auto => !std::io::stderr().is_terminal(),
    };
    // A second start in one process keeps the first.
    let _ = if json {
        tracing::subscriber::set_global_default(builder.json().flatten_event(true).with_current_span(true).with_span_list(false).finish())
    } else {
        tracing::subscriber::set_global_default(builder.with_target(false).finish())
    };
}
