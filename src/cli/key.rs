//! `linkspan key`.

use clap::{Args, Subcommand};
use serde_json::Value;

use crate::cli::output::{Failure, Style, items, text, time};
use crate::cli::table::Table;
use crate::cli::{Global, input};
use crate::flows::command::Command;
use crate::model::secret::Secret;

/// Signing keys
#[derive(Debug, Args)]
#[command(after_help = "A roll-over: linkspan key new, wait until the apps have our new metadata, linkspan key promote ID, wait again,\n\
                        linkspan key retire ID.")]
pub(super) struct KeyArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List the keys: next (published), active (signs), published (verifies only), retired
    List,
    /// Make a next key of each algorithm, or of one
    #[command(after_help = "Examples:\n  linkspan key new\n  linkspan key new --algorithm RSA-2048")]
    New {
        /// RSA-2048 or EC-P256
        #[arg(long, value_name = "ALGORITHM")]
        algorithm: Option<String>,
    },
    /// Let a next key sign; the one that signed so far stays published
    Promote { id: String },
    /// Take a key out of everything that is published
    Retire { id: String },
    /// Take over a private key, as the one of an identity provider that this server replaces
    #[command(after_help = "Examples:\n  linkspan key import old-idp.key --certificate old-idp.crt\n  \
                            linkspan key import old-idp.key --passphrase-file pass")]
    Import {
        /// PEM file of the private key, or - for standard input
        #[arg(value_name = "FILE|-")]
        key: String,
        /// PEM file of its certificate [default: a new one is made]
        #[arg(long, value_name = "FILE")]
        certificate: Option<String>,
        /// A file that holds the passphrase of the private key
        #[arg(long, value_name = "FILE")]
        passphrase_file: Option<String>,
    },
}

impl KeyArgs {
    pub(super) fn run(self, global: &Global) -> u8 {
        let command = match self.verb {
            Verb::List => Ok(Command::KeyList),
            Verb::New { algorithm } => Ok(Command::KeyNew { algorithm }),
            Verb::Promote { id } => Ok(Command::KeyPromote { id }),
            Verb::Retire { id } => Ok(Command::KeyRetire { id }),
            Verb::Import { key, certificate, passphrase_file } => import(&key, certificate.as_deref(), passphrase_file.as_deref()),
        };
        global.execute_made(command, to_text)
    }
}

fn import(key: &str, certificate: Option<&str>, passphrase_file: Option<&str>) -> Result<Command, Failure> {
    const LARGEST: u64 = 1 << 20;
    let passphrase = passphrase_file.map(|file| input::read_text(file, LARGEST)).transpose()?;
    Ok(Command::KeyImport {
        key: Secret::new(input::read_text(key, LARGEST)?),
        certificate: certificate.map(|file| input::read_text(file, LARGEST)).transpose()?,
        passphrase: passphrase.map(|text| Secret::new(text.trim_end_matches(['\r', '\n']).to_owned())),
    })
}

/// One key or a list of them.
pub(super) fn to_text(value: &Value, _: Style) -> String {
    let mut table = Table::new(&["ID", "USE", "ALGORITHM", "STATE", "CREATED", "KID"], "No keys.");
    let one = std::slice::from_ref(value);
    for key in if value.get("id").is_some() { one } else { items(value) } {
        table.row([text(key, "id"), text(key, "use"), text(key, "algorithm"), text(key, "state"), time(key, "created"), text(key, "kid")]);
    }
    table.to_text()
}
