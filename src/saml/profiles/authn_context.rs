//! Authentication contexts: what is asked for, what can be reached, what may honestly be said (Core 3.3.2.2.1).

use crate::model::check::Check;
use crate::saml::messages::authn_request::{Comparison, ContextReferences, RequestedAuthnContext};
use crate::saml::names::{authn_context, status};
use crate::saml::profiles::denial::Denial;
use crate::saml::profiles::nearest::nearest;
use crate::saml::spec;

/// The classes that we know, from the weakest to the strongest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContextTable {
    classes: Vec<String>,
}

impl std::default::Default for ContextTable {
    /// Unspecified, Password, PasswordProtectedTransport.
    fn default() -> Self {
        let classes = [authn_context::UNSPECIFIED, authn_context::PASSWORD, authn_context::PASSWORD_PROTECTED_TRANSPORT];
        Self { classes: classes.map(ToOwned::to_owned).to_vec() }
    }
}

impl ContextTable {
    /// Takes the classes in order; of a class that stands twice the first place counts.
    pub fn new(classes: impl IntoIterator<Item = String>) -> Self {
        let mut table = Self { classes: Vec::new() };
        for class in classes {
            if table.rank(&class).is_none() {
                table.classes.push(class);
            }
        }
        table
    }

    fn rank(&self, class: &str) -> Option<usize> {
        self.classes.iter().position(|known| known == class)
    }
}

/// Which classes an answer may state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContextNeed {
    /// The ones that satisfy the request, in the order in which they are wanted; `None` where the request does not care.
    acceptable: Option<Vec<String>>,
}

impl ContextNeed {
    /// A need that everything satisfies.
    pub fn anything() -> Self {
        Self { acceptable: None }
    }

    /// The acceptable classes; `None` where the request does not care.
    pub fn acceptable(&self) -> Option<&[String]> {
        self.acceptable.as_deref()
    }
}

/// Judges a requested context against the table and what any sign-in of this person could reach (`reachable`).
///
/// # Errors
/// `NoAuthnContext` where nothing that can be reached satisfies it.
pub fn decide_context(
    table: &ContextTable,
    requested: Option<&RequestedAuthnContext>,
    reachable: &[&str],
) -> Result<(ContextNeed, Check), Box<Denial>> {
    let Some(requested) = requested else {
        return Ok((ContextNeed::anything(), Check::passed(&spec::AUTHN_CONTEXT, "the request names none")));
    };
    let comparison = requested.comparison;
    let classes = match &requested.references {
        ContextReferences::Classes(classes) => classes,
        ContextReferences::Declarations(declarations) => {
            return Err(no_context(
                "The request asks for authentication context declarations, of which this server knows none.",
                declarations,
                comparison,
                reachable,
            ));
        }
    };
    let acceptable = acceptable(table, classes, comparison);
    if !acceptable.iter().any(|class| reachable.contains(&class.as_str())) {
        return Err(no_context("The request asks for an authentication context that cannot be reached.", classes, comparison, reachable));
    }
    let check = Check::passed(&spec::AUTHN_CONTEXT, format!("{} satisfiable", comparison.as_str())).seen(classes.join(" "));
    Ok((ContextNeed { acceptable: Some(acceptable) }, check))
}

fn acceptable(table: &ContextTable, classes: &[String], comparison: Comparison) -> Vec<String> {
    let ranks: Vec<Option<usize>> = classes.iter().map(|class| table.rank(class)).collect();
    let known = || ranks.iter().copied().flatten();
    let from_table = |fits: &dyn Fn(usize) -> bool| -> Vec<String> {
        let fitting = table.classes.iter().enumerate().filter(|(rank, _)| fits(*rank));
        // The strongest first: for "maximum" that is the rule, for the others it is what a session most often has.
        fitting.map(|(_, class)| class.clone()).rev().collect()
    };
    match comparison {
        // In the order of preference of the request. A class outside of the table may be reachable, too.
        Comparison::Exact => classes.to_vec(),
        // At least as strong as one of them.
        Comparison::Minimum => known().min().map_or_else(Vec::new, |weakest| from_table(&|rank| rank >= weakest)),
        // Not stronger than the strongest of them.
        Comparison::Maximum => known().max().map_or_else(Vec::new, |strongest| from_table(&|rank| rank <= strongest)),
        // Stronger than any of them: of a class that we do not know nobody can say so.
        Comparison::Better if ranks.contains(&None) => Vec::new(),
        Comparison::Better => known().max().map_or_else(Vec::new, |strongest| from_table(&|rank| rank > strongest)),
    }
}

fn no_context(detail: &'static str, asked: &[String], comparison: Comparison, reachable: &[&str]) -> Box<Denial> {
    let (allowed, difference) = nearest(asked.first().map_or("", String::as_str), reachable.iter().copied());
    let check = Check::failed(
        &spec::AUTHN_CONTEXT,
        detail,
        "Let the app ask for a class that people here can reach, or for none at all; with Comparison=\"minimum\" a stronger one fits too.",
    )
    .seen(format!("{} {}", comparison.as_str(), asked.join(" ")))
    .allowed(allowed)
    .difference(difference);
    Box::new(Denial::responder(Some(status::NO_AUTHN_CONTEXT), check))
}

#[cfg(test)]
mod tests;
