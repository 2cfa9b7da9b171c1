//! `linkspan saml`.

use clap::{Args, Subcommand};
use serde_json::map::Entry;
use serde_json::{Value, json};

use crate::cli::output::{self, Failure, Format, Style, items, list, text};
use crate::cli::table::Facts;
use crate::cli::{Global, checks, input};
use crate::flows::command::Command;
use crate::cli::decode::{self, Decoded};
use crate::saml::xml::tree::Element;
use crate::saml::xml::writer;

const SAML: &str = "urn:oasis:names:tc:SAML:2.0:assertion";
const SAMLP: &str = "urn:oasis:names:tc:SAML:2.0:protocol";
const DS: &str = "http://www.w3.org/2000/09/xmldsig#";
const SOAP: &str = "http://schemas.xmlsoap.org/soap/envelope/";

/// The largest thing that is pasted.
const LARGEST: u64 = 16 << 20;

/// Look at SAML messages
#[derive(Debug, Args)]
pub(super) struct SamlArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Print a message as XML with its facts; needs no server and judges nothing
    #[command(after_help = "Takes XML, base64, DEFLATE in base64, a whole URL, a query string, form fields, a self-posting page.\n\n\
                            Examples:\n  linkspan saml decode request.xml\n  pbpaste | linkspan saml decode -")]
    Decode {
        #[arg(value_name = "FILE|-")]
        file: String,
    },
    /// Judge a message as the server would, and print every check; 0 it would be accepted, 3 it would not
    #[command(after_help = "Examples:\n  linkspan saml explain url.txt\n  linkspan saml explain request.xml --at 2026-11-24T20:46:59Z\n  \
                            pbpaste | linkspan saml explain - --destination https://id.example.com/saml/sso")]
    Explain {
        #[arg(value_name = "FILE|-")]
        file: String,
        /// Judge it as at this time [default: now]
        #[arg(long, value_name = "TIME")]
        at: Option<String>,
        /// Judge it as received at this address [default: our own]
        #[arg(long, value_name = "URL")]
        destination: Option<String>,
    },
}

impl SamlArgs {
    pub(super) fn run(self, global: &Global) -> u8 {
        match self.verb {
            Verb::Decode { file } => match decoded(&file) {
                Ok(decoded) => {
                    show(global.output, &decoded);
                    0
                }
                Err(failure) => failure.print(),
            },
            Verb::Explain { file, at, destination } => {
                let message = input::read_text(&file, LARGEST);
                global.execute_made(message.map(|message| Command::SamlExplain { message, at, destination }), explained)
            }
        }
    }
}

fn decoded(file: &str) -> Result<Decoded, Failure> {
    let bytes = input::read(file, LARGEST)?;
    decode::decode(&bytes).map_err(|cause| {
        let remedy = "paste the whole message: XML, the value of SAMLRequest or SAMLResponse, or the URL that carried it";
        output::failed(1, format!("{}: {cause}", input::called(file)), remedy)
    })
}

fn show(format: Format, decoded: &Decoded) {
    let xml = writer::pretty(&decoded.root);
    let facts = facts(decoded);
    match format {
        Format::Json => {
            let mut by_label = serde_json::Map::new();
            for (label, value) in facts {
                match by_label.entry(label.replace(' ', "_")) {
                    Entry::Vacant(entry) => drop(entry.insert(json!(value))),
                    Entry::Occupied(mut entry) => match entry.get_mut() {
                        Value::Array(values) => values.push(json!(value)),
                        first => *first = json!([first.clone(), value]),
                    },
                }
            }
            output::print_json(&json!({ "facts": by_label, "xml": xml }));
        }
        Format::Text => {
            let mut sheet = Facts::default();
            for (label, value) in facts {
                sheet.add(label, output::clean(&value));
            }
            output::print(&format!("{}\n{}", sheet.to_text(), output::clean(&xml)));
        }
    }
}

