//! Points in time and spans of it, in milliseconds.

use std::{fmt, ops};

use serde::{Deserialize, Serialize};

/// Milliseconds since 1970-01-01T00:00:00Z. Pure rooms get it as an argument; only `app::clock` asks the system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(i64);

/// A span of time in milliseconds, zero or positive where it comes from the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Span(i64);

impl Span {
    pub const ZERO: Span = Span(0);

    pub const fn millis(n: i64) -> Self {
        Self(n)
    }
    pub const fn seconds(n: i64) -> Self {
        Self(n * 1_000)
    }
    pub const fn minutes(n: i64) -> Self {
        Self(n * 60_000)
    }
    pub const fn hours(n: i64) -> Self {
        Self(n * 3_600_000)
    }
    pub const fn days(n: i64) -> Self {
        Self(n * 86_400_000)
    }
    pub const fn as_millis(self) -> i64 {
        self.0
    }
    pub const fn as_seconds(self) -> i64 {
        self.0 / 1_000
    }

    /// Reads `500ms`, `90s`, `15m`, `8h`, `30d`, `2w`, and sums such as `1h30m`.
    pub fn parse(text: &str) -> Option<Self> {
        let mut total = 0i64;
        let mut rest = text.trim();
        if rest.is_empty() {
            return None;
        }
        while !rest.is_empty() {
            let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
            let number: i64 = rest.get(..digits)?.parse().ok()?;
            rest = rest.get(digits..)?;
            let letters = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_alphabetic()).len();
            let unit = match rest.get(..letters)? {
                "ms" => 1,
                "s" => 1_000,
                "m" => 60_000,
                "h" => 3_600_000,
                "d" => 86_400_000,
                "w" => 604_800_000,
                _ => return None,
            };
            rest = rest.get(letters..)?.trim_start();
            total = total.checked_add(number.checked_mul(unit)?)?;
        }
        Some(Self(total))
    }

    /// The same span as `xs:duration`, in whole seconds or days: `P30D`, `PT300S`.
    pub fn to_xs_duration(self) -> String {
        if self.0 % 86_400_000 == 0 && self.0 > 0 { format!("P{}D", self.0 / 86_400_000) } else { format!("PT{}S", self.0 / 1_000) }
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (n, unit) = match self.0 {
            0 => (0, "s"),
            n if n % 86_400_000 == 0 => (n / 86_400_000, "d"),
            n if n % 3_600_000 == 0 => (n / 3_600_000, "h"),
            n if n % 60_000 == 0 => (n / 60_000, "m"),
            n if n % 1_000 == 0 => (n / 1_000, "s"),
            n => (n, "ms"),
        };
        write!(f, "{n}{unit}")
    }
}

impl Timestamp {
    pub const fn from_millis(n: i64) -> Self {
        Self(n)
    }
    pub const fn from_seconds(n: i64) -> Self {
        Self(n.saturating_mul(1_000))
    }
    pub const fn as_millis(self) -> i64 {
        self.0
    }
    pub const fn as_seconds(self) -> i64 {
        self.0.div_euclid(1_000)
    }

    /// The time that passed since `earlier`; negative where `earlier` is later.
    pub fn since(self, earlier: Timestamp) -> Span {
        Span(self.0.saturating_sub(earlier.0))
    }

    /// Writes `2026-11-24T20:46:59.000Z`, the form of SAML (Core 1.3.3: UTC) and of our JSON.
    pub fn to_rfc3339(self) -> String {
        let mut out = String::with_capacity(24);
        self.write_rfc3339(&mut out);
        out
    }

    /// Appends the same form without allocating.
    pub fn write_rfc3339(self, out: &mut String) {
        use std::fmt::Write as _;
        let days = self.0.div_euclid(86_400_000);
        let millis = self.0.rem_euclid(86_400_000);
        let (year, month, day) = civil(days);
        let (h, m, s, ms) = (millis / 3_600_000, millis / 60_000 % 60, millis / 1_000 % 60, millis % 1_000);
        // Writing to a String cannot fail.
        let _ = write!(out, "{year:04}-{month:02}-{day:02}T{h:02}:{m:02}:{s:02}.{ms:03}Z");
    }

