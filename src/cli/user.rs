//! `linkspan user`.

use clap::{Args, Subcommand};
use serde_json::Value;

use crate::cli::output::{self, Failure, Style, items, list, plain, text, time};
use crate::cli::table::{Facts, Table};
use crate::cli::{Global, import, input};
use crate::flows::command::{Command, Reply, UserAdd};

/// People who sign in
#[derive(Debug, Args)]
pub(super) struct UserArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Add(Add),
    /// List people
    #[command(after_help = "Examples:\n  linkspan user list\n  linkspan user list example.com")]
    List {
        /// Only those whose name, e-mail or display name contains this
        filter: Option<String>,
    },
    /// Show one person
    Show {
        name: String,
    },
    /// Change a person; an empty value clears
    #[command(
        after_help = "Examples:\n  linkspan user set ada email=ada@example.com\n  linkspan user set ada group=staff group=admins attr.givenName=Ada\n  \
                            linkspan user set ada admin=true"
    )]
    Set {
        name: String,
        /// name, email, display_name, admin, group (repeat it; replaces all), attr.NAME (repeat it for several values)
        #[arg(value_name = "KEY=VALUE", required = true, value_parser = input::key_value)]
        settings: Vec<(String, String)>,
    },
    /// Set a person's password
    #[command(
        after_help = "Examples:\n  linkspan user passwd ada\n  printf '%s\\n' \"$PASSWORD\" | linkspan user passwd ada --password-stdin"
    )]
    Passwd {
        name: String,
        /// Read the password from the first line of standard input
        #[arg(long)]
        password_stdin: bool,
    },
    /// Let nobody sign in under this name, and end its sessions
    Disable {
        name: String,
    },
    /// Let a disabled person sign in again
    Enable {
        name: String,
    },
    /// Remove a person
    Rm {
        name: String,
        /// Do not ask
        #[arg(short, long)]
        yes: bool,
    },
    /// Add people from a CSV or JSON file
    #[command(
        after_help = "CSV needs a header line: name, email, display_name, groups (separated by ;), password, password_hash, admin.\n\
                            Every other column is an attribute, with or without \"attr.\" in front; repeat a column for several values.\n\
                            JSON is a list of {\"name\", \"email\", \"display_name\", \"groups\": […], \"attributes\": {\"sn\": …}}.\n\n\
                            Examples:\n  linkspan user import people.csv --dry-run\n  linkspan user import people.json --update"
    )]
    Import {
        #[arg(value_name = "FILE.csv|FILE.json")]
        file: String,
        /// Only say what would happen
        #[arg(long)]
        dry_run: bool,
        /// Change people who exist instead of refusing them
        #[arg(long)]
        update: bool,
    },
}

/// Add a person
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  linkspan user add ada --email ada@example.com --display-name \"Ada Lovelace\" --group staff\n  \
                        printf '%s\\n' \"$PASSWORD\" | linkspan user add ada --attr givenName=Ada --password-stdin")]
struct Add {
    /// The name to sign in with
    name: String,
    #[arg(long, value_name = "E")]
    email: Option<String>,
    #[arg(long, value_name = "D")]
    display_name: Option<String>,
    /// A group to be in, made if it is missing; repeat it for more
    #[arg(long = "group", value_name = "G")]
    groups: Vec<String>,
    /// An attribute; repeat it for more, and for several values
    #[arg(long = "attr", value_name = "K=V", value_parser = input::key_value)]
    attributes: Vec<(String, String)>,
    /// Read the password from the first line of standard input
    #[arg(long, conflicts_with = "no_password")]
    password_stdin: bool,
    /// Set no password and do not ask for one
    #[arg(long)]
    no_password: bool,
}

impl UserArgs {
    pub(super) fn run(self, global: &Global) -> u8 {
        match self.verb {
            Verb::Add(add) => global.execute_made(add.command(), sheet),
            Verb::List { filter } => listed(global, filter),
            Verb::Show { name } => global.execute(Command::UserShow { name }, sheet),
            Verb::Set { name, settings } => global.execute(Command::UserSet { name, settings }, sheet),
            Verb::Passwd { name, password_stdin } => {
                let command = input::password(password_stdin).map(|password| Command::UserPassword { name, password });
                global.execute_made(command, |value, _| format!("password set{}\n", of(value)))
            }
            Verb::Disable { name } => global.execute(Command::UserEnable { name, enabled: false }, sheet),
            Verb::Enable { name } => global.execute(Command::UserEnable { name, enabled: true }, sheet),
            Verb::Rm { name, yes } => {
                let sure = input::confirm(&format!("Remove the person \"{name}\"?"), yes);
                global
                    .execute_made(sure.map(|()| Command::UserRemove { name }), |value, _| format!("removed: {}\n", text(value, "removed")))
            }
            Verb::Import { file, dry_run, update } => import::run(global, &file, dry_run, update),
        }
    }
}

