//! The little language of attribute release: minijinja expressions over `user`, `app`, `scope`, `pairwise_id` and
//! `subject_id`, compiled when an app is loaded.

use std::fmt;
use std::sync::{Arc, LazyLock, OnceLock};

use minijinja::value::{Object, ValueKind};
use minijinja::{Environment, Error, ErrorKind, UndefinedBehavior, Value};

use crate::crypto::CryptoError;
use crate::model::user::User;
use crate::registry::release::person::{self, Person, Scope};
use crate::registry::release::vocabulary::{PAIRWISE_KEY, SUBJECT_KEY};
use crate::registry::subject_ids::SubjectIds;

/// Work that one evaluation may do; a sensible expression needs a few dozen.
const FUEL: u64 = 20_000;
/// Values that one attribute may have, and bytes of all of them.
const MOST_VALUES: usize = 1_000;
const MOST_BYTES: usize = 256 * 1024;
/// Bytes of an expression.
const LONGEST: usize = 2_000;
/// What an expression can name.
const NAMES: [&str; 6] = ["user", "app", "scope", PAIRWISE_KEY, SUBJECT_KEY, "fail"];

/// Where in an expression something is wrong, and what.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {message}")]
pub struct ExpressionError {
    pub line: usize,
    pub column: usize,
    pub message: String,
}

/// Why an expression has no value for a person.
#[derive(Debug)]
pub enum Failure {
    /// The expression called `fail("…")`: whoever wrote it wants the sign-in refused.
    Demanded(String),
    /// It cannot be evaluated for this person.
    Error(ExpressionError),
    Crypto(CryptoError),
}

/// A compiled expression.
pub struct Expression {
    source: String,
    kind: Kind,
}

enum Kind {
    /// `user.KEY`: looked up without the engine, with the same outcome.
    User(String),
    PairwiseId,
    SubjectId,
    Compiled(minijinja::Expression<'static, 'static>),
}

impl fmt::Debug for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Expression").field(&self.source).finish()
    }
}

/// What expressions know of the app.
#[derive(Debug, Clone)]
pub struct AppFacts {
    pub id: Arc<str>,
    pub name: Arc<str>,
    pub entity_id: Arc<str>,
    pub scope: Scope,
}

/// What an evaluation works on. The engine's copy of the person is made when the first expression needs it.
pub struct Facts<'a> {
    pub person: Person<'a>,
    pub app: &'a Arc<AppFacts>,
    root: OnceLock<Value>,
}

impl<'a> Facts<'a> {
    pub fn new(person: Person<'a>, app: &'a Arc<AppFacts>) -> Self {
        Self { person, app, root: OnceLock::new() }
    }

    fn root(&self) -> Value {
        let make = || {
            let user = Arc::new(UserObject { user: self.person.user.clone(), scope: self.app.scope.clone() });
            Value::from_object(Root { user, ids: self.person.ids.clone(), app: self.app.clone() })
        };
        self.root.get_or_init(make).clone()
    }
}

impl Expression {
    /// Compiles an expression, and tries it once to find filters and functions that do not exist.
    ///
    /// # Errors
    /// Says line and column, counted from 1.
    pub fn compile(source: &str) -> Result<Self, ExpressionError> {
        Self::compile_with(source, true)
    }

    fn compile_with(source: &str, shortcuts: bool) -> Result<Self, ExpressionError> {
        let at_start = |message: String| ExpressionError { line: 1, column: 1, message };
        if source.trim().is_empty() {
            return Err(at_start("the expression is empty".to_owned()));
        }
        if source.len() > LONGEST {
            return Err(at_start(format!("the expression is longer than {LONGEST} bytes")));
        }
        if let Some(kind) = shortcut(source.trim()).filter(|_| shortcuts) {
            return Ok(Self { source: source.to_owned(), kind });
        }
        let compiled = ENGINE.compile_expression_owned(source.to_owned()).map_err(|error| located(source, &error))?;
        let mut unknown: Vec<String> =
            compiled.undeclared_variables(false).into_iter().filter(|name| !NAMES.contains(&name.as_str())).collect();
        unknown.sort();
        if let Some(name) = unknown.first() {
            let offset = source.find(name.as_str()).unwrap_or(0);
            let (line, column) = position(source, offset);
            let message = format!("there is no \"{name}\" here; an expression can use user, app, scope, pairwise_id and subject_id");
            return Err(ExpressionError { line, column, message });
        }
        for sample in [Value::from_object(Sample { filled: true }), Value::from_object(Sample { filled: false })] {
            match compiled.eval(sample) {
                Err(error)
                    if matches!(
                        error.kind(),
                        ErrorKind::UnknownFilter | ErrorKind::UnknownFunction | ErrorKind::UnknownTest | ErrorKind::UnknownMethod
                    ) =>
                {
                    return Err(located(source, &error));
                }
                _ => {}
            }
        }
        Ok(Self { source: source.to_owned(), kind: Kind::Compiled(compiled) })
    }

