//! Sign-in by password.
//!
//! Attacks it stops: guessing (throttles per account and address, and per address), learning which accounts exist (same
//! answer and same work), exhausting memory (argon2 runs in a few places at once, with a bounded queue), locking somebody
//! else out (no throttle counts by account alone).

use std::sync::Arc;

use tokio::sync::Semaphore;

use crate::crypto::{digest, password};
use crate::model::secret::Secret;
use crate::model::time::{Span, Timestamp};
use crate::model::user::User;
use crate::store::throttle::{Admission, Throttle, ThrottleRule};
use crate::store::{self};

/// 5 failures per account and address, then a wait that doubles up to 5 minutes.
const PER_ACCOUNT_AND_ADDRESS: ThrottleRule =
    ThrottleRule { free: 5, first_wait: Span::seconds(5), longest: Span::minutes(5), window: Span::minutes(15) };
/// 30 failures per address in 5 minutes.
const PER_ADDRESS: ThrottleRule =
    ThrottleRule { free: 30, first_wait: Span::minutes(1), longest: Span::minutes(5), window: Span::minutes(5) };
/// Sign-ins that may wait for a place; beyond that the answer is "try again".
const QUEUE: usize = 256;
/// The bounds of a password's length, in characters.
pub const LENGTH: std::ops::RangeInclusive<usize> = 12..=1_024;

/// How an attempt came out.
#[derive(Debug)]
pub enum Attempt {
    /// The password is this person's.
    Accepted,
    /// Wrong password, unknown person or no password: one answer for all.
    Refused,
    /// Right password, but the account is switched off.
    Disabled,
    /// Too many failures; nothing was checked.
    Wait { until: Timestamp },
    /// Too many sign-ins at once; nothing was checked.
    Busy,
}

/// Checks passwords, a bounded number at once.
#[derive(Clone)]
pub struct Passwords {
    places: Arc<Semaphore>,
    queue: Arc<Semaphore>,
    throttle: Arc<dyn Throttle>,
}

impl Passwords {
    /// At most `parallel` argon2 computations run at once (19 MiB each).
    pub fn new(throttle: Arc<dyn Throttle>, parallel: usize) -> Self {
        Self { places: Arc::new(Semaphore::new(parallel.max(1))), queue: Arc::new(Semaphore::new(QUEUE)), throttle }
    }

    /// Judges one attempt. `user` is whom the name as typed belongs to, if anybody.
    pub async fn attempt(
        &self,
        name: &str,
        user: Option<&User>,
        password: &Secret<String>,
        address: &str,
        now: Timestamp,
    ) -> store::Result<Attempt> {
        let account = digest::sha256_parts(&[b"account", User::fold(name).as_bytes()]).to_hex();
        let keys = [(format!("pw:{account}:{address}"), PER_ACCOUNT_AND_ADDRESS), (format!("ip:{address}"), PER_ADDRESS)];
        if let Admission::Wait { until } = self.throttle.attempt(&keys, now).await? {
            return Ok(Attempt::Wait { until });
        }
        // Nothing was checked, so nothing is held against anybody.
        let not_counted = [keys[0].0.clone(), keys[1].0.clone()];
        let Ok(_queued) = Arc::clone(&self.queue).try_acquire_owned() else {
            self.throttle.forgive(&not_counted).await?;
            return Ok(Attempt::Busy);
        };
        let Ok(place) = Arc::clone(&self.places).acquire_owned().await else {
            self.throttle.forgive(&not_counted).await?;
            return Ok(Attempt::Busy);
        };
        let hash = user.and_then(|user| user.password_hash.clone());
        let typed = password.clone();
        let work = tokio::task::spawn_blocking(move || {
            // The place is given back when the work ends, even if the browser went away.
            let _place = place;
            match hash {
                Some(hash) if typed.expose().chars().count() <= *LENGTH.end() => password::verify(typed.expose(), &hash),
                _ => password::verify_nothing(typed.expose().get(..64).unwrap_or("x")),
            }
        });
        let Ok(fits) = work.await else { return Ok(Attempt::Busy) };
        match user {
            Some(user) if fits => {
                let [(mine, _), (shared, _)] = &keys;
                self.throttle.succeeded(std::slice::from_ref(mine)).await?;
                self.throttle.forgive(std::slice::from_ref(shared)).await?;
                Ok(if user.enabled { Attempt::Accepted } else { Attempt::Disabled })
            }
            _ => Ok(Attempt::Refused),
        }
    }

    /// Hashes a new password, in the same bounded places.
    pub async fn hash(&self, new: &Secret<String>) -> Result<String, PasswordProblem> {
        check_length(new)?;
        let place = Arc::clone(&self.places).acquire_owned().await.map_err(|_| PasswordProblem::Broken)?;
        let new = new.clone();
        let work = tokio::task::spawn_blocking(move || {
            let _place = place;
            crate::crypto::random::with_system(|random| password::hash(new.expose(), random))
        });
        work.await.map_err(|_| PasswordProblem::Broken)?.map_err(|_| PasswordProblem::Broken)
    }
}

/// Why a new password cannot be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PasswordProblem {
    #[error("the password is shorter than 12 characters")]
    TooShort,
    #[error("the password is longer than 1,024 characters")]
    TooLong,
    #[error("the password could not be hashed")]
    Broken,
}

fn check_length(password: &Secret<String>) -> Result<(), PasswordProblem> {
    let length = password.expose().chars().count();
    if length < *LENGTH.start() {
        return Err(PasswordProblem::TooShort);
    }
    if length > *LENGTH.end() {
        return Err(PasswordProblem::TooLong);
    }
    Ok(())
}
