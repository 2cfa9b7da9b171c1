//! Logs: text on a terminal, JSON lines elsewhere; to standard error, so that standard output stays for data.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;

/// Starts logging for the process. Field names are fixed words (`docs/logging.md`); no personal data, tokens or XML.
///
/// `level` is a filter's word, as `info`; `json` forces the form where it is set.
pub fn start(level: &str, json: Option<bool>) {
    // Libraries speak only when something is wrong.
    let filter = EnvFilter::new(format!("warn,linkspan={level}"));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let json = json.unwrap_or_else(|| !std::io::stderr().is_terminal());
    // A second start in one process keeps the first.
    let _ = if json {
        tracing::subscriber::set_global_default(builder.json().flatten_event(true).with_current_span(true).with_span_list(false).finish())
    } else {
        tracing::subscriber::set_global_default(builder.with_target(false).finish())
    };
}
