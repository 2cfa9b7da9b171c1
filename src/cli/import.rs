//! `linkspan user import`: people from CSV or JSON.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::cli::output::{self, Failure, Style, failed, items, list, text};
use crate::cli::{Global, input};
use crate::config::nearest::nearest;
use crate::flows::command::{Command, Reply, UserAdd};
use crate::model::secret::Secret;
use crate::model::user::User;

/// The largest file.
const LARGEST: u64 = 64 << 20;
/// People in one command: passwords are hashed one by one, and an answer should not take minutes.
const PORTION: usize = 200;
const COLUMNS: [&str; 7] = ["name", "email", "display_name", "groups", "password", "password_hash", "admin"];

/// People with their places, `line 3` of a CSV file or `entry 2` of a JSON list, and what should be looked at.
#[derive(Debug, Default)]
struct Parsed {
    people: Vec<(String, UserAdd)>,
    notes: Vec<String>,
}

/// Reads the file, then gives it to the server in portions. Where the file itself is wrong nothing is imported; people whom the
/// server refuses are named, and the others imported.
pub(super) fn run(global: &Global, file: &str, dry_run: bool, update: bool) -> u8 {
    let parsed = match input::read_text(file, LARGEST).and_then(|text| parse(file, &text)) {
        Ok(parsed) => parsed,
        Err(failure) => return failure.print(),
    };
    for note in &parsed.notes {
        output::note(&format!("note: {note}\n"));
    }
    let mut results: Vec<Value> = Vec::new();
    let mut exit = 0;
    for portion in parsed.people.chunks(PORTION) {
        let people = portion.iter().map(|(_, user)| user.clone()).collect();
        let reply = match global.ask(&Command::UserImport { people, update, dry_run }) {
            Ok(reply) => reply,
            Err(exit) => return exit,
        };
        results.extend(portion.iter().zip(outcomes(&reply.value)).map(|((place, user), outcome)| with_place(place, user, outcome)));
        exit = exit.max(reply.exit);
        if reply.error.is_some() {
            let done = json!({ "dry_run": dry_run, "people": results });
            return output::print_reply(global.output, &Reply { value: done, ..reply }, to_text);
        }
    }
    let done = Reply { exit, ..Reply::ok(json!({ "dry_run": dry_run, "people": results })) };
    output::print_reply(global.output, &done, to_text)
}

/// What the server says of each person, in their order.
fn outcomes(value: &Value) -> impl Iterator<Item = &Value> {
    let people = list(value, "people");
    if people.is_empty() { items(value) } else { people }.iter()
}

fn with_place(place: &str, user: &UserAdd, outcome: &Value) -> Value {
    let mut object = outcome.as_object().cloned().unwrap_or_default();
    object.insert("place".to_owned(), json!(place));
    object.entry("name").or_insert_with(|| json!(user.name));
    Value::Object(object)
}

/// Counts results; names each person who was refused.
fn to_text(value: &Value, style: Style) -> String {
    let mut counts: Vec<(String, usize)> = Vec::new();
    let mut out = String::new();
    for person in list(value, "people") {
        let result = match text(person, "result") {
            result if result.is_empty() => "done".to_owned(),
            result => result,
        };
        let cause = text(person, "cause");
        if !cause.is_empty() {
            let fix = match text(person, "remedy") {
                fix if fix.is_empty() => fix,
                fix => format!("\n      fix  {fix}"),
            };
            out.push_str(&format!("  {} {}  {}  {cause}{fix}\n", style.bad("✗"), text(person, "place"), text(person, "name")));
        }
        match counts.iter_mut().find(|(known, _)| *known == result) {
            Some((_, count)) => *count += 1,
            None => counts.push((result, 1)),
        }
    }
    let counts: Vec<String> = counts.into_iter().map(|(result, count)| format!("{count} {result}")).collect();
    let dry = if value.get("dry_run").and_then(Value::as_bool) == Some(true) { "  (dry run: nothing was changed)" } else { "" };
    format!("{out}{}{dry}\n", if counts.is_empty() { "nobody".to_owned() } else { counts.join(", ") })
}

fn parse(file: &str, text: &str) -> Result<Parsed, Failure> {
    let text = text.trim_start_matches('\u{feff}');
    let is_json = file.ends_with(".json") || !file.ends_with(".csv") && text.trim_start().starts_with(['[', '{']);
    let parsed = if is_json { parse_json(file, text)? } else { parse_csv(file, text)? };
    let mut problems = Vec::new();
    let mut seen: HashMap<String, &str> = HashMap::new();
    for (place, user) in &parsed.people {
        if user.name.trim().is_empty() {
            problems.push(format!("{place}: the name is empty"));
        } else if let Some(first) = seen.insert(User::fold(&user.name), place) {
            problems.push(format!("{place}: {} stands there already, at {first}", user.name));
        }
        if user.password.is_some() && user.password_hash.is_some() {
            problems.push(format!("{place}: {} has a password and a password_hash", user.name));
        }
    }
    if problems.is_empty() {
        return Ok(parsed);
    }
    let more = problems.len().saturating_sub(20);
    problems.truncate(20);
    let more = if more > 0 { format!("; and {more} more") } else { String::new() };
    Err(wrong(file, &format!("{}{more}", problems.join("; "))))
}

