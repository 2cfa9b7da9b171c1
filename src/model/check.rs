//! Every decision explains itself: a `Check` is one rule applied to one value, a `Trace` is the list of them.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::model::id::Reference;
use crate::model::time::Timestamp;

type Text = Cow<'static, str>;

/// One rule that we check: its stable name, where it is written, and what it demands in our own words.
///
/// Constants of this type live in `saml/spec.rs` (and `oidc/spec.rs`); `id` is never renamed, only added.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct SpecRef {
    /// The stable name, as `acs.registered`.
    pub id: &'static str,
    /// The document, as `Core`, `Bindings`, `Profiles`, `Metadata`, `XML Signature`, or `our rule`.
    pub spec: &'static str,
    /// The section in it, as `3.4.4.1`; empty where the rule is ours.
    pub section: &'static str,
    /// The rule in our words.
    pub rule: &'static str,
}

/// How a check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Passed,
    /// Passed, but someone should look at it.
    Warned,
    Failed,
}

/// One rule applied to one value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// The rule's stable name (`SpecRef::id`).
    pub id: Text,
    /// Where the rule is written, as `Profiles 4.1.4.1`.
    pub spec: Text,
    pub outcome: Outcome,
    /// One sentence: what was seen.
    pub detail: Text,
    /// The value received, where the rule is about a value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen: Option<String>,
    /// The values that would have been right, the nearest one first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allowed: Vec<String>,
    /// How the value differs from the nearest allowed one, in words: `a "/" at the end`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub difference: Option<String>,
    /// What to do about it. Every check that warns or fails has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remedy: Option<Text>,
}

impl Check {
    fn new(rule: &'static SpecRef, outcome: Outcome, detail: impl Into<Text>) -> Self {
        let spec = if rule.section.is_empty() { Cow::Borrowed(rule.spec) } else { Cow::Owned(format!("{} {}", rule.spec, rule.section)) };
        Self {
            id: Cow::Borrowed(rule.id),
            spec,
            outcome,
            detail: detail.into(),
            seen: None,
            allowed: Vec::new(),
            difference: None,
            remedy: None,
        }
    }

    /// The rule holds.
    pub fn passed(rule: &'static SpecRef, detail: impl Into<Text>) -> Self {
        Self::new(rule, Outcome::Passed, detail)
    }

    /// The rule holds, with something to look at.
    pub fn warned(rule: &'static SpecRef, detail: impl Into<Text>, remedy: impl Into<Text>) -> Self {
        Self { remedy: Some(remedy.into()), ..Self::new(rule, Outcome::Warned, detail) }
    }

    /// The rule is broken.
    pub fn failed(rule: &'static SpecRef, detail: impl Into<Text>, remedy: impl Into<Text>) -> Self {
        Self { remedy: Some(remedy.into()), ..Self::new(rule, Outcome::Failed, detail) }
    }

    /// Adds the value received.
    pub fn seen(mut self, value: impl Into<String>) -> Self {
        self.seen = Some(value.into());
        self
    }

    /// Adds the values that would have been right.
    pub fn allowed(mut self, values: impl IntoIterator<Item = String>) -> Self {
        self.allowed = values.into_iter().collect();
        self
    }

    /// Adds the difference to the nearest allowed value, in words.
    pub fn difference(mut self, words: Option<String>) -> Self {
        self.difference = words;
        self
    }
}

/// The checks of one exchange, in the order in which they ran.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Trace {
    pub checks: Vec<Check>,
}

impl Trace {
    pub fn push(&mut self, check: Check) {
        self.checks.push(check);
    }

    /// The first check that failed.
    pub fn failure(&self) -> Option<&Check> {
        self.checks.iter().find(|check| check.outcome == Outcome::Failed)
    }

    /// Ends the exchange with one more failed check.
    pub fn refuse(mut self, class: RefusalClass, check: Check) -> Refusal {
        self.push(check);
        Refusal { class, trace: self }
    }
}

/// What a person is told when something was refused: one of eight classes (`ux.md` 3.7). The trace has the rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusalClass {
    /// The app is known, but its request does not fit what is on file.
    AppSetup,
    AppUnknown,
    /// The message could not be read.
    MessageBroken,
    /// The sender could not be verified, or the message was seen before.
    NotTrusted,
    /// Too old, or what it continues is gone.
    Expired,
    /// The person may not use the app.
    NotAllowed,
    /// A value that the app needs is missing.
    MissingInfo,
    OurFault,
}

impl RefusalClass {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AppSetup => "app_setup",
            Self::AppUnknown => "app_unknown",
            Self::MessageBroken => "message_broken",
            Self::NotTrusted => "not_trusted",
            Self::Expired => "expired",
            Self::NotAllowed => "not_allowed",
            Self::MissingInfo => "missing_info",
            Self::OurFault => "our_fault",
        }
    }
}

/// A rule said no. The last check of the trace that failed says which.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("refused: {}", self.sentence())]
pub struct Refusal {
    pub class: RefusalClass,
    pub trace: Trace,
}

impl Refusal {
    /// Refuses with a single check.
    pub fn new(class: RefusalClass, check: Check) -> Self {
        Trace::default().refuse(class, check)
    }

    /// Puts the checks that ran before in front.
    pub fn after(mut self, mut earlier: Trace) -> Self {
        earlier.checks.append(&mut self.trace.checks);
        self.trace = earlier;
        self
    }

    /// The failing check.
    pub fn check(&self) -> Option<&Check> {
        self.trace.failure()
    }

    /// Its one sentence.
    pub fn sentence(&self) -> &str {
        self.check().map_or("no rule is named", |check| check.detail.as_ref())
    }

    /// What to do about it.
    pub fn remedy(&self) -> Option<&str> {
        self.check().and_then(|check| check.remedy.as_deref())
    }
}

/// One recorded exchange, as it is kept and shown (`trace show REF`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TraceRecord {
    pub reference: Reference,
    pub at: Timestamp,
    /// What happened, as `saml.sso`.
    pub flow: String,
    pub outcome: TraceOutcome,
    /// The entity ID or client ID that the message names; unverified where the trace failed before verification.
    pub app: Option<String>,
    /// The person's user name, where one was known.
    pub user: Option<String>,
    /// The address of the person's browser.
    pub client: Option<String>,
    pub trace: Trace,
}

/// How a recorded exchange ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TraceOutcome {
    Succeeded,
    Failed,
}
