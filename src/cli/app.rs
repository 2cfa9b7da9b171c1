//! `linkspan app`.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::{Args, Subcommand};
use serde_json::Value;

use crate::cli::output::{self, Failure, Format, Style, items, list, plain, text, time};
use crate::cli::table::{Facts, Table};
use crate::cli::{Global, checks, input};
use crate::flows::command::{AppAdd, AppInput, Command};

/// Apps that people sign in to
#[derive(Debug, Args)]
pub(super) struct AppArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Add(Add),
    /// List the apps
    List,
    /// Show one app: endpoints, keys, settings, findings
    #[command(after_help = "Examples:\n  linkspan app show grafana\n  linkspan app show grafana -o json")]
    Show {
        id: String,
    },
    /// Change settings of an app; an empty value returns a key to its default
    #[command(
        after_help = "Examples:\n  linkspan app set grafana saml.sign=both\n  linkspan app set grafana saml.nameid.format=emailAddress enabled=false\n  \
                            linkspan app set grafana saml.scope="
    )]
    Set {
        id: String,
        /// saml.sign=assertion|response|both, saml.encrypt=never|when_possible|always, saml.nameid.format=…, enabled=true|false, …
        #[arg(value_name = "KEY=VALUE", required = true, value_parser = input::key_value)]
        settings: Vec<(String, String)>,
    },
    /// Say what is wrong or doubtful in metadata; 3 if there is something
    #[command(after_help = "Examples:\n  linkspan app lint metadata.xml\n  linkspan app lint grafana")]
    Lint {
        /// A file, a URL, - for standard input, or the ID of an app
        #[arg(value_name = "FILE|URL|-|ID")]
        what: String,
    },
    /// Print the very assertion that an app would receive about a person
    #[command(after_help = "Examples:\n  linkspan app preview grafana --user ada")]
    Preview {
        id: String,
        #[arg(long, value_name = "USER")]
        user: String,
    },
    /// Try a whole sign-in without a browser, and check the answer as the app would
    #[command(after_help = "Examples:\n  linkspan app test grafana --as ada")]
    Test {
        id: String,
        /// Who signs in
        #[arg(long = "as", value_name = "USER")]
        user: String,
    },
    /// Fetch the metadata of an app that was added from a URL again
    Refresh {
        id: String,
    },
    /// Remove an app
    Rm {
        id: String,
        /// Do not ask
        #[arg(short, long)]
        yes: bool,
    },
}

/// Add an app by its SAML metadata
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  linkspan app add metadata.xml\n  linkspan app add https://grafana.example.com/saml/metadata --preset basic --preset groups\n  \
                        linkspan app add aggregate.xml --entity https://sp.example.org/shibboleth --signer federation.pem\n  \
                        curl -s https://sp.internal/metadata | linkspan app add -"
)]
struct Add {
    /// Where the metadata is: a file, a URL, or - for standard input
    #[arg(value_name = "FILE|URL|-")]
    source: String,
    /// What people call the app [default: the name in the metadata]
    #[arg(long, value_name = "N")]
    name: Option<String>,
    /// What kind of app it is
    #[arg(long = "type", value_name = "TYPE", value_parser = ["saml"], default_value = "saml")]
    kind: String,
    /// Take new metadata for an app that is known; its settings stay
    #[arg(long)]
    replace: bool,
    /// What the app is told about people: basic (the default), groups, eduperson, microsoft, aws; they add up
    #[arg(long = "preset", value_name = "P")]
    presets: Vec<String>,
    /// PEM file of the certificate that must have signed the metadata
    #[arg(long, value_name = "CERT")]
    signer: Option<String>,
    /// Which of several entities to take
    #[arg(long, value_name = "ENTITY_ID")]
    entity: Option<String>,
    /// Take metadata whose validUntil has passed
    #[arg(long)]
    accept_expired: bool,
    /// Send assertions to plain http addresses of this app
    #[arg(long)]
    allow_http: bool,
}

impl AppArgs {
    pub(super) fn run(self, global: &Global) -> u8 {
        match self.verb {
            Verb::Add(add) => global.execute_made(add.command(), added),
            Verb::List => global.execute(Command::AppList, table),
            Verb::Show { id } => global.execute(Command::AppShow { id }, sheet),
            Verb::Set { id, settings } => global.execute(Command::AppSet { id, settings }, changed),
            Verb::Lint { what } => global.execute_made(lint(what), linted),
            Verb::Preview { id, user } => preview(global, &Command::AppPreview { id, user }),
            Verb::Test { id, user } => global.execute(Command::AppTest { id, user }, tested),
            Verb::Refresh { id } => global.execute(Command::AppRefresh { id }, added),
            Verb::Rm { id, yes } => {
                let sure = input::confirm(&format!("Remove the app \"{id}\" and its settings?"), yes);
                global.execute_made(sure.map(|()| Command::AppRemove { id }), |value, _| {
                    format!("removed app \"{}\"\n", text(value, "removed"))
                })
            }
        }
    }
}

