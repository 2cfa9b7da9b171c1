//! `linkspan session`.

use clap::{Args, Subcommand};
use serde_json::Value;

use crate::cli::Global;
use crate::cli::output::{Style, items, list, text, time};
use crate::cli::table::Table;
use crate::flows::command::Command;

/// Live sessions
#[derive(Debug, Args)]
pub(super) struct SessionArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List live sessions, each with the apps that it reached
    #[command(after_help = "Examples:\n  linkspan session list\n  linkspan session list --user ada -o json")]
    List {
        #[arg(long, value_name = "U")]
        user: Option<String>,
    },
    /// End a session, or all of a person
    #[command(after_help = "Examples:\n  linkspan session end s_4f2k9c\n  linkspan session end --user ada")]
    End {
        #[arg(required_unless_present = "user", conflicts_with = "user")]
        id: Option<String>,
        #[arg(long, value_name = "U")]
        user: Option<String>,
    },
}

impl SessionArgs {
    pub(super) fn run(self, global: &Global) -> u8 {
        match self.verb {
            Verb::List { user } => global.execute(Command::SessionList { user }, to_text),
            Verb::End { id, user } => global.execute(Command::SessionEnd { id, user }, ended),
        }
    }
}

fn to_text(value: &Value, style: Style) -> String {
    let sessions = items(value);
    if sessions.is_empty() {
        return "No live sessions.\n".to_owned();
    }
    let mut out = String::new();
    for session in sessions {
        let methods: Vec<String> =
            list(session, "authn").iter().map(|event| format!("{} {}", text(event, "method"), time(event, "at"))).collect();
        let head = [text(session, "id"), user_of(session), format!("since {}", time(session, "created"))];
        out.push_str(&format!("{}  last seen {}  until {}\n", head.join("  "), time(session, "last_seen"), time(session, "expires")));
        let from =
            [text(session, "client"), text(session, "agent")].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("  ");
        out.push_str(&format!("  {} {}\n", style.dim("signed in by"), methods.join(", ")));
        if !from.is_empty() {
            out.push_str(&format!("  {} {from}\n", style.dim("from")));
        }
        let mut table = Table::new(&["  APP", "ENTITY ID", "SESSION INDEX", "NAMEID", "FIRST", "LAST"], "  no app yet");
        for participant in list(session, "participants") {
            let name_id = participant.get("name_id").unwrap_or(&Value::Null);
            let format = text(name_id, "format");
            let format = format.rsplit(':').next().unwrap_or_default();
            table.row([
                format!("  {}", text(participant, "app")),
                text(participant, "entity_id"),
                text(participant, "session_index"),
                format!("{} ({format})", text(name_id, "value")),
                time(participant, "first"),
                time(participant, "last"),
            ]);
        }
        out.push_str(&table.to_text());
        out.push('\n');
    }
    out
}

fn user_of(session: &Value) -> String {
    match text(session, "user_name") {
        name if name.is_empty() => text(session, "user"),
        name => name,
    }
}

fn ended(value: &Value, _: Style) -> String {
    let count = match value {
        Value::Array(list) => list.len().to_string(),
        Value::Object(_) if value.get("ended").is_some_and(Value::is_array) => list(value, "ended").len().to_string(),
        Value::Object(_) if value.get("ended").is_some() => text(value, "ended"),
        _ => "1".to_owned(),
    };
    match count.as_str() {
        "1" => "ended 1 session\n".to_owned(),
        count => format!("ended {count} sessions\n"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_session_shows_each_app_with_session_index_and_name_id() {
        let value = json!([{
            "id": "s_1", "user": "ada", "created": "2026-11-24T10:00:00Z", "last_seen": "2026-11-24T10:05:00Z", "expires": "2026-11-25T10:00:00Z",
            "client": "203.0.113.7", "agent": "Firefox", "authn": [{ "method": "password", "at": "2026-11-24T10:00:00Z" }],
            "participants": [{ "type": "saml", "app": "one", "entity_id": "urn:one", "session_index": "_i", "first": 0, "last": 0,
                               "name_id": { "value": "xyz", "format": "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent" } }]
        }]);
        assert_eq!(
            to_text(&value, Style::default()),
            "s_1  ada  since 2026-11-24 10:00:00  last seen 2026-11-24 10:05:00  until 2026-11-25 10:00:00\n  \
               signed in by password 2026-11-24 10:00:00\n  from 203.0.113.7  Firefox\n  \
               APP  ENTITY ID  SESSION INDEX  NAMEID            FIRST                LAST\n  \
               one  urn:one    _i             xyz (persistent)  1970-01-01 00:00:00  1970-01-01 00:00:00\n\n"
        );
    }

    #[test]
    fn ended_sessions_are_counted_whatever_form_the_reply_has() {
        assert_eq!(ended(&json!({ "ended": 3 }), Style::default()), "ended 3 sessions\n");
        assert_eq!(ended(&json!([{}, {}]), Style::default()), "ended 2 sessions\n");
        assert_eq!(ended(&json!({ "id": "s_1" }), Style::default()), "ended 1 session\n");
    }
}
