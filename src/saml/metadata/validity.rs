//! validUntil and cacheDuration: lexical forms as they occur in the wild.

use crate::model::time::{Span, Timestamp};
use crate::saml::xml::tree::Element;

/// What an element and everything around it say about time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Validity {
    /// The earliest validUntil.
    pub valid_until: Option<Timestamp>,
    /// The shortest cacheDuration.
    pub cache_duration: Option<Span>,
    /// validUntil values that are not a UTC `xs:dateTime` as Core 1.3.3 demands.
    pub odd: Vec<String>,
}

impl Validity {
    /// Adds what one element says.
    pub(super) fn narrow(&mut self, element: &Element) {
        if let Some(text) = element.attribute("validUntil") {
            let (at, fine) = valid_until(text);
            if !fine && self.odd.len() < 8 {
                self.odd.push(super::text::display(text, 64));
            }
            self.valid_until = earliest(self.valid_until, at);
        }
        let duration = element.attribute("cacheDuration").and_then(xs_duration);
        self.cache_duration = earliest(self.cache_duration, duration);
    }
}

fn earliest<T: Ord>(a: Option<T>, b: Option<T>) -> Option<T> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

/// The moment, if one can be made out, and whether it was written as Core 1.3.3 demands (UTC with `Z`).
fn valid_until(text: &str) -> (Option<Timestamp>, bool) {
    let text = text.trim();
    // The zero value of Go's time.Time, which older crewjam/saml writes for "not set".
    if text.starts_with("0001-01-01T00:00:00") {
        return (None, false);
    }
    match Timestamp::parse_xs_date_time(text) {
        Some(at) => (Some(at), text.ends_with('Z')),
        // A bare date: its beginning, the careful reading.
        None => (Timestamp::parse_xs_date_time(&format!("{}T00:00:00Z", text.trim_end_matches('Z'))), false),
    }
}

/// Reads an `xs:duration` that is not negative; a year counts 365 days and a month 30.
fn xs_duration(text: &str) -> Option<Span> {
    let mut rest = text.trim().strip_prefix('P')?;
    let mut in_time = false;
    let mut total = 0i64;
    let mut parts = 0;
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix('T') {
            if in_time {
                return None;
            }
            in_time = true;
            rest = after;
            continue;
        }
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, unit) = rest.split_at_checked(end)?;
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        let unit_letter = unit.chars().next()?;
        let millis = match (in_time, unit_letter) {
            (false, 'Y') => 365 * 86_400_000,
            (false, 'M') => 30 * 86_400_000,
            (false, 'D') => 86_400_000,
            (true, 'H') => 3_600_000,
            (true, 'M') => 60_000,
            (true, 'S') => 1_000,
            _ => return None,
        };
        if !fraction.is_empty() && unit_letter != 'S' {
            return None;
        }
        total = total.checked_add(whole.parse::<i64>().ok()?.checked_mul(millis)?)?;
        parts += 1;
        rest = unit.get(unit_letter.len_utf8()..)?;
    }
    (parts > 0).then(|| Span::millis(total))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_of_real_metadata_are_read() {
        for (text, want) in [
            ("P7D", Span::days(7)),
            ("PT5H", Span::hours(5)),
            ("P0Y0M0DT0H15M0.000S", Span::minutes(15)),
            ("PT10M0.000S", Span::minutes(10)),
            ("PT1921926751S", Span::seconds(1_921_926_751)),
            ("P1M", Span::days(30)),
        ] {
            assert_eq!(xs_duration(text), Some(want), "{text}");
        }
    }

    #[test]
    fn impossible_durations_do_not_count() {
        for text in ["", "P", "PT", "-P1D", "P1", "P1H", "PT1.5H", "P99999999999999999999D", "PTT1S", "P1D1", "7d", "P.D"] {
            assert_eq!(xs_duration(text), None, "{text}");
        }
    }

    #[test]
    fn odd_dates_are_read_and_noted() {
        let day = Timestamp::parse_xs_date_time("2030-01-02T00:00:00Z");
        assert_eq!(valid_until("2030-01-02T00:00:00Z"), (day, true));
        assert_eq!(valid_until("2030-01-02"), (day, false));
        assert_eq!(valid_until("2030-01-02T02:00:00+02:00"), (day, false));
        assert_eq!(valid_until("0001-01-01T00:00:00Z"), (None, false));
        assert_eq!(valid_until("soon"), (None, false));
    }
}