    /// The values for a person; none where what the expression is about is unknown.
    pub fn values(&self, facts: &Facts<'_>) -> Result<Vec<String>, Failure> {
        match &self.kind {
            Kind::User(key) => Ok(person::user_values(facts.person.user, &facts.app.scope, key)),
            Kind::PairwiseId => person::pairwise_id(&facts.person, &facts.app.entity_id, &facts.app.scope).map_err(Failure::Crypto),
            Kind::SubjectId => person::subject_id(&facts.person, &facts.app.scope).map_err(Failure::Crypto),
            Kind::Compiled(compiled) => match compiled.eval(facts.root()) {
                Ok(value) => values_of(&value).map_err(|message| Failure::Error(ExpressionError { line: 1, column: 1, message })),
                // What is built on something unknown is unknown: `user.staff_id ~ "@example.com"` sends no "@example.com".
                Err(error) if error.kind() == ErrorKind::UndefinedError => Ok(Vec::new()),
                Err(error) => match demanded(&error) {
                    Some(message) => Err(Failure::Demanded(message)),
                    None => Err(Failure::Error(located(&self.source, &error))),
                },
            },
        }
    }
}

/// The engine: no templates, no loader, bounded work. A constant; it lives in a static because expressions borrow it.
static ENGINE: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut engine = Environment::new();
    engine.set_undefined_behavior(UndefinedBehavior::SemiStrict);
    engine.set_fuel(Some(FUEL));
    // Errors carry positions only then.
    engine.set_debug(true);
    for global in ["range", "dict", "namespace", "debug"] {
        engine.remove_global(global);
    }
    engine.add_function("fail", fail);
    // The engine's own would turn a list into one text that looks like source code.
    engine.add_filter("lower", |value: &Value| each(value, &|text| Some(text.to_lowercase())));
    engine.add_filter("upper", |value: &Value| each(value, &|text| Some(text.to_uppercase())));
    engine.add_filter("trim", |value: &Value| each(value, &|text| Some(text.trim().to_owned())));
    engine
        .add_filter("prefix_filter", |value: &Value, prefix: &str| each(value, &|text| text.starts_with(prefix).then(|| text.to_owned())));
    engine
});

fn shortcut(source: &str) -> Option<Kind> {
    if source == PAIRWISE_KEY {
        return Some(Kind::PairwiseId);
    }
    if source == SUBJECT_KEY {
        return Some(Kind::SubjectId);
    }
    let key = source.strip_prefix("user.")?;
    let plain = key.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        && key != "attributes";
    plain.then(|| Kind::User(key.to_owned()))
}

/// Applies a function to a text or to each text of a list; what it drops is gone, of a text alone nothing stays.
fn each(value: &Value, apply: &dyn Fn(&str) -> Option<String>) -> Result<Value, Error> {
    match value.kind() {
        ValueKind::Undefined | ValueKind::None => Ok(Value::UNDEFINED),
        ValueKind::Seq | ValueKind::Iterable => {
            let mut kept = Vec::new();
            for item in value.try_iter()? {
                if kept.len() >= MOST_VALUES {
                    return Err(Error::new(ErrorKind::InvalidOperation, format!("a list has more than {MOST_VALUES} values")));
                }
                kept.extend(apply(&text_of(&item)?).map(Value::from));
            }
            Ok(Value::from(kept))
        }
        _ => Ok(apply(&text_of(value)?).map_or(Value::UNDEFINED, Value::from)),
    }
}

fn text_of(value: &Value) -> Result<String, Error> {
    match value.kind() {
        ValueKind::String | ValueKind::Number | ValueKind::Bool => Ok(value.to_string()),
        kind => Err(Error::new(ErrorKind::InvalidOperation, format!("a text is needed, not a {kind}"))),
    }
}

/// `fail("…")`.
fn fail(message: &str) -> Result<Value, Error> {
    Err(Error::new(ErrorKind::InvalidOperation, message.to_owned()).with_source(Demand(message.to_owned())))
}

#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Demand(String);

fn demanded(error: &Error) -> Option<String> {
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        if let Some(Demand(message)) = inner.downcast_ref::<Demand>() {
            return Some(message.clone());
        }
        source = inner.source();
    }
    None
}

