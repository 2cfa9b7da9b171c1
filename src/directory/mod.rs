//! People and their groups: found fast, changed carefully.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::model::id::UserId;
use crate::model::user::User;
use crate::store::users::{Inserted, Page, Updated, Users};
use crate::store::{self};

/// People kept in memory at most; beyond that the memory starts anew.
const CACHED: usize = 20_000;

/// Reads through a memory that `forget` keeps true; other nodes' changes arrive by `flows::upkeep::changes`.
#[derive(Clone)]
pub struct Directory {
    store: Arc<dyn Users>,
    known: Arc<Mutex<HashMap<UserId, Arc<User>>>>,
}

impl Directory {
    pub fn new(store: Arc<dyn Users>) -> Self {
        Self { store, known: Arc::default() }
    }

    /// The person with this ID.
    pub async fn by_id(&self, id: &UserId) -> store::Result<Option<Arc<User>>> {
        if let Some(user) = self.known.lock().unwrap_or_else(PoisonError::into_inner).get(id) {
            return Ok(Some(Arc::clone(user)));
        }
        let Some(user) = self.store.by_id(id).await?.map(Arc::new) else { return Ok(None) };
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= CACHED {
            known.clear();
        }
        known.insert(id.clone(), Arc::clone(&user));
        Ok(Some(user))
    }

    /// The person with this sign-in name or, if exactly one has it, this e-mail address.
    pub async fn by_name(&self, name: &str) -> store::Result<Option<User>> {
        self.store.by_name(name).await
    }

    pub async fn list(&self, filter: Option<&str>, after: Option<&str>, limit: u32) -> store::Result<Page<User>> {
        self.store.list(filter, after, limit).await
    }

    pub async fn insert(&self, user: &User) -> store::Result<Inserted> {
        self.store.insert(user).await
    }

    /// Replaces a record whose revision is still the one given.
    pub async fn update(&self, user: &User) -> store::Result<Updated> {
        let done = self.store.update(user).await;
        self.forget(&user.id);
        done
    }

    pub async fn remove(&self, id: &UserId) -> store::Result<bool> {
        let done = self.store.remove(id).await;
        self.forget(id);
        done
    }

    pub async fn count_admins(&self) -> store::Result<u64> {
        self.store.count_admins().await
    }

    pub async fn groups(&self) -> store::Result<Vec<(String, u64)>> {
        self.store.groups().await
    }

    pub async fn insert_group(&self, name: &str) -> store::Result<Inserted> {
        self.store.insert_group(name).await
    }

    pub async fn remove_group(&self, name: &str) -> store::Result<bool> {
        let done = self.store.remove_group(name).await;
        // Everybody may have been a member.
        self.forget_all();
        done
    }

    /// Reads this person from the store next time.
    pub fn forget(&self, id: &UserId) {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).remove(id);
    }

    /// Reads everybody from the store next time.
    pub fn forget_all(&self) {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}