impl Add {
    fn command(self) -> Result<Command, Failure> {
        let signer = self.signer.map(|file| input::read_text(&file, 1 << 20)).transpose()?;
        Ok(Command::AppAdd(AppAdd {
            input: source(&self.source)?,
            name: self.name,
            replace: self.replace,
            id: None,
            presets: self.presets,
            signer,
            entity: self.entity,
            accept_expired: self.accept_expired,
            allow_http: self.allow_http,
        }))
    }
}

/// Reads a document here, or leaves a URL to the server and its outbound guard.
fn source(name: &str) -> Result<AppInput, Failure> {
    if is_url(name) {
        return Ok(AppInput::Url(name.to_owned()));
    }
    let base64 = STANDARD.encode(input::read(name, input::LARGEST_METADATA)?);
    Ok(AppInput::Document { base64, origin: input::called(name).to_owned() })
}

fn is_url(name: &str) -> bool {
    name.starts_with("https://") || name.starts_with("http://")
}

fn lint(what: String) -> Result<Command, Failure> {
    if what == "-" || is_url(&what) || Path::new(&what).exists() {
        return Ok(Command::AppLint { input: Some(source(&what)?), id: None });
    }
    if crate::model::id::AppId::parse(what.as_str()).is_err() {
        return Err(output::failed(
            1,
            format!("{what} is no file, and no app can have this ID"),
            "give a file, or an ID of: linkspan app list",
        ));
    }
    Ok(Command::AppLint { input: None, id: Some(what) })
}

/// The XML alone on standard output, fit for a pipe; what should be known goes to standard error.
fn preview(global: &Global, command: &Command) -> u8 {
    let reply = match global.ask(command) {
        Ok(reply) => reply,
        Err(exit) => return exit,
    };
    if global.output == Format::Text {
        let notable: Vec<Value> = list(&reply.value, "checks").iter().filter(|check| text(check, "outcome") != "passed").cloned().collect();
        output::note(&checks::to_text(&notable, Style::of_stderr()));
        if reply.value.get("encrypted").and_then(Value::as_bool) == Some(true) {
            output::note("  The app receives it encrypted; this is what it then reads.\n");
        }
    }
    output::print_reply(global.output, &reply, |value, _| {
        let xml = value.get("xml").and_then(Value::as_str).unwrap_or_default();
        format!("{}\n", output::clean(xml).trim_end())
    })
}

fn table(value: &Value, style: Style) -> String {
    let mut table = Table::new(&["ID", "NAME", "TYPE", "STATE", "ENTITY ID"], "No apps yet. Add one with: linkspan app add metadata.xml");
    for app in items(value) {
        let state = match app.get("enabled").and_then(Value::as_bool) {
            Some(false) => "disabled".to_owned(),
            _ => badges(app),
        };
        table.row([text(app, "id"), text(app, "name"), text(app, "type"), state, text(app, "entity_id")]);
    }
    let _ = style;
    table.to_text()
}

/// `enabled`, with the allowances that weaken an app.
fn badges(app: &Value) -> String {
    let saml = app.get("saml").unwrap_or(&Value::Null);
    let allowed: Vec<&str> = ["allow_http", "allow_sha1", "allow_weak_keys", "allow_cbc"]
        .into_iter()
        .filter(|key| saml.get(key).and_then(Value::as_bool) == Some(true))
        .filter_map(|key| key.strip_prefix("allow_"))
        .collect();
    if allowed.is_empty() { "enabled".to_owned() } else { format!("enabled, allows {}", allowed.join(" ")) }
}

fn sheet(value: &Value, style: Style) -> String {
    let mut facts = Facts::default();
    facts.add("id", text(value, "id"));
    facts.add("name", text(value, "name"));
    facts.add("state", if value.get("enabled").and_then(Value::as_bool) == Some(false) { "disabled".to_owned() } else { badges(value) });
    facts.add("source", source_of(value));
    facts_of_metadata(value, &mut facts);
    settings_of(value, "saml", &mut facts);
    facts.add("created", time(value, "created"));
    facts.add("updated", time(value, "updated"));
    format!("{}{}", facts.to_text(), checks::findings(list(value, "findings"), style))
}