/// From the engine's value to what stands in an assertion.
fn values_of(value: &Value) -> Result<Vec<String>, String> {
    let mut values = Vec::new();
    match value.kind() {
        ValueKind::Undefined | ValueKind::None => {}
        ValueKind::Seq | ValueKind::Iterable => {
            let items = value.try_iter().map_err(|error| error.to_string())?;
            // A range is a list that costs nothing to name and much to walk.
            for (number, item) in items.enumerate() {
                if number >= MOST_VALUES {
                    return Err(format!("the list has more than {MOST_VALUES} values"));
                }
                if !matches!(item.kind(), ValueKind::Undefined | ValueKind::None) {
                    values.push(text_of(&item).map_err(|_| format!("the list holds a {}, not only texts", item.kind()))?);
                }
            }
        }
        _ => values.push(text_of(value).map_err(|_| format!("the value is a {}, not a text or a list of texts", value.kind()))?),
    }
    values.retain(|value| !value.is_empty());
    if values.iter().map(String::len).sum::<usize>() > MOST_BYTES {
        return Err(format!("the values are longer than {MOST_BYTES} bytes"));
    }
    Ok(values)
}

fn located(source: &str, error: &Error) -> ExpressionError {
    let (line, column) = match error.range() {
        Some(range) => position(source, range.start),
        // The engine keeps no place for what is beyond the first line; the thing that it names is found in the text.
        None => {
            let named = error.detail().into_iter().flat_map(str::split_whitespace).map(|word| word.trim_matches('`'));
            position(source, named.filter(|word| !word.is_empty()).find_map(|word| source.rfind(word)).unwrap_or(0))
        }
    };
    let message = match error.kind() {
        ErrorKind::OutOfFuel => "the expression does too much work".to_owned(),
        kind => error.detail().map_or_else(|| kind.to_string(), str::to_owned),
    };
    ExpressionError { line, column, message }
}

/// Line and column of a byte, counted from 1, columns in characters.
fn position(source: &str, offset: usize) -> (usize, usize) {
    let before = source.get(..offset.min(source.len())).unwrap_or(source);
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    (before.matches('\n').count() + 1, before.get(line_start..).map_or(0, |line| line.chars().count()) + 1)
}

/// The names that an expression sees.
#[derive(Debug)]
struct Root {
    user: Arc<UserObject>,
    ids: SubjectIds,
    app: Arc<AppFacts>,
}

impl Object for Root {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let person = Person { user: &self.user.user, ids: &self.ids };
        match key.as_str()? {
            "user" => Some(Value::from_dyn_object(self.user.clone())),
            "app" => Some(Value::from_dyn_object(self.app.clone())),
            "scope" => self.app.scope.as_deref().map(Value::from),
            PAIRWISE_KEY => single(person::pairwise_id(&person, &self.app.entity_id, &self.app.scope)),
            SUBJECT_KEY => single(person::subject_id(&person, &self.app.scope)),
            _ => None,
        }
    }
}

fn single(values: Result<Vec<String>, CryptoError>) -> Option<Value> {
    values.ok()?.pop().map(Value::from)
}

#[derive(Debug)]
struct UserObject {
    user: User,
    scope: Scope,
}

impl Object for UserObject {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let key = key.as_str()?;
        if key == "attributes" {
            return Some(Value::from_pairs(self.user.attributes.iter().map(|(name, values)| (name.as_str(), values.clone()))));
        }
        let mut values = person::user_values(&self.user, &self.scope, key);
        // A list stays one with a single value: `"admin" in user.groups` must never look into the text "administrators".
        if person::is_list(key) || values.len() > 1 { Some(Value::from(values)) } else { values.pop().map(Value::from) }
    }
}

impl Object for AppFacts {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        match key.as_str()? {
            "id" => Some(Value::from(self.id.as_ref())),
            "name" => Some(Value::from(self.name.as_ref())),
            "entity_id" => Some(Value::from(self.entity_id.as_ref())),
            _ => None,
        }
    }
}

/// Stands for the names while an expression is tried out: everything has a value, or nothing has.
#[derive(Debug)]
struct Sample {
    filled: bool,
}

