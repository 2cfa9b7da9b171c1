//! The people of the demo.

use crate::flows::command::UserAdd;
use crate::model::secret::Secret;

/// The password of every demo person. It is no secret: the demo listens on loopback only and prints it at start.
pub const PASSWORD: &str = "demo-password-1234";

/// Three people in two groups, none of them an administrator: the set-up link makes one.
pub fn people() -> Vec<UserAdd> {
    let person = |name: &str, given: &str, family: &str, groups: &[&str]| UserAdd {
        name: name.to_owned(),
        email: Some(format!("{name}@example.com")),
        display_name: Some(format!("{given} {family}")),
        groups: groups.iter().map(|group| (*group).to_owned()).collect(),
        attributes: vec![("givenName".to_owned(), given.to_owned()), ("sn".to_owned(), family.to_owned())],
        password: Some(Secret::new(PASSWORD.to_owned())),
        ..UserAdd::default()
    };
    vec![
        person("ada", "Ada", "Lovelace", &["engineering"]),
        person("bo", "Bo", "Andersson", &["engineering", "support"]),
        person("cy", "Cy", "Nakamura", &["support"]),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_in_the_demo_is_an_administrator() {
        assert!(people().iter().all(|person| !person.admin));
        assert_eq!(people().len(), 3);
    }
}