fn facts_of_metadata(value: &Value, facts: &mut Facts) {
    facts.add("entity", text(value, "entity_id"));
    for (label, key) in [("ACS", "acs"), ("logout", "slo")] {
        for endpoint in list(value, key) {
            facts.add(label, endpoint_text(endpoint));
        }
    }
    for key in list(value, "keys") {
        let expired = key.get("expired").and_then(Value::as_bool) == Some(true);
        let not_after = time(key, "not_after");
        let expiry = match (not_after.get(..10), expired) {
            (Some(day), true) => format!("  expired {day}"),
            (Some(day), false) => format!("  expires {day}"),
            (None, _) => String::new(),
        };
        facts.add("keys", format!("{} {}  {}{expiry}", text(key, "use"), short(&text(key, "fingerprint")), text(key, "algorithm")));
    }
    let formats = list(value, "name_id_formats").iter().map(|format| tail(&plain(format))).collect::<Vec<_>>();
    facts.add("NameID", formats.join(", "));
    if let Some(release) = value.get("release") {
        let rows: Vec<String> = list(release, "rows").iter().map(|row| text(row, "name")).collect();
        let presets = list(release, "presets").iter().map(plain).collect::<Vec<_>>().join(", ");
        facts.add("release", if presets.is_empty() { String::new() } else { format!("preset {presets}") });
        facts.add("release", rows.join(", "));
    }
}

fn endpoint_text(endpoint: &Value) -> String {
    let binding = tail(&text(endpoint, "binding"));
    let mut notes = Vec::new();
    if endpoint.get("default").and_then(Value::as_bool) == Some(true) {
        notes.push("default".to_owned());
    }
    if endpoint.get("usable").and_then(Value::as_bool) == Some(false) {
        notes.push("unusable".to_owned());
    }
    let index = text(endpoint, "index");
    if !index.is_empty() {
        notes.insert(0, format!("index {index}"));
    }
    let notes = if notes.is_empty() { String::new() } else { format!("  ({})", notes.join(", ")) };
    format!("{} {}{notes}", binding.strip_prefix("HTTP-").unwrap_or(&binding), text(endpoint, "location"))
}

/// The last part of a URN, which is what people call it.
fn tail(uri: &str) -> String {
    uri.rsplit(':').next().unwrap_or(uri).to_owned()
}

/// The ends of a fingerprint: `AB:12:…:9F`.
fn short(fingerprint: &str) -> String {
    match (fingerprint.get(..5), fingerprint.len().checked_sub(2).and_then(|at| fingerprint.get(at..))) {
        (Some(start), Some(end)) if fingerprint.len() > 12 => format!("{start}:…:{end}"),
        _ => fingerprint.to_owned(),
    }
}

fn source_of(value: &Value) -> String {
    match value.get("source") {
        Some(Value::Object(source)) => {
            let part = |key: &str| source.get(key).map(plain).unwrap_or_default();
            let signed = source.get("signer").is_some_and(|signer| !signer.is_null());
            format!("{} {}{}{}", part("kind"), part("url"), part("path"), if signed { " (signer pinned)" } else { "" })
                .trim_end()
                .to_owned()
        }
        Some(other) => plain(other),
        None => String::new(),
    }
}

/// Settings in their dotted form, those that differ from nothing.
fn settings_of(value: &Value, prefix: &str, facts: &mut Facts) {
    for (key, setting) in value.get(prefix).and_then(Value::as_object).into_iter().flatten() {
        match setting {
            Value::Object(inner) => {
                for (inner_key, setting) in inner {
                    facts.add("settings", format!("{prefix}.{key}.{inner_key}={}", setting_text(setting)));
                }
            }
            Value::Null | Value::Bool(false) => {}
            setting => facts.add("settings", format!("{prefix}.{key}={}", setting_text(setting))),
        }
    }
}

fn setting_text(setting: &Value) -> String {
    match setting {
        Value::Bool(flag) => flag.to_string(),
        other => plain(other),
    }
}

fn added(value: &Value, style: Style) -> String {
    if let Some(entities) = value.get("entities").and_then(Value::as_array) {
        let mut out = format!("{} entities in this document; nothing was imported. Choose one with --entity:\n", entities.len());
        for entity in entities {
            let id = if entity.is_object() { text(entity, "entity_id") } else { plain(entity) };
            out.push_str(&format!("  {id}  {}\n", text(entity, "name")).replace("  \n", "\n"));
        }
        return out;
    }
    let mut facts = Facts::default();
    let id = text(value, "id");
    if value.get("entity_id").is_none() {
        // A refusal, which shows what would have changed.
        facts.add("app", id);
        changes(value, "differs", &mut facts);
        return facts.to_text();
    }
    facts_of_metadata(value, &mut facts);
    let result = match text(value, "result") {
        result if result.is_empty() => "updated".to_owned(),
        result => result,
    };
    let hint = if result == "unchanged" { String::new() } else { format!("      preview: linkspan app preview {id} --user NAME") };
    facts.add(&result, format!("app \"{id}\"{hint}"));
    changes(value, "changed", &mut facts);
    format!("{}{}", facts.to_text(), checks::findings(list(value, "findings"), style))
}

