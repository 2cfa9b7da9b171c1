//! Text from metadata is hostile: bounded, and without characters that steer terminals and pages.

use crate::saml::names::ns;
use crate::saml::xml::tree::Element;

/// Text for people: control characters and white space become single blanks, bidirectional overrides go, and what is over
/// `most` characters is cut.
pub(super) fn display(value: &str, most: usize) -> String {
    let mut out = String::with_capacity(value.len().min(most * 4));
    let mut blank = false;
    let mut count = 0;
    for c in value.chars() {
        // U+202A–202E and U+2066–2069 reorder what is shown around them.
        if matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}') {
            continue;
        }
        if c.is_whitespace() || c.is_control() {
            blank = count > 0;
            continue;
        }
        if count + usize::from(blank) >= most {
            out.push('…');
            break;
        }
        if blank {
            out.push(' ');
            count += 1;
            blank = false;
        }
        out.push(c);
        count += 1;
    }
    out
}

/// An identifier (URI, name): trimmed, not empty, at most 2,048 bytes, without control characters; else it does not count.
pub(super) fn token(value: &str) -> Option<String> {
    let value = value.trim();
    let fine = !value.is_empty() && value.len() <= 2_048 && !value.chars().any(char::is_control);
    fine.then(|| value.to_owned())
}

/// The identifier in an attribute without namespace.
pub(super) fn token_attribute(element: &Element, local: &str) -> Option<String> {
    element.attribute(local).and_then(token)
}

/// `xs:boolean`, in any case since real metadata has `True`.
pub(super) fn boolean(element: &Element, local: &str) -> Option<bool> {
    match element.attribute(local)?.trim() {
        "1" => Some(true),
        "0" => Some(false),
        value if value.eq_ignore_ascii_case("true") => Some(true),
        value if value.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}

/// Localized texts: language and text, empty ones left out.
pub(super) fn localized(parent: &Element, namespace: &str, local: &str, most: usize) -> Vec<(String, String)> {
    parent
        .children_named(namespace, local)
        .filter_map(|element| {
            let text = display(&element.text(), most);
            (!text.is_empty()).then(|| (language(element), text))
        })
        .collect()
}

/// Localized addresses: only http and https ones.
pub(super) fn localized_urls(parent: &Element, namespace: &str, local: &str) -> Vec<(String, String)> {
    parent.children_named(namespace, local).filter_map(|element| web_address(&element.text()).map(|url| (language(element), url))).collect()
}

/// An absolute http or https address, as written.
pub(super) fn web_address(value: &str) -> Option<String> {
    let value = token(value)?;
    let url = url::Url::parse(&value).ok()?;
    matches!(url.scheme(), "http" | "https").then_some(value)
}

fn language(element: &Element) -> String {
    let language = element.attribute_ns(ns::XML, "lang").unwrap_or_default().trim();
    let fine = language.len() <= 35 && language.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    if fine { language.to_owned() } else { String::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_for_people_is_one_bounded_line_without_controls() {
        assert_eq!(display("  a\r\n\tb\u{1b}[31m\u{202e}c ", 100), "a b [31mc");
        assert_eq!(display("abcdef", 3), "abc…");
        assert_eq!(display("abc", 3), "abc");
        assert_eq!(display("ab  ", 2), "ab");
    }

    #[test]
    fn an_identifier_with_a_control_character_does_not_count() {
        assert_eq!(token(" urn:x "), Some("urn:x".to_owned()));
        assert_eq!(token("urn:\nx"), None);
        assert_eq!(token(" "), None);
        assert_eq!(token(&"x".repeat(2_049)), None);
    }

    #[test]
    fn only_web_addresses_are_kept() {
        assert!(web_address("https://a.example/").is_some());
        assert!(web_address("javascript:alert(1)").is_none());
        assert!(web_address("/relative").is_none());
    }
}
