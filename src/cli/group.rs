//! `linkspan group`.

use clap::{Args, Subcommand};
use serde_json::Value;

use crate::cli::output::{Style, items, plain, text};
use crate::cli::table::Table;
use crate::cli::{Global, input};
use crate::flows::command::Command;

/// Groups of people
#[derive(Debug, Args)]
pub(super) struct GroupArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List the groups
    List,
    /// Add a group
    Add { name: String },
    /// Remove a group and everybody's membership in it
    Rm {
        name: String,
        /// Do not ask
        #[arg(short, long)]
        yes: bool,
    },
    /// Put a person into a group
    #[command(after_help = "Examples:\n  linkspan group add-member staff ada")]
    AddMember { group: String, user: String },
    /// Take a person out of a group
    #[command(after_help = "Examples:\n  linkspan group rm-member staff ada")]
    RmMember { group: String, user: String },
}

impl GroupArgs {
    pub(super) fn run(self, global: &Global) -> u8 {
        match self.verb {
            Verb::List => global.execute(Command::GroupList, table),
            Verb::Add { name } => global.execute(Command::GroupAdd { name }, |value, _| format!("added group \"{}\"\n", name_of(value))),
            Verb::Rm { name, yes } => {
                let sure = input::confirm(&format!("Remove the group \"{name}\"?"), yes);
                let removed = |value: &Value, _| format!("removed group \"{}\"\n", text(value, "removed"));
                global.execute_made(sure.map(|()| Command::GroupRemove { name }), removed)
            }
            Verb::AddMember { group, user } => global.execute(Command::GroupMember { group, user, member: true }, groups_of),
            Verb::RmMember { group, user } => global.execute(Command::GroupMember { group, user, member: false }, groups_of),
        }
    }
}

fn name_of(value: &Value) -> String {
    if value.is_object() { text(value, "name") } else { plain(value) }
}

fn groups_of(value: &Value, _: Style) -> String {
    let groups = text(value, "groups");
    format!("{} is in {}\n", text(value, "name"), if groups.is_empty() { "no group" } else { &groups })
}

fn table(value: &Value, _: Style) -> String {
    let mut table = Table::new(&["NAME", "MEMBERS"], "No groups yet. Add one with: linkspan group add NAME");
    for group in items(value) {
        table.row([name_of(group), text(group, "members")]);
    }
    table.to_text()
}