fn parse_csv(file: &str, text: &str) -> Result<Parsed, Failure> {
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text.as_bytes());
    let header: Vec<String> = match reader.headers() {
        Ok(header) => header.iter().map(|name| name.trim().to_owned()).collect(),
        Err(error) => return Err(wrong(file, &error.to_string())),
    };
    let mut parsed = Parsed::default();
    let columns: Vec<Column> = header.iter().map(|name| Column::of(name, &mut parsed.notes)).collect();
    if !columns.contains(&Column::Known("name")) {
        return Err(wrong(file, &format!("the first line names no column \"name\"; it names {}", header.join(", "))));
    }
    for record in reader.records() {
        let record = record.map_err(|error| wrong(file, &error.to_string()))?;
        let place = format!("line {}", record.position().map_or(0, |at| line_of(text, at.byte())));
        let mut user = UserAdd::default();
        for (column, value) in columns.iter().zip(record.iter()) {
            fill(&mut user, column, value).map_err(|cause| wrong(file, &format!("{place}: {cause}")))?;
        }
        parsed.people.push((place, user));
    }
    Ok(parsed)
}

/// The line of a record; the reader says where the empty lines before it begin.
fn line_of(text: &str, byte: u64) -> usize {
    let (before, after) = usize::try_from(byte).ok().and_then(|at| text.split_at_checked(at)).unwrap_or((text, ""));
    let empty = after.chars().take_while(|c| c.is_ascii_whitespace()).filter(|c| *c == '\n').count();
    before.matches('\n').count() + empty + 1
}

#[derive(Debug, PartialEq, Eq)]
enum Column {
    Known(&'static str),
    Attribute(String),
}

impl Column {
    fn of(name: &str, notes: &mut Vec<String>) -> Self {
        let folded = name.to_lowercase().replace(['-', ' '], "_");
        let alias = match folded.as_str() {
            "username" | "user_name" | "user" | "login" | "uid" => "name",
            "mail" | "e_mail" => "email",
            "displayname" => "display_name",
            "group" => "groups",
            other => other,
        };
        if let Some(known) = COLUMNS.into_iter().find(|known| *known == alias) {
            return Self::Known(known);
        }
        let attribute = name.strip_prefix("attr.");
        if attribute.is_none()
            && let Some(near) = nearest(&folded, COLUMNS).filter(|near| near.is_close)
        {
            notes.push(format!("the column \"{name}\" becomes an attribute; was \"{}\" meant?", near.name));
        }
        Self::Attribute(attribute.unwrap_or(name).to_owned())
    }
}

fn fill(user: &mut UserAdd, column: &Column, value: &str) -> Result<(), String> {
    let some = (!value.is_empty()).then(|| value.to_owned());
    match column {
        Column::Known("name") => user.name = value.to_owned(),
        Column::Known("email") => user.email = some,
        Column::Known("display_name") => user.display_name = some,
        Column::Known("groups") => user.groups = split_groups(value),
        Column::Known("password") => user.password = some.map(Secret::new),
        Column::Known("password_hash") => user.password_hash = some,
        Column::Known(_) => user.admin = truth(value)?,
        Column::Attribute(name) => user.attributes.extend(some.map(|value| (name.clone(), value))),
    }
    Ok(())
}

fn split_groups(value: &str) -> Vec<String> {
    value.split(';').map(str::trim).filter(|group| !group.is_empty()).map(str::to_owned).collect()
}

fn truth(value: &str) -> Result<bool, String> {
    match value.to_lowercase().as_str() {
        "" | "false" | "no" | "0" => Ok(false),
        "true" | "yes" | "1" => Ok(true),
        _ => Err(format!("admin is \"{value}\", neither true nor false")),
    }
}

/// A person in a JSON file; what `user list -o json` prints can be read again.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Person {
    name: String,
    #[serde(default)]
    email: Option<String>,
    #[serde(default)]
    display_name: Option<String>,
    #[serde(default)]
    groups: Vec<String>,
    #[serde(default)]
    attributes: serde_json::Map<String, Value>,
    #[serde(default)]
    password: Option<Secret<String>>,
    #[serde(default)]
    password_hash: Option<String>,
    #[serde(default)]
    admin: bool,
    // Facts of the directory that it came from: they are made anew.
    #[serde(default, rename = "id")]
    _id: Option<Value>,
    #[serde(default, rename = "enabled")]
    _enabled: Option<Value>,
    #[serde(default, rename = "has_password")]
    _has_password: Option<Value>,
    #[serde(default, rename = "created")]
    _created: Option<Value>,
    #[serde(default, rename = "updated")]
    _updated: Option<Value>,
    #[serde(default, rename = "revision")]
    _revision: Option<Value>,
}