fn changes(value: &Value, label: &str, facts: &mut Facts) {
    for change in list(value, "changes") {
        let side = |key: &str| match text(change, key) {
            text if text.is_empty() => "(unset)".to_owned(),
            text => text,
        };
        facts.add(label, format!("{}: {} → {}", text(change, "field"), side("before"), side("after")));
    }
}

fn changed(value: &Value, style: Style) -> String {
    let mut facts = Facts::default();
    facts.add("app", text(value, "id"));
    changes(value, "changed", &mut facts);
    if list(value, "changes").is_empty() {
        settings_of(value, "saml", &mut facts);
        facts.add("settings", value.get("enabled").map(|flag| format!("enabled={}", setting_text(flag))).unwrap_or_default());
    }
    let _ = style;
    facts.to_text()
}

fn linted(value: &Value, style: Style) -> String {
    let found = value.get("findings").and_then(Value::as_array).map_or_else(|| items(value), Vec::as_slice);
    if found.is_empty() {
        return format!("  {} nothing to report\n", style.good("✓"));
    }
    checks::findings(found, style)
}

fn tested(value: &Value, style: Style) -> String {
    let all = list(value, "checks");
    format!("{}\n{}", checks::to_text(all, style), checks::summary(all, style))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn app() -> Value {
        json!({
            "id": "grafana", "type": "saml", "entity_id": "https://g.example.com/saml/metadata", "name": "Grafana", "enabled": true,
            "source": { "kind": "url", "url": "https://g.example.com/saml/metadata", "signer": null },
            "saml": { "sign": "assertion", "encrypt": "when_possible", "allow_http": false, "allow_sha1": true, "nameid": { "format": "persistent" } },
            "release": { "presets": ["basic", "groups"], "rows": [] },
            "acs": [{ "binding": "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST", "location": "https://g.example.com/acs", "index": 0, "default": true, "usable": true }],
            "slo": [{ "binding": "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect", "location": "https://g.example.com/slo" }],
            "keys": [{ "use": "signing", "algorithm": "RSA 2048", "fingerprint": "AB:12:34:56:78:9F", "not_after": "2026-12-19T00:00:00Z", "expired": false }],
            "name_id_formats": ["urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"],
            "findings": [{ "code": "cert-expires-soon", "severity": "warning", "rule": "r", "value": "in 26 days", "remedy": "tell them" }],
            "created": "2026-11-24T10:00:00Z", "updated": "2026-11-24T10:00:00Z", "revision": 1, "result": "created"
        })
    }

    #[test]
    fn an_added_app_is_told_in_facts() {
        assert_eq!(
            added(&app(), Style::default()),
            "  entity   https://g.example.com/saml/metadata\n  \
               ACS      POST https://g.example.com/acs  (index 0, default)\n  \
               logout   Redirect https://g.example.com/slo\n  \
               keys     signing AB:12:…:9F  RSA 2048  expires 2026-12-19\n  \
               NameID   persistent\n  \
               release  preset basic, groups\n  \
               created  app \"grafana\"      preview: linkspan app preview grafana --user NAME\n  \
               ⚠ cert-expires-soon  in 26 days\n      rule r\n      fix  tell them\n"
        );
    }

    #[test]
    fn an_unchanged_app_says_so() {
        let mut app = app();
        app["result"] = json!("unchanged");
        assert!(added(&app, Style::default()).contains("unchanged  app \"grafana\"\n"));
    }

    #[test]
    fn a_refused_app_shows_only_what_differs() {
        let value = json!({ "id": "one", "changes": [{ "field": "acs", "before": "https://a", "after": null }] });
        assert_eq!(added(&value, Style::default()), "  app      one\n  differs  acs: https://a → (unset)\n");
    }

    #[test]
    fn several_entities_are_listed() {
        let value = json!({ "entities": [{ "entity_id": "urn:a", "name": "A" }, "urn:b"] });
        let text = added(&value, Style::default());
        assert!(text.contains("--entity:\n  urn:a  A\n  urn:b\n"), "{text}");
    }

    #[test]
    fn the_list_shows_what_weakens_an_app() {
        let text = table(&json!([app()]), Style::default());
        assert!(text.contains("grafana  Grafana  saml  enabled, allows sha1  https://g.example.com/saml/metadata"), "{text}");
        assert!(table(&json!([]), Style::default()).starts_with("No apps yet"));
    }

    #[test]
    fn a_sheet_shows_settings_in_the_form_in_which_they_are_set() {
        let text = sheet(&app(), Style::default());
        assert!(text.contains("saml.sign=assertion") && text.contains("saml.nameid.format=persistent"), "{text}");
    }

    #[test]
    fn values_with_missing_members_are_still_printed() {
        for render in [added, table, sheet, changed, linted, tested] {
            for value in [json!({}), json!([]), json!("text"), json!([{}]), json!({ "keys": [{}], "acs": [{}] })] {
                let _ = render(&value, Style::default());
            }
        }
    }
}
