use std::io::Write as _;
use std::process::{Command, Stdio};

use proptest::prelude::*;

use super::*;
use crate::saml::xml::reader::{Limits, parse};

/// Exclusive canonicalisation by libxml2.
fn xmllint(document: &[u8]) -> Vec<u8> {
    let mut child = Command::new("xmllint")
        .args(["--nonet", "--exc-c14n", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("xmllint is installed");
    child.stdin.take().expect("its input is a pipe").write_all(document).expect("xmllint reads");
    let output = child.wait_with_output().expect("xmllint ends");
    assert!(output.status.success(), "{}\n{}", String::from_utf8_lossy(&output.stderr), String::from_utf8_lossy(document));
    output.stdout
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap()
}

#[test]
fn a_parent_declares_only_what_it_uses_itself() {
    let mut writer = Writer::default();
    writer.start(SAMLP, "Response").attribute("Version", "2.0").attribute("ID", "_1");
    writer.leaf(SAML, "Issuer", "https://id.example.com");
    let from = writer.offset();
    writer.start(SAML, "Assertion").attribute("ID", "_2").leaf(SAML, "Issuer", "x").end();
    let to = writer.offset();
    let document = writer.finish();

    assert_eq!(&document[from..to], xmllint(&document[from..to]));
    assert_eq!(
        text(document),
        "<samlp:Response xmlns:samlp=\"urn:oasis:names:tc:SAML:2.0:protocol\" ID=\"_1\" Version=\"2.0\">\
         <saml:Issuer xmlns:saml=\"urn:oasis:names:tc:SAML:2.0:assertion\">https://id.example.com</saml:Issuer>\
         <saml:Assertion xmlns:saml=\"urn:oasis:names:tc:SAML:2.0:assertion\" ID=\"_2\"><saml:Issuer>x</saml:Issuer></saml:Assertion>\
         </samlp:Response>"
    );
}

#[test]
fn values_are_escaped_as_the_canonical_form_wants() {
    let mut writer = Writer::default();
    writer.start(NONE, "a").attribute("b", "<>&\"'\t\r\n").text("<>&\"'\t\r\n");

    assert_eq!(text(writer.finish()), "<a b=\"&lt;>&amp;&quot;'&#x9;&#xD;&#xA;\">&lt;&gt;&amp;\"'\t&#xD;\n</a>");
}

#[test]
fn what_xml_cannot_carry_is_replaced() {
    let mut writer = Writer::default();
    writer.start(NONE, "a").text("a\0b\u{1}c\u{fffe}d\u{ffff}e\u{feff}f\u{ef}g\u{efff}\u{1f600}\u{7f}");
    let document = text(writer.finish());

    assert_eq!(document, "<a>a\u{fffd}b\u{fffd}c\u{fffd}d\u{fffd}e\u{feff}f\u{ef}g\u{efff}\u{1f600}\u{7f}</a>");
    assert!(parse(document.as_bytes(), &Limits::MESSAGE).is_ok());
}

#[test]
fn a_default_namespace_is_taken_back_where_it_ends() {
    let mut writer = Writer::default();
    writer.start(Namespace::new("", "urn:a"), "a").start(NONE, "b").start(Namespace::new("", "urn:a"), "c");

    let document = writer.finish();
    assert_eq!(document, xmllint(&document));
    assert_eq!(text(document), "<a xmlns=\"urn:a\"><b xmlns=\"\"><c xmlns=\"urn:a\"></c></b></a>");
}

#[test]
fn base64_fills_its_element_exactly() {
    for length in 0..10 {
        let mut writer = Writer::default();
        writer.start(NONE, "a").base64(&vec![7; length]);
        assert_eq!(text(writer.finish()), format!("<a>{}</a>", STANDARD.encode(vec![7; length])));
    }
}

#[test]
fn a_part_of_a_document_is_serialised_with_the_declarations_it_needs() {
    let root =
        parse(b"<p:a xmlns:p='urn:p' xmlns='urn:d' xmlns:unused='urn:u'><b p:c='1 &#13;&lt;'>x&#13;<p:d/></b></p:a>", &Limits::MESSAGE)
            .unwrap();

    assert_eq!(
        serialize(&root),
        "<p:a xmlns:p=\"urn:p\" xmlns=\"urn:d\" xmlns:unused=\"urn:u\"><b p:c=\"1 &#xD;&lt;\">x&#xD;<p:d></p:d></b></p:a>"
    );
    let part = root.elements().next().unwrap();
    assert_eq!(serialize(part), "<b xmlns=\"urn:d\" xmlns:p=\"urn:p\" p:c=\"1 &#xD;&lt;\">x&#xD;<p:d></p:d></b>");
}

#[test]
fn people_get_one_element_a_line() {
    let root = parse(b"<a x='1'><b> text </b>\n\n<c>   </c>mixed<d><e/></d></a>", &Limits::MESSAGE).unwrap();

    assert_eq!(pretty(&root), "<a x=\"1\">\n  <b>text</b>\n  <c/>\n  mixed\n  <d>\n    <e/>\n  </d>\n</a>\n");
}

/// A tree as the writer can write it.
#[derive(Debug, Clone)]
struct Plan {
    namespace: usize,
    local: usize,
    attributes: Vec<(usize, usize, String)>,
    children: Vec<Result<Plan, String>>,
}

/// The same prefix stands for two namespaces, and two prefixes for one.
const NAMESPACES: [Namespace<'static>; 6] = [
    Namespace::new("", ""),
    Namespace::new("", "urn:d"),
    Namespace::new("p", "urn:p"),
    Namespace::new("p", "urn:q"),
    Namespace::new("q", "urn:q"),
    XML,
];
const LOCALS: [&str; 4] = ["a", "b", "É", "a-1"];

fn plan() -> impl Strategy<Value = Plan> {
    let attributes = proptest::collection::vec((0..6usize, 0..4usize, ".{0,8}|[&<>\"'\r\n\t]{0,4}"), 0..4);
    let leaf = (0..5usize, 0..4usize, attributes.clone()).prop_map(|(namespace, local, attributes)| Plan {
        namespace,
        local,
        attributes,
        children: Vec::new(),
    });
    leaf.prop_recursive(4, 24, 4, move |inner| {
        let child = prop_oneof![inner.prop_map(Ok), ".{0,8}|[&<>\"'\r\n\t\u{fffe}\u{1}]{0,4}".prop_map(Err)];
        (0..5usize, 0..4usize, attributes.clone(), proptest::collection::vec(child, 0..4))
            .prop_map(|(namespace, local, attributes, children)| Plan { namespace, local, attributes, children })
    })
}

fn write(plan: &Plan, writer: &mut Writer<'static>) {
    let namespace = NAMESPACES[plan.namespace];
    writer.start(namespace, LOCALS[plan.local]);
    let mut used = Vec::new();
    let mut prefixes = vec![namespace];
    for (index, local, value) in &plan.attributes {
        let namespace = if NAMESPACES[*index].prefix.is_empty() { NONE } else { NAMESPACES[*index] };
        // One prefix stands for one namespace on an element, and no attribute stands twice.
        let conflict = namespace != NONE && prefixes.iter().any(|p| p.prefix == namespace.prefix && p.uri != namespace.uri);
        if conflict || used.contains(&(namespace.uri, *local)) {
            continue;
        }
        used.push((namespace.uri, *local));
        prefixes.push(namespace);
        writer.attribute_ns(namespace, LOCALS[*local], value);
    }
    for child in &plan.children {
        match child {
            Ok(child) => write(child, writer),
            Err(text) => {
                writer.text(text);
            }
        }
    }
    writer.end();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn what_is_written_is_its_own_exclusive_canonical_form(plan in plan()) {
        let mut writer = Writer::default();
        write(&plan, &mut writer);
        let document = writer.finish();

        prop_assert_eq!(text(xmllint(&document)), text(document.clone()));
        let tree = parse(&document, &Limits::MESSAGE).unwrap();
        prop_assert_eq!(serialize(&tree).into_bytes(), document);
    }
}
