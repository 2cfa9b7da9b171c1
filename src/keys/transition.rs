//! The legal moves of keys: `next` → `active` → `published` → `retired`. Pure; the store performs them if the keys still
//! stand where they stood.

use crate::store::keys::{KeyRecord, KeyState};

/// One key's move: its ID, the state that it must be in, the state that it gets.
pub type Move = (String, KeyState, KeyState);

/// Why a key may not move.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TransitionError {
    #[error("there is no key \"{0}\"")]
    Unknown(String),
    #[error("{0} is active already")]
    ActiveAlready(String),
    /// Nothing would be left to sign with.
    #[error("{0} is active and cannot be retired")]
    CannotRetireActive(String),
    #[error("{0} is retired; service providers no longer know it")]
    Retired(String),
}

impl TransitionError {
    /// One line of what to do.
    pub fn remedy(&self) -> String {
        match self {
            Self::Unknown(_) => "\"linkspan key list\" shows the keys.".to_owned(),
            Self::ActiveAlready(_) => "Nothing has to be done.".to_owned(),
            Self::CannotRetireActive(_) => {
                "Make another key with \"linkspan key new\", promote it once the apps know it, then retire this one.".to_owned()
            }
            Self::Retired(_) => "Make a new key with \"linkspan key new\".".to_owned(),
        }
    }
}

/// Makes a key the one that signs; the one that signed so far stays published, since apps still hold its certificate. A
/// published key can be promoted too: that is the way back.
pub fn promote(keys: &[KeyRecord], id: &str) -> Result<Vec<Move>, TransitionError> {
    let key = find(keys, id)?;
    match key.state {
        KeyState::Active => return Err(TransitionError::ActiveAlready(id.to_owned())),
        KeyState::Retired => return Err(TransitionError::Retired(id.to_owned())),
        KeyState::Next | KeyState::Published => {}
    }
    let mut moves = vec![(key.id.clone(), key.state, KeyState::Active)];
    moves.extend(
        keys.iter()
            .filter(|other| other.state == KeyState::Active && other.key_use == key.key_use && family(other) == family(key))
            .map(|other| (other.id.clone(), KeyState::Active, KeyState::Published)),
    );
    Ok(moves)
}

/// Takes a key out of everything that we publish, for good.
pub fn retire(keys: &[KeyRecord], id: &str) -> Result<Vec<Move>, TransitionError> {
    let key = find(keys, id)?;
    match key.state {
        KeyState::Active => Err(TransitionError::CannotRetireActive(id.to_owned())),
        KeyState::Retired => Err(TransitionError::Retired(id.to_owned())),
        KeyState::Next | KeyState::Published => Ok(vec![(key.id.clone(), key.state, KeyState::Retired)]),
    }
}

fn find<'a>(keys: &'a [KeyRecord], id: &str) -> Result<&'a KeyRecord, TransitionError> {
    keys.iter().find(|key| key.id == id).ok_or_else(|| TransitionError::Unknown(id.to_owned()))
}

/// `RSA` of `RSA-2048`: within a family one key is active.
fn family(key: &KeyRecord) -> &str {
    key.algorithm.split('-').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::time::Timestamp;

    fn key(id: &str, algorithm: &str, state: KeyState) -> KeyRecord {
        KeyRecord {
            id: id.to_owned(),
            kid: format!("kid of {id}"),
            key_use: "saml".to_owned(),
            algorithm: algorithm.to_owned(),
            state,
            certificate: String::new(),
            created: Timestamp::from_seconds(0),
        }
    }

    fn ring() -> Vec<KeyRecord> {
        vec![
            key("old", "RSA-2048", KeyState::Published),
            key("now", "RSA-2048", KeyState::Active),
            key("then", "RSA-3072", KeyState::Next),
            key("ec", "EC-P256", KeyState::Active),
            key("gone", "RSA-2048", KeyState::Retired),
        ]
    }

    #[test]
    fn promoting_publishes_the_key_that_was_active_in_the_same_family() {
        let moves = promote(&ring(), "then").unwrap();

        let expected = [("then".to_owned(), KeyState::Next, KeyState::Active), ("now".to_owned(), KeyState::Active, KeyState::Published)];
        assert_eq!(moves, expected);
    }

    #[test]
    fn a_published_key_can_be_promoted_back() {
        assert_eq!(promote(&ring(), "old").unwrap().first().unwrap().1, KeyState::Published);
    }

    #[test]
    fn active_and_retired_keys_are_not_promoted() {
        assert_eq!(promote(&ring(), "now"), Err(TransitionError::ActiveAlready("now".to_owned())));
        assert_eq!(promote(&ring(), "gone"), Err(TransitionError::Retired("gone".to_owned())));
        assert_eq!(promote(&ring(), "none"), Err(TransitionError::Unknown("none".to_owned())));
    }

    #[test]
    fn the_active_key_is_not_retired() {
        assert_eq!(retire(&ring(), "now"), Err(TransitionError::CannotRetireActive("now".to_owned())));
        assert_eq!(retire(&ring(), "gone"), Err(TransitionError::Retired("gone".to_owned())));
        assert_eq!(retire(&ring(), "old").unwrap(), [("old".to_owned(), KeyState::Published, KeyState::Retired)]);
        assert_eq!(retire(&ring(), "then").unwrap(), [("then".to_owned(), KeyState::Next, KeyState::Retired)]);
    }

    proptest! {
        #[test]
        fn whatever_is_done_one_key_of_each_family_signs_and_retired_ones_stay_retired(
            steps in prop::collection::vec((any::<bool>(), 0usize..5), 0..20)
        ) {
            let mut keys = ring();
            for (promoting, at) in steps {
                let id = keys[at].id.clone();
                let moves = if promoting { promote(&keys, &id) } else { retire(&keys, &id) }.unwrap_or_default();
                for (id, from, to) in moves {
                    prop_assert!(from != KeyState::Retired);
                    let key = keys.iter_mut().find(|key| key.id == id).unwrap();
                    prop_assert_eq!(key.state, from);
                    key.state = to;
                }
                for name in ["RSA", "EC"] {
                    let active = keys.iter().filter(|key| family(key) == name && key.state == KeyState::Active).count();
                    prop_assert_eq!(active, 1);
                }
            }
        }
    }
}
