//! Names, in words, how a value differs from the nearest one that would have been right.

use crate::saml::bindings::encoding::percent_decode;

/// Orders the allowed values by likeness to what was seen, the nearest first, and says in words how the nearest differs.
///
/// The words are `None` where the two are not alike enough for a difference to help.
pub fn nearest<'v>(seen: &str, allowed: impl IntoIterator<Item = &'v str>) -> (Vec<String>, Option<String>) {
    let mut ranked: Vec<(usize, &str)> = allowed.into_iter().map(|value| (distance(seen, value), value)).collect();
    ranked.sort_by_key(|(distance, _)| *distance);
    ranked.dedup_by_key(|(_, value)| *value);
    let words = ranked.first().and_then(|(_, value)| difference(seen, value));
    (ranked.into_iter().map(|(_, value)| value.to_owned()).collect(), words)
}

/// How `seen` differs from `wanted`, in words, as `a "/" at the end`.
pub fn difference(seen: &str, wanted: &str) -> Option<String> {
    if seen == wanted {
        return None;
    }
    if seen.trim() == wanted.trim() {
        return Some("white space around it".to_owned());
    }
    if let Some(hidden) = seen.chars().find(|c| is_invisible(*c))
        && seen.chars().filter(|c| !is_invisible(*c)).eq(wanted.chars())
    {
        return Some(format!("an invisible character, U+{:04X}", u32::from(hidden)));
    }
    if seen.strip_suffix('/') == Some(wanted) {
        return Some("a \"/\" at the end".to_owned());
    }
    if wanted.strip_suffix('/') == Some(seen) {
        return Some("the \"/\" at the end is missing".to_owned());
    }
    if seen.eq_ignore_ascii_case(wanted) {
        return Some("upper and lower case".to_owned());
    }
    if let (Some(a), Some(b)) = (percent_decode(seen), percent_decode(wanted))
        && a == b
    {
        return Some("percent-encoding".to_owned());
    }
    parts_in_words(seen, wanted)
}

/// What of two addresses differs, where little enough does.
fn parts_in_words(seen: &str, wanted: &str) -> Option<String> {
    let (a, b) = (Parts::of(seen)?, Parts::of(wanted)?);
    let mut words = Vec::new();
    if a.scheme != b.scheme {
        words.push(format!("{} instead of {}", a.scheme, b.scheme));
    }
    if a.host != b.host {
        words.push(match (a.host.strip_prefix("www."), b.host.strip_prefix("www.")) {
            (Some(rest), None) if rest == b.host => "\"www.\" in front of the host".to_owned(),
            (None, Some(rest)) if rest == a.host => "\"www.\" in front of the host is missing".to_owned(),
            _ => format!("the host {} instead of {}", a.host, b.host),
        });
    }
    if a.port != b.port {
        words.push(match (a.port, b.port) {
            ("", port) => format!("the port {port} is missing"),
            (port, "") => format!("the port {port}"),
            (seen, wanted) => format!("the port {seen} instead of {wanted}"),
        });
    }
    if a.path != b.path {
        words.push(match difference(a.path, b.path) {
            Some(inner) => format!("in the path: {inner}"),
            None => format!("the path {} instead of {}", a.path, b.path),
        });
    }
    if a.query != b.query {
        words.push(match (a.query, b.query) {
            ("", query) => format!("\"{query}\" at the end is missing"),
            (query, "") => format!("\"{query}\" at the end"),
            (seen, wanted) => format!("\"{seen}\" instead of \"{wanted}\" at the end"),
        });
    }
    // Three differences are another address, not a slip.
    (1..=2).contains(&words.len()).then(|| words.join(" and "))
}

/// An address taken apart without judging it.
struct Parts<'a> {
    scheme: &'a str,
    host: &'a str,
    port: &'a str,
    path: &'a str,
    /// With its `?` or `#`.
    query: &'a str,
}

impl<'a> Parts<'a> {
    fn of(address: &'a str) -> Option<Self> {
        let (scheme, rest) = address.split_once("://")?;
        let (authority, tail) = rest.find(['/', '?', '#']).map_or((rest, ""), |at| rest.split_at(at));
        let (path, query) = tail.find(['?', '#']).map_or((tail, ""), |at| tail.split_at(at));
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => (host, port),
            _ => (authority, ""),
        };
        Some(Self { scheme, host, port, path, query })
    }
}

fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2064}' | '\u{feff}' | '\u{a0}')
}

/// Levenshtein's distance over the first few hundred bytes: a refusal must not cost a stranger's request much work.
fn distance(a: &str, b: &str) -> usize {
    const MOST: usize = 256;
    let a: Vec<u8> = a.bytes().take(MOST).collect();
    let b: Vec<u8> = b.bytes().take(MOST).collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        if let Some(first) = row.first_mut() {
            *first = left;
        }
        for (slot, y) in row.iter_mut().skip(1).zip(&b) {
            let above = *slot;
            let cost = usize::from(!x.eq_ignore_ascii_case(y));
            left = (above + 1).min(left + 1).min(diagonal + cost);
            diagonal = above;
            *slot = left;
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_is_named_in_words() {
        for (seen, wanted, words) in [
            ("https://a.example/acs/", "https://a.example/acs", "a \"/\" at the end"),
            ("https://a.example/acs", "https://a.example/acs/", "the \"/\" at the end is missing"),
            ("http://a.example/acs", "https://a.example/acs", "http instead of https"),
            ("https://www.a.example/acs", "https://a.example/acs", "\"www.\" in front of the host"),
            ("https://b.example/acs", "https://a.example/acs", "the host b.example instead of a.example"),
            ("https://a.example:8443/acs", "https://a.example/acs", "the port 8443"),
            ("https://a.example/ACS", "https://a.example/acs", "upper and lower case"),
            ("https://a.example/a%2Fb", "https://a.example/a/b", "percent-encoding"),
            (" https://a.example/acs", "https://a.example/acs", "white space around it"),
            ("https://a.example/acs\u{200b}", "https://a.example/acs", "an invisible character, U+200B"),
            ("https://a.example/acs?x=1", "https://a.example/acs", "\"?x=1\" at the end"),
            ("http://a.example/sso", "https://a.example/acs", "http instead of https and the path /sso instead of /acs"),
            (
                "https://b.example/acs/",
                "https://a.example/acs",
                "the host b.example instead of a.example and in the path: a \"/\" at the end",
            ),
        ] {
            assert_eq!(difference(seen, wanted).as_deref(), Some(words), "{seen} {wanted}");
        }
        assert_eq!(difference("same", "same"), None);
        assert_eq!(difference("http://x:1/y?z", "https://a.example/acs"), None);
    }

    #[test]
    fn the_likeliest_value_comes_first() {
        let (ordered, words) = nearest("https://a.example/acs/", ["https://other.example/sso", "https://a.example/acs"]);

        assert_eq!(ordered, ["https://a.example/acs", "https://other.example/sso"]);
        assert_eq!(words.as_deref(), Some("a \"/\" at the end"));
    }
}
