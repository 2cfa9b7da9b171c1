//! `linkspan trace`.

use std::collections::HashSet;
use std::ops::ControlFlow;
use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::Value;

use crate::cli::output::{self, Format, Style, items, list, text, time};
use crate::cli::table::Table;
use crate::cli::{Global, block_on, checks, control};
use crate::config::Config;
use crate::flows::command::{Command, Reply};

/// What was checked in each exchange, and why one was refused
#[derive(Debug, Args)]
pub(super) struct TraceArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List recorded exchanges, the newest first
    #[command(after_help = "Examples:\n  linkspan trace list --failed\n  linkspan trace list --app grafana --limit 20")]
    List {
        #[command(flatten)]
        filter: Filter,
        /// How many at most
        #[arg(long, value_name = "N", default_value_t = 50)]
        limit: u32,
    },
    /// Show every check of one exchange
    #[command(after_help = "Examples:\n  linkspan trace show 7F3K-9QXD")]
    Show {
        /// The reference that the error page shows
        #[arg(value_name = "REF")]
        reference: String,
    },
    /// Print exchanges as they happen, until Ctrl-C
    #[command(after_help = "Examples:\n  linkspan trace tail --app grafana --failed")]
    Tail {
        #[command(flatten)]
        filter: Filter,
    },
}

#[derive(Debug, Clone, Args)]
struct Filter {
    /// Only those of this app: its ID or entity ID
    #[arg(long, value_name = "APP")]
    app: Option<String>,
    /// Only those of this person
    #[arg(long, value_name = "U")]
    user: Option<String>,
    /// Only those that failed
    #[arg(long)]
    failed: bool,
}

impl Filter {
    fn command(&self, limit: u32) -> Command {
        Command::TraceList { app: self.app.clone(), user: self.user.clone(), failed: self.failed, limit: Some(limit) }
    }
}

impl TraceArgs {
    pub(super) fn run(self, global: &Global) -> u8 {
        match self.verb {
            Verb::List { filter, limit } => global.execute(filter.command(limit), table),
            Verb::Show { reference } => {
                let reference = reference.trim().to_uppercase();
                global.execute(Command::TraceShow { reference }, to_text)
            }
            Verb::Tail { filter } => match global.load() {
                Ok(config) => block_on(tail(global, &config, &filter)).unwrap_or_else(|exit| exit),
                Err(exit) => exit,
            },
        }
    }
}

async fn tail(global: &Global, config: &Config, filter: &Filter) -> u8 {
    let mut seen: HashSet<String> = HashSet::new();
    let mut limit = 10;
    let ended = until_interrupted(async || {
        let reply = control::run_command(config, &filter.command(limit)).await;
        limit = 200;
        if reply.error.is_some() {
            return Err(Box::new(reply));
        }
        let mut newest_first: Vec<&Value> = items(&reply.value).iter().collect();
        newest_first.retain(|trace| seen.insert(text(trace, "reference")));
        for trace in newest_first.into_iter().rev() {
            let text = match global.output {
                Format::Json => format!("{trace}\n"),
                Format::Text => line(trace, Style::of_stdout()),
            };
            if output::print_on(&text).is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    });
    match ended.await {
        Ok(()) => 0,
        Err(reply) => global.end(&reply),
    }
}

/// Does something each second until Ctrl-C; ends early where it fails or nobody reads any more.
pub(super) async fn until_interrupted(mut step: impl AsyncFnMut() -> Result<ControlFlow<()>, Box<Reply>>) -> Result<(), Box<Reply>> {
    let interrupted = tokio::signal::ctrl_c();
    let mut interrupted = std::pin::pin!(interrupted);
    loop {
        tokio::select! {
            _ = &mut interrupted => return Ok(()),
            done = step() => if done?.is_break() { return Ok(()) },
        }
        tokio::select! {
            _ = &mut interrupted => return Ok(()),
            () = tokio::time::sleep(Duration::from_secs(1)) => {}
        }
    }
}

/// One line per exchange, with the check that failed.
fn line(trace: &Value, style: Style) -> String {
    let failure = failure(trace);
    let reason = match failure {
        Some(check) => {
            let difference = text(check, "difference");
            let difference = if difference.is_empty() { String::new() } else { format!("  ({difference})") };
            format!("{}  {}{difference}", text(check, "id"), text(check, "detail"))
        }
        None => text(trace, "flow"),
    };
    format!(
        "{}  {}  {} {}  {}  {reason}\n",
        time(trace, "at"),
        text(trace, "reference"),
        checks::sign(&text(trace, "outcome"), style),
        text(trace, "user"),
        text(trace, "app")
    )
}

fn failure(trace: &Value) -> Option<&Value> {
    list(trace, "trace").iter().find(|check| text(check, "outcome") == "failed")
}

fn table(value: &Value, style: Style) -> String {
    let mut table = Table::new(&["TIME", "REF", "", "FLOW", "USER", "APP", "FAILED CHECK"], "No exchanges recorded.");
    for trace in items(value) {
        let failed = failure(trace).map(|check| text(check, "id")).unwrap_or_default();
        // Coloured signs would be counted as wide, so the table has plain ones.
        let sign = checks::sign(&text(trace, "outcome"), Style::default());
        table.row([
            time(trace, "at"),
            text(trace, "reference"),
            sign,
            text(trace, "flow"),
            text(trace, "user"),
            text(trace, "app"),
            failed,
        ]);
    }
    let _ = style;
    table.to_text()
}

fn to_text(value: &Value, style: Style) -> String {
    let outcome = text(value, "outcome");
    let parts = [
        text(value, "reference"),
        format!("{} {outcome}", checks::sign(&outcome, style)),
        format!("{} UTC", time(value, "at")),
        text(value, "flow"),
        text(value, "app"),
        text(value, "user"),
        text(value, "client"),
    ];
    let head = parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("  ");
    let all = list(value, "trace");
    format!("{head}\n\n{}\n{}", checks::to_text(all, style), checks::summary(all, style))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn record() -> Value {
        json!({
            "reference": "7F3K-9QXD", "at": "2026-11-23T14:02:11.000Z", "flow": "saml.sso", "outcome": "failed", "app": "https://r.example.com/saml",
            "user": null, "client": "203.0.113.7",
            "trace": [{ "id": "acs.registered", "spec": "Profiles 4.1.4.1", "outcome": "failed", "detail": "the address is not in the metadata",
                        "seen": "https://r.example.com/acs/", "allowed": ["https://r.example.com/acs"], "difference": "a \"/\" at the end", "remedy": "refresh" }]
        })
    }

    #[test]
    fn a_trace_shows_what_was_asked_for() {
        let text = to_text(&record(), Style::default());
        assert!(
            text.starts_with("7F3K-9QXD  ✗ failed  2026-11-23 14:02:11 UTC  saml.sso  https://r.example.com/saml  203.0.113.7\n\n"),
            "{text}"
        );
        assert!(text.contains("https://r.example.com/acs/") && text.contains("✗ 1 failed"), "{text}");
    }

    #[test]
    fn a_tail_has_one_line_per_exchange() {
        assert_eq!(
            line(&record(), Style::default()),
            "2026-11-23 14:02:11  7F3K-9QXD  ✗   https://r.example.com/saml  acs.registered  the address is not in the metadata  (a \"/\" at the end)\n"
        );
        assert!(table(&json!([record()]), Style::default()).contains("7F3K-9QXD  ✗  saml.sso"));
    }
}