/// What stands in the message, by name.
fn facts(decoded: &Decoded) -> Vec<(&'static str, String)> {
    let root = message(&decoded.root);
    let mut facts = vec![
        ("wrapped as", decoded.steps.join(", then ")),
        ("parameter", decoded.parameter.clone().unwrap_or_default()),
        ("relay state", decoded.relay_state.clone().unwrap_or_default()),
        ("query signature", decoded.sig_alg.clone().unwrap_or_default()),
        ("message", root.local.clone()),
    ];
    let mut add = |label, value: String| facts.push((label, value));
    for (label, attribute) in [
        ("id", "ID"),
        ("issued", "IssueInstant"),
        ("destination", "Destination"),
        ("in response to", "InResponseTo"),
        ("ACS URL", "AssertionConsumerServiceURL"),
        ("ACS index", "AssertionConsumerServiceIndex"),
        ("binding", "ProtocolBinding"),
        ("force authn", "ForceAuthn"),
        ("passive", "IsPassive"),
        ("entity id", "entityID"),
    ] {
        add(label, root.attribute(attribute).unwrap_or_default().to_owned());
    }
    add("issuer", root.child(SAML, "Issuer").map(Element::text).unwrap_or_default());
    let mut found: Vec<(&'static str, String)> = Vec::new();
    root.walk(&mut |element| {
        let of = |attribute: &str| element.attribute(attribute).unwrap_or_default().to_owned();
        match (element.namespace.as_deref(), element.local.as_str()) {
            (Some(SAMLP), "StatusCode") => found.push(("status", of("Value"))),
            (Some(SAMLP), "StatusMessage") => found.push(("status message", element.text())),
            (Some(SAMLP), "NameIDPolicy") => found.push(("NameID policy", of("Format"))),
            (Some(SAML), "AuthnContextClassRef") => found.push(("context class", element.text())),
            (Some(SAML), "NameID") => found.push(("NameID", element.text())),
            (Some(SAML), "Audience") => found.push(("audience", element.text())),
            (Some(SAML), "EncryptedAssertion") => found.push(("encrypted", "the assertion".to_owned())),
            (Some(SAML), "EncryptedID") => found.push(("encrypted", "the NameID".to_owned())),
            (Some(SAML), "Conditions") => found.push(("valid", format!("{} to {}", of("NotBefore"), of("NotOnOrAfter")))),
            (Some(SAML), "Attribute") => {
                let name = element.attribute("FriendlyName").or(element.attribute("Name")).unwrap_or_default();
                let values: Vec<String> = element.children_named(SAML, "AttributeValue").map(Element::text).collect();
                found.push(("attribute", format!("{name} = {}", values.join(", "))));
            }
            (Some(DS), "SignatureMethod") => found.push(("signature", of("Algorithm"))),
            _ => {}
        }
    });
    for (label, value) in found {
        add(label, value);
    }
    facts.retain(|(_, value)| !value.is_empty());
    facts
}

/// The message itself, also inside a SOAP envelope.
fn message(root: &Element) -> &Element {
    if !root.is(SOAP, "Envelope") {
        return root;
    }
    root.child(SOAP, "Body").and_then(|body| body.elements().next()).unwrap_or(root)
}

fn explained(value: &Value, style: Style) -> String {
    let all = match value.get("checks").or_else(|| value.get("trace")) {
        Some(checks) => items(checks),
        None => list(value, "items"),
    };
    let is_accepted = value.get("accepted").and_then(Value::as_bool).unwrap_or_else(|| !checks_fail(all));
    let verdict = match is_accepted {
        true => style.good("It would be accepted."),
        false => style.bad("It would be refused."),
    };
    format!("{}\n{}  {verdict}\n", checks::to_text(all, style), checks::summary(all, style))
}

fn checks_fail(all: &[Value]) -> bool {
    all.iter().any(|check| text(check, "outcome") == "failed")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_facts_of_a_response_are_listed() {
        let xml = r#"<p:Response xmlns:p="urn:oasis:names:tc:SAML:2.0:protocol" xmlns="urn:oasis:names:tc:SAML:2.0:assertion" ID="_r" InResponseTo="_q">
            <Issuer>https://id.example.com</Issuer>
            <p:Status><p:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:Success"/></p:Status>
            <Assertion><Subject><NameID>ada</NameID></Subject><AttributeStatement><Attribute Name="urn:oid:1" FriendlyName="mail">
            <AttributeValue>ada@example.com</AttributeValue></Attribute></AttributeStatement></Assertion></p:Response>"#;
        let facts = facts(&decode::decode(xml.as_bytes()).unwrap());
        for expected in [
            ("message", "Response"),
            ("in response to", "_q"),
            ("issuer", "https://id.example.com"),
            ("status", "urn:oasis:names:tc:SAML:2.0:status:Success"),
            ("NameID", "ada"),
            ("attribute", "mail = ada@example.com"),
        ] {
            assert!(facts.iter().any(|(label, value)| (*label, value.as_str()) == expected), "{expected:?} is not in {facts:?}");
        }
    }
}