impl Add {
    fn command(self) -> Result<Command, Failure> {
        let asks = self.password_stdin || !self.no_password && input::is_interactive();
        let password = if asks { Some(input::password(self.password_stdin)?) } else { None };
        Ok(Command::UserAdd(UserAdd {
            name: self.name,
            email: self.email,
            display_name: self.display_name,
            groups: self.groups,
            attributes: self.attributes,
            password,
            password_hash: None,
            admin: false,
        }))
    }
}

/// Fetches page after page, so that a big directory never has to fit into one answer.
fn listed(global: &Global, filter: Option<String>) -> u8 {
    const PAGE: u32 = 500;
    let mut people: Vec<Value> = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let command = Command::UserList { filter: filter.clone(), after: after.take(), limit: Some(PAGE) };
        let reply = match global.ask(&command) {
            Ok(reply) => reply,
            Err(exit) => return exit,
        };
        if reply.error.is_some() {
            return global.end(&reply);
        }
        people.extend_from_slice(items(&reply.value));
        after = reply.value.get("next").and_then(Value::as_str).map(str::to_owned);
        if after.is_none() {
            return output::print_reply(global.output, &Reply { value: Value::Array(people), ..reply }, table);
        }
    }
}

fn of(value: &Value) -> String {
    match text(value, "name") {
        name if name.is_empty() => String::new(),
        name => format!(": {name}"),
    }
}

fn table(value: &Value, _: Style) -> String {
    let mut table = Table::new(&["NAME", "E-MAIL", "DISPLAY NAME", "STATE", "GROUPS"], "Nobody. Add somebody with: linkspan user add NAME");
    for user in items(value) {
        table.row([text(user, "name"), text(user, "email"), text(user, "display_name"), state(user), text(user, "groups")]);
    }
    table.to_text()
}

fn state(user: &Value) -> String {
    let flag = |key: &str| user.get(key).and_then(Value::as_bool);
    let mut words = Vec::new();
    if flag("enabled") == Some(false) {
        words.push("disabled");
    }
    if flag("admin") == Some(true) {
        words.push("administrator");
    }
    if flag("has_password") == Some(false) {
        words.push("no password");
    }
    if words.is_empty() { "active".to_owned() } else { words.join(", ") }
}

fn sheet(value: &Value, _: Style) -> String {
    let mut facts = Facts::default();
    facts.add("name", text(value, "name"));
    facts.add("id", text(value, "id"));
    facts.add("e-mail", text(value, "email"));
    facts.add("display name", text(value, "display_name"));
    facts.add("state", state(value));
    facts.add("groups", list(value, "groups").iter().map(plain).collect::<Vec<_>>().join(", "));
    for (name, values) in value.get("attributes").and_then(Value::as_object).into_iter().flatten() {
        facts.add("attributes", format!("{name} = {}", plain(values)));
    }
    facts.add("created", time(value, "created"));
    facts.add("updated", time(value, "updated"));
    facts.to_text()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn people_are_listed_with_what_keeps_them_out() {
        let people = json!([
            { "name": "ada", "email": "ada@example.com", "display_name": "Ada", "admin": true, "enabled": true, "has_password": true, "groups": ["a", "b"] },
            { "name": "bo", "email": null, "enabled": false, "has_password": false, "groups": [] },
        ]);
        assert_eq!(
            table(&people, Style::default()),
            "NAME  E-MAIL           DISPLAY NAME  STATE                  GROUPS\n\
             ada   ada@example.com  Ada           administrator          a, b\n\
             bo                                   disabled, no password\n"
        );
    }

    #[test]
    fn a_sheet_has_attributes_line_by_line() {
        let user = json!({ "name": "ada", "enabled": true, "attributes": { "givenName": ["Ada"], "phone": ["1", "2"] }, "created": 0 });
        assert_eq!(
            sheet(&user, Style::default()),
            "  name        ada\n  state       active\n  attributes  givenName = Ada\n              phone = 1, 2\n  created     1970-01-01 00:00:00\n"
        );
    }
}