fn parse_json(file: &str, text: &str) -> Result<Parsed, Failure> {
    let people: Vec<Person> = serde_json::from_str(text).map_err(|error| wrong(file, &error.to_string()))?;
    let mut parsed = Parsed::default();
    for (at, person) in people.into_iter().enumerate() {
        let mut attributes = Vec::new();
        for (name, value) in person.attributes {
            let values = match value {
                Value::Array(values) => values,
                value => vec![value],
            };
            attributes.extend(values.iter().filter(|value| !value.is_null()).map(|value| {
                let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                (name.clone(), value)
            }));
        }
        let user = UserAdd {
            name: person.name,
            email: person.email,
            display_name: person.display_name,
            groups: person.groups,
            attributes,
            password: person.password,
            password_hash: person.password_hash,
            admin: person.admin,
        };
        parsed.people.push((format!("entry {}", at + 1), user));
    }
    Ok(parsed)
}

fn wrong(file: &str, cause: &str) -> Failure {
    failed(1, format!("{file}: {cause}"), "correct the file; nothing was imported. The form is in: linkspan user import --help")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cause(file: &str, text: &str) -> String {
        parse(file, text).unwrap_err().cause
    }

    #[test]
    fn csv_columns_become_fields_groups_and_attributes() {
        let parsed = parse(
            "people.csv",
            "\u{feff}Username, E-Mail ,display_name,groups,givenName,attr.phone,attr.phone,admin\n\
             ada,ada@example.com,\"Lovelace, Ada\",staff; admins;,Ada,1,2,yes\n\nbo,,,,,,,\n",
        )
        .unwrap();

        let (place, ada) = &parsed.people[0];
        assert_eq!(place, "line 2");
        assert_eq!(
            (ada.name.as_str(), ada.email.as_deref(), ada.display_name.as_deref()),
            ("ada", Some("ada@example.com"), Some("Lovelace, Ada"))
        );
        assert_eq!(ada.groups, ["staff", "admins"]);
        let attributes: Vec<(&str, &str)> = ada.attributes.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(attributes, [("givenName", "Ada"), ("phone", "1"), ("phone", "2")]);
        assert!(ada.admin);
        let (place, bo) = &parsed.people[1];
        assert_eq!((place.as_str(), bo.email.as_deref(), bo.attributes.len()), ("line 4", None, 0));
    }

    #[test]
    fn a_column_that_looks_mistyped_is_noted() {
        let parsed = parse("people.csv", "name,emial\nada,x\n").unwrap();
        assert_eq!(parsed.notes, ["the column \"emial\" becomes an attribute; was \"email\" meant?"]);
    }

    #[test]
    fn json_takes_single_and_several_values_and_what_we_print_ourselves() {
        let parsed = parse(
            "people.json",
            "[\n {\"name\": \"ada\", \"groups\": [\"a\"], \"attributes\": {\"sn\": \"L\", \"phone\": [\"1\", 2]}, \"id\": \"u_1\", \"enabled\": true},\n {\"name\": \"bo\"}]",
        )
        .unwrap();
        assert_eq!(parsed.people[0].0, "entry 1");
        assert_eq!(parsed.people[0].1.attributes.len(), 3);
        assert_eq!(parsed.people[1].1.name, "bo");
    }

    #[test]
    fn what_is_wrong_is_told_by_line_and_nothing_is_taken() {
        for (file, text, part) in [
            ("p.csv", "email\nx\n", "no column \"name\""),
            ("p.csv", "name,admin\nada,maybe\n", "line 2: admin is \"maybe\""),
            ("p.csv", "name,email\nada\n", "line: 2"),
            ("p.csv", "name\nada\n\"\"\n", "line 3: the name is empty"),
            ("p.csv", "name\nada\nAda\n", "line 3: Ada stands there already, at line 2"),
            ("p.csv", "name,password,password_hash\nada,x,y\n", "a password and a password_hash"),
            ("p.json", "[\n{\"name\": \"ada\"},\n{\"nam\": \"bo\"}]", "unknown field `nam`"),
            ("p.json", "{}", "expected a sequence"),
        ] {
            let cause = cause(file, text);
            assert!(cause.contains(part), "{part}: {cause}");
        }
    }

    #[test]
    fn refused_people_are_named_with_their_lines() {
        let value = json!({ "dry_run": true, "people": [
            { "place": "line 2", "name": "ada", "result": "created" },
            { "place": "line 3", "name": "bo", "result": "refused", "cause": "the name is taken" },
        ] });
        assert_eq!(
            to_text(&value, Style::default()),
            "  ✗ line 3  bo  the name is taken\n1 created, 1 refused  (dry run: nothing was changed)\n"
        );
    }
}