    /// Reads an `xs:dateTime`. Core 1.3.3 wants UTC; a value without a zone is taken as UTC and one with an offset is
    /// converted, since real SPs send both. Fractions beyond milliseconds are dropped.
    pub fn parse_xs_date_time(text: &str) -> Option<Self> {
        let text = text.trim();
        let b = text.as_bytes();
        if b.len() < 19 || !text.is_ascii() {
            return None;
        }
        let number = |from: usize, to: usize| -> Option<i64> {
            let part = text.get(from..to)?;
            part.bytes().all(|b| b.is_ascii_digit()).then(|| part.parse().ok())?
        };
        let fixed = b[4] == b'-' && b[7] == b'-' && b[10] == b'T' && b[13] == b':' && b[16] == b':';
        let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
        let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
        let in_range = (1..=12).contains(&month) && day >= 1 && day <= days_in(year, month) && hour <= 24 && minute < 60 && second < 60;
        if !fixed || !in_range || hour == 24 && (minute > 0 || second > 0) {
            return None;
        }
        let mut rest = text.get(19..)?;
        let mut millis = 0;
        if let Some(fraction) = rest.strip_prefix('.') {
            let digits = fraction.len() - fraction.trim_start_matches(|c: char| c.is_ascii_digit()).len();
            if digits == 0 {
                return None;
            }
            millis = format!("{:0<3}", fraction.get(..digits.min(3))?).parse().ok()?;
            rest = fraction.get(digits..)?;
        }
        let offset = match rest {
            "" | "Z" => 0,
            _ => {
                let sign = match rest.as_bytes().first()? {
                    b'+' => 1,
                    b'-' => -1,
                    _ => return None,
                };
                let zone = rest.as_bytes();
                if zone.len() != 6 || zone[3] != b':' {
                    return None;
                }
                let hours: i64 = rest.get(1..3)?.parse().ok()?;
                let minutes: i64 = rest.get(4..6)?.parse().ok()?;
                if hours > 14 || minutes > 59 {
                    return None;
                }
                sign * (hours * 60 + minutes)
            }
        };
        let seconds = days_from_civil(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second - offset * 60;
        Some(Self(seconds * 1_000 + millis))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_rfc3339())
    }
}

impl ops::Add<Span> for Timestamp {
    type Output = Timestamp;
    fn add(self, span: Span) -> Timestamp {
        Timestamp(self.0.saturating_add(span.0))
    }
}

impl ops::Sub<Span> for Timestamp {
    type Output = Timestamp;
    fn sub(self, span: Span) -> Timestamp {
        Timestamp(self.0.saturating_sub(span.0))
    }
}

fn days_in(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

/// Days since 1970-01-01 of a proleptic Gregorian date.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let y = if month <= 2 { year - 1 } else { year };
    let era = y.div_euclid(400);
    let year_of_era = y.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// The inverse of `days_from_civil`.
fn civil(days: i64) -> (i64, i64, i64) {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let day_of_era = z.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let m = (5 * day_of_year + 2) / 153;
    let month = if m < 10 { m + 3 } else { m - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day_of_year - (153 * m + 2) / 5 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn xs_date_time_round_trips() {
        for text in ["2026-11-24T20:46:59.000Z", "1970-01-01T00:00:00.000Z", "2000-02-29T23:59:59.999Z", "1969-12-31T23:59:59.500Z"] {
            assert_eq!(Timestamp::parse_xs_date_time(text).unwrap().to_rfc3339(), text);
        }
    }

    #[test]
    fn offsets_and_long_fractions_are_understood() {
        let got = Timestamp::parse_xs_date_time("2015-11-30T20:56:15.640998448-05:00").unwrap();
        assert_eq!(got.to_rfc3339(), "2015-12-01T01:56:15.640Z");
        assert!(Timestamp::parse_xs_date_time("2004-12-05T09:21:59").is_some());
    }

    #[test]
    fn impossible_dates_are_refused() {
        for text in [
            "2026-13-01T00:00:00Z",
            "2026-02-30T00:00:00Z",
            "2026-01-01 00:00:00Z",
            "2026-01-01T00:00:00+1",
            "",
            "2026-01-01T00:00:00.Z",
            "2026-01-01T-1:00:00Z",
        ] {
            assert!(Timestamp::parse_xs_date_time(text).is_none(), "{text}");
        }
    }

    #[test]
    fn spans_are_read_as_people_write_them() {
        assert_eq!(Span::parse("15m"), Some(Span::minutes(15)));
        assert_eq!(Span::parse("1h30m"), Some(Span::minutes(90)));
        assert_eq!(Span::parse("15"), None);
        assert_eq!(Span::parse("m"), None);
        assert_eq!(Span::hours(8).to_string(), "8h");
    }
}
