//! `linkspan apikey`.

use clap::{Args, Subcommand};
use serde_json::Value;

use crate::cli::Global;
use crate::cli::output::{Style, items, text, time};
use crate::cli::table::{Facts, Table};
use crate::flows::command::Command;

/// Keys of the admin API
#[derive(Debug, Args)]
pub(super) struct ApiKeyArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Make a key; it is shown once
    #[command(after_help = "Scopes: apps:read, apps:write, users:read, users:write, sessions:read, sessions:write, traces:read.\n\n\
                            Examples:\n  linkspan apikey new --name ci --scope apps:read --scope apps:write --expires 90d\n  \
                            linkspan apikey new --name monitor --scope traces:read --network 10.1.0.0/16")]
    New {
        #[arg(long, value_name = "N")]
        name: String,
        /// What the key may do; repeat it for more
        #[arg(long = "scope", value_name = "S", required = true)]
        scopes: Vec<String>,
        /// How long the key works, as 90d [default: for good]
        #[arg(long, value_name = "DURATION")]
        expires: Option<String>,
        /// A network that it may be used from; repeat it for more [default: anywhere]
        #[arg(long = "network", value_name = "CIDR")]
        networks: Vec<String>,
    },
    /// List the keys
    List,
    /// Revoke a key, by its ID or name
    Rm { id: String },
}

impl ApiKeyArgs {
    pub(super) fn run(self, global: &Global) -> u8 {
        match self.verb {
            Verb::New { name, scopes, expires, networks } => global.execute(Command::ApiKeyNew { name, scopes, expires, networks }, made),
            Verb::List => global.execute(Command::ApiKeyList, table),
            Verb::Rm { id } => {
                global.execute(Command::ApiKeyRemove { id }, |value, _| format!("revoked API key \"{}\"\n", text(value, "removed")))
            }
        }
    }
}

fn made(value: &Value, style: Style) -> String {
    let mut facts = Facts::default();
    facts.add("id", text(value, "id"));
    facts.add("name", text(value, "name"));
    facts.add("scopes", text(value, "scopes"));
    facts.add("expires", time(value, "expires"));
    facts.add("key", text(value, "key"));
    format!("{}  {}\n", facts.to_text(), style.dim("The key is not shown again."))
}

fn table(value: &Value, _: Style) -> String {
    let mut table = Table::new(&["ID", "NAME", "SCOPES", "EXPIRES", "NETWORKS"], "No API keys.");
    for key in items(value) {
        let expires = match time(key, "expires") {
            time if time.is_empty() => "never".to_owned(),
            time => time,
        };
        table.row([text(key, "id"), text(key, "name"), text(key, "scopes"), expires, text(key, "networks")]);
    }
    table.to_text()
}
