//! `linkspan admin`.

use clap::{Args, Subcommand};
use serde_json::Value;

use crate::cli::Global;
use crate::cli::output::{Style, text};
use crate::flows::command::Command;

/// The first administrator
#[derive(Debug, Args)]
pub(super) struct AdminArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Print a new set-up link, while there is no administrator; the one before stops working
    #[command(after_help = "Examples:\n  linkspan admin setup-link")]
    SetupLink,
}

impl AdminArgs {
    pub(super) fn run(self, global: &Global) -> u8 {
        match self.verb {
            Verb::SetupLink => global.execute(Command::AdminSetupLink, to_text),
        }
    }
}

fn to_text(value: &Value, style: Style) -> String {
    let until = match text(value, "minutes") {
        minutes if minutes.is_empty() => "works once".to_owned(),
        minutes => format!("works once, for {minutes} minutes"),
    };
    format!("{}  {}\n", text(value, "url"), style.dim(&format!("({until})")))
}
