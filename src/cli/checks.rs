//! Checks and findings, as people read them.

use serde_json::Value;

use crate::cli::output::{Style, clean, plain, text};
use crate::flows::command::ReplyError;
use crate::model::check::{Check, Outcome};

/// All checks of a trace in their order, numbered; what warns or fails with its values and remedy.
pub fn to_text(checks: &[Value], style: Style) -> String {
    let width = |key: &str| checks.iter().map(|check| text(check, key).chars().count()).max().unwrap_or(0);
    let (ids, specs) = (width("id"), width("spec"));
    let mut out = String::new();
    for (at, check) in checks.iter().enumerate() {
        let outcome = text(check, "outcome");
        out.push_str(&format!(
            "  {} {:>2} {:ids$}  {:specs$}  {}\n",
            sign(&outcome, style),
            at + 1,
            text(check, "id"),
            text(check, "spec"),
            text(check, "detail")
        ));
        let indent = " ".repeat(ids + specs + 11);
        let mut fact = |label: &str, value: String| {
            if !value.is_empty() {
                out.push_str(&format!("{indent}{} {value}\n", style.dim(&format!("{label:10}"))));
            }
        };
        if outcome != "passed" {
            fact("seen", text(check, "seen"));
            for (at, allowed) in check.get("allowed").and_then(Value::as_array).into_iter().flatten().enumerate() {
                fact(if at == 0 { "allowed" } else { "" }, plain(allowed));
            }
            fact("difference", text(check, "difference"));
            fact("fix", text(check, "remedy"));
        }
    }
    out
}

/// How many checks passed, warned and failed, in one line.
pub fn summary(checks: &[Value], style: Style) -> String {
    let count = |outcome: &str| checks.iter().filter(|check| text(check, "outcome") == outcome).count();
    format!(
        "  {} {} passed   {} {} warned   {} {} failed\n",
        sign("passed", style),
        count("passed"),
        sign("warned", style),
        count("warned"),
        sign("failed", style),
        count("failed")
    )
}

/// The checks that failed, below an error.
pub fn of_error(error: &ReplyError, style: Style) -> String {
    let failed: Vec<&Check> = error.checks.iter().filter(|check| check.outcome == Outcome::Failed).collect();
    let mut out = String::new();
    for check in failed {
        out.push_str(&format!("  {} {}  {}  {}\n", style.bad("✗"), check.id, check.spec, clean(&check.detail)));
        for (label, value) in [
            ("seen", check.seen.clone()),
            ("allowed", (!check.allowed.is_empty()).then(|| check.allowed.join("  "))),
            ("difference", check.difference.clone()),
            ("fix", check.remedy.as_deref().map(str::to_owned)),
        ] {
            if let Some(value) = value.filter(|value| *value != error.remedy) {
                out.push_str(&format!("    {label:10} {}\n", clean(&value)));
            }
        }
    }
    out
}

/// Findings of import and lint: code, value, rule, remedy.
pub fn findings(findings: &[Value], style: Style) -> String {
    let mut out = String::new();
    for finding in findings {
        let sign = match text(finding, "severity").as_str() {
            "error" => style.bad("✗"),
            "warning" => style.warn("⚠"),
            _ => style.dim("·"),
        };
        out.push_str(&format!("  {sign} {}  {}\n", text(finding, "code"), text(finding, "value")));
        for (label, key) in [("rule", "rule"), ("fix", "remedy")] {
            let value = text(finding, key);
            if !value.is_empty() {
                out.push_str(&format!("      {} {value}\n", style.dim(&format!("{label:4}"))));
            }
        }
    }
    out
}

/// The sign of an outcome.
pub fn sign(outcome: &str, style: Style) -> String {
    match outcome {
        "passed" | "succeeded" => style.good("✓"),
        "warned" => style.warn("⚠"),
        "failed" => style.bad("✗"),
        _ => "·".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_failed_check_shows_what_was_seen_what_was_allowed_and_the_fix() {
        let checks = [
            json!({ "id": "message.version", "spec": "Core 3.2.1", "outcome": "passed", "detail": "2.0", "seen": "2.0" }),
            json!({ "id": "acs.registered", "spec": "Profiles 4.1.4.1", "outcome": "failed", "detail": "not in the metadata", "seen": "https://a/",
                    "allowed": ["https://a", "https://b"], "difference": "a \"/\" at the end", "remedy": "correct it" }),
        ];
        let text = to_text(&checks, Style::default());
        let indent = " ".repeat(42);
        let expected = [
            "  ✓  1 message.version  Core 3.2.1        2.0".to_owned(),
            "  ✗  2 acs.registered   Profiles 4.1.4.1  not in the metadata".to_owned(),
            format!("{indent}seen       https://a/"),
            format!("{indent}allowed    https://a"),
            format!("{indent}           https://b"),
            format!("{indent}difference a \"/\" at the end"),
            format!("{indent}fix        correct it"),
        ];
        assert_eq!(text.lines().collect::<Vec<_>>(), expected);
        assert_eq!(summary(&checks, Style::default()), "  ✓ 1 passed   ⚠ 0 warned   ✗ 1 failed\n");
    }
}