impl Object for Sample {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        match key.as_str()? {
            "user" | "app" | "attributes" => Some(Value::from_dyn_object(self.clone())),
            key if self.filled && person::is_list(key) => Some(Value::from(vec!["sample"])),
            _ => self.filled.then(|| Value::from("sample")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::release::tests::{ada, ids};

    fn evaluate(expression: &Expression) -> Result<Vec<String>, Failure> {
        let app = Arc::new(AppFacts {
            id: "grafana".into(),
            name: "Grafana".into(),
            entity_id: "https://sp.example.com".into(),
            scope: Some("example.com".to_owned()),
        });
        expression.values(&Facts::new(Person { user: &ada(), ids: &ids() }, &app))
    }

    fn values(source: &str) -> Vec<String> {
        evaluate(&Expression::compile(source).unwrap()).unwrap_or_else(|failure| panic!("{source}: {failure:?}"))
    }

    fn error(source: &str) -> ExpressionError {
        Expression::compile(source).map(|_| ()).expect_err(source)
    }

    #[test]
    fn expressions_compute_values() {
        assert_eq!(values("user.email | upper | lower"), ["ada@example.com"]);
        assert_eq!(values("user.groups | prefix_filter('saas-')"), ["saas-admins", "saas-editors"]);
        assert_eq!(values("user.groups | prefix_filter('saas-') | upper"), ["SAAS-ADMINS", "SAAS-EDITORS"]);
        assert_eq!(values("user.name ~ '@' ~ scope"), ["ada@example.com"]);
        assert_eq!(values("app.id ~ ':' ~ app.entity_id"), ["grafana:https://sp.example.com"]);
        assert_eq!(values("'yes' if 'staff' in user.groups"), ["yes"]);
        assert_eq!(values("user.attributes['quota'] "), ["5"]);
        assert_eq!(values("1 + 1"), ["2"]);
        assert_eq!(values("[user.name, user.email]"), ["ada", "ada@example.com"]);
    }

    #[test]
    fn what_is_built_on_something_unknown_is_absent() {
        for source in [
            "user.staff_id",
            "user.staff_id | lower",
            "user.staff_id ~ '@example.com'",
            "user.staff_id.more",
            "user.staff_id | first",
            "user.groups | prefix_filter('none-')",
            "'x' if user.staff_id",
            "user.password_hash",
            "''",
            "none",
        ] {
            assert_eq!(values(source), Vec::<String>::new(), "{source}");
        }
        assert_eq!(values("user.staff_id or 'none'"), ["none"]);
        assert_eq!(values("[user.staff_id, 'a']"), ["a"]);
    }

    #[test]
    fn a_group_is_never_found_inside_the_name_of_another() {
        assert_eq!(values("'yes' if 'saas' in user.groups"), Vec::<String>::new());
        assert_eq!(values("'yes' if 'mem' in user.eduPersonAffiliation"), Vec::<String>::new());
    }

    #[test]
    fn fail_demands_a_refusal_in_its_own_words() {
        let expression = Expression::compile("user.staff_id or fail('no staff number')").unwrap();

        let failure = evaluate(&expression).unwrap_err();

        assert!(matches!(&failure, Failure::Demanded(message) if message == "no staff number"), "{failure:?}");
        assert_eq!(values("user.name or fail('no name')"), ["ada"]);
    }

    #[test]
    fn errors_say_line_and_column() {
        assert_eq!((error("user.email ~ ").line, error("user.email ~ ").column), (1, 12));
        let unknown = error("user.email |\n  lowr");
        assert_eq!((unknown.line, unknown.column), (2, 3), "{unknown}");
        assert!(unknown.message.contains("lowr"), "{unknown}");
        let name = error("usr.email | lower");
        assert!(name.message.contains("there is no \"usr\""), "{name}");
        assert!(error("user.staff_id | lowr").message.contains("lowr"));
        assert!(error("").message.contains("empty"));
        assert!(error(&format!("'{}'", "x".repeat(3_000))).message.contains("longer"));
    }

    #[test]
    fn an_expression_cannot_run_away() {
        assert!(error("range(100000)").message.contains("range"));
        let big = Expression::compile("'aaaaaaaaaaaaaaaaaaaaaaaaa' * 1000000").unwrap();
        assert!(matches!(evaluate(&big), Err(Failure::Error(error)) if error.message.contains("too much work")));
        let table = Expression::compile("user.attributes").unwrap();
        assert!(matches!(evaluate(&table), Err(Failure::Error(error)) if error.message.contains("map")));
    }

    #[test]
    fn short_cuts_give_what_the_engine_gives() {
        for source in
            ["user.email", "user.name", "user.uid", "user.groups", "user.displayName", "user.cn", "user.givenName", "user.sn", "user.quota"]
        {
            let (short, long) = (Expression::compile(source).unwrap(), Expression::compile_with(source, false).unwrap());
            assert!(matches!((&short.kind, &long.kind), (Kind::User(_), Kind::Compiled(_))), "{source}");
            assert_eq!(evaluate(&short).unwrap(), evaluate(&long).unwrap(), "{source}");
        }
        for source in [
            "user.eduPersonAffiliation",
            "user.eduPersonScopedAffiliation",
            "user.eduPersonPrincipalName",
            "user.nothing",
            PAIRWISE_KEY,
            SUBJECT_KEY,
        ] {
            let (short, long) = (Expression::compile(source).unwrap(), Expression::compile_with(source, false).unwrap());
            assert_eq!(evaluate(&short).unwrap(), evaluate(&long).unwrap(), "{source}");
        }
    }
}
