//! `linkspan audit`.

use std::ops::ControlFlow;

use clap::{Args, Subcommand};
use serde_json::Value;

use crate::cli::output::{self, Format, items, plain, text, time};
use crate::cli::trace::until_interrupted;
use crate::cli::{Global, block_on, control};
use crate::config::Config;
use crate::flows::command::{Command, Reply};

/// Records in one request.
const PAGE: u32 = 1_000;

/// Who did what, when, from where
#[derive(Debug, Args)]
pub(super) struct AuditArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Print events as they happen, until Ctrl-C
    #[command(after_help = "Examples:\n  linkspan audit tail\n  linkspan audit tail -o json | jq .event")]
    Tail {
        /// How many earlier events to print first
        #[arg(short = 'n', long, value_name = "N", default_value_t = 10)]
        lines: u32,
    },
    /// Print every event as one JSON object per line
    #[command(after_help = "Examples:\n  linkspan audit export > audit.ndjson\n  linkspan audit export --after 120000")]
    Export {
        /// Begin after the event with this number
        #[arg(long, value_name = "SEQ", default_value_t = 0)]
        after: i64,
    },
}

impl AuditArgs {
    pub(super) fn run(self, global: &Global) -> u8 {
        let config = match global.load() {
            Ok(config) => config,
            Err(exit) => return exit,
        };
        let done = match self.verb {
            Verb::Tail { lines } => block_on(tail(global.output, &config, lines)),
            Verb::Export { after } => block_on(export(&config, after)),
        };
        match done {
            Ok(Ok(())) => 0,
            Ok(Err(reply)) => global.end(&reply),
            Err(exit) => exit,
        }
    }
}

async fn tail(format: Format, config: &Config, lines: u32) -> Result<(), Box<Reply>> {
    let reply = control::run_command(config, &Command::AuditHead).await;
    if reply.error.is_some() {
        return Err(Box::new(reply));
    }
    let head = reply.value.as_i64().or_else(|| reply.value.get("head").and_then(Value::as_i64)).unwrap_or(0);
    let mut after = head.saturating_sub(i64::from(lines)).max(0);
    until_interrupted(async || {
        for record in page(config, &mut after).await? {
            let text = match format {
                Format::Json => format!("{record}\n"),
                Format::Text => line(&record),
            };
            if output::print_on(&text).is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    })
    .await
}

async fn export(config: &Config, mut after: i64) -> Result<(), Box<Reply>> {
    loop {
        let records = page(config, &mut after).await?;
        if records.is_empty() {
            return Ok(());
        }
        for record in records {
            if output::print_on(&format!("{record}\n")).is_break() {
                return Ok(());
            }
        }
    }
}

/// The records after a place in the log; moves the place.
async fn page(config: &Config, after: &mut i64) -> Result<Vec<Value>, Box<Reply>> {
    let reply = control::run_command(config, &Command::AuditRead { after: *after, limit: PAGE }).await;
    if reply.error.is_some() {
        return Err(Box::new(reply));
    }
    let records = items(&reply.value).to_vec();
    let newest = records.iter().filter_map(|record| record.get("seq").and_then(Value::as_i64)).max();
    match newest {
        Some(seq) if seq > *after => {
            *after = seq;
            Ok(records)
        }
        // Without a place that moves on, the next page would be the same one again.
        _ => Ok(Vec::new()),
    }
}

fn line(record: &Value) -> String {
    const SHOWN: [&str; 7] = ["seq", "at", "event", "actor", "client", "reference", "session"];
    let more: Vec<String> = record
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(key, value)| !SHOWN.contains(&key.as_str()) && !value.is_null())
        .map(|(key, value)| format!("{key}={}", plain(value)))
        .collect();
    let by = [("by", "actor"), ("from", "client"), ("ref", "reference"), ("session", "session")]
        .into_iter()
        .map(|(label, key)| (label, text(record, key)))
        .filter(|(_, value)| !value.is_empty())
        .map(|(label, value)| format!("{label} {value}"))
        .collect::<Vec<_>>()
        .join("  ");
    format!("{}  {:24}  {}  {by}", time(record, "at"), text(record, "event"), more.join(" ")).trim_end().to_owned() + "\n"
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_event_is_one_line() {
        let record = json!({ "seq": 7, "at": 0, "event": "login.failed", "user": "ada", "check": "password", "client": "203.0.113.7" });
        assert_eq!(line(&record), "1970-01-01 00:00:00  login.failed              user=ada check=password  from 203.0.113.7\n");
    }
}
