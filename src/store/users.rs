//! People and groups. Each write also appends to `changes` in the same transaction.

use async_trait::async_trait;

use crate::model::id::UserId;
use crate::model::user::User;
use crate::store::Result;

/// How an insert came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Inserted {
    Inserted,
    /// The name (or another unique key) is taken.
    Taken,
}

/// How a write to an existing record came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Updated {
    Updated,
    /// Someone changed it since it was read: its revision differs.
    Stale,
    /// The new name is taken by another record.
    Taken,
    Unknown,
}

/// One page of a list, in order of names.
#[derive(Debug, Clone)]
pub struct Page<T> {
    pub items: Vec<T>,
    /// What to pass as `after` for the next page; `None` at the end.
    pub next: Option<String>,
}

#[async_trait]
pub trait Users: Send + Sync {
    /// Adds a person if the folded name is free. Groups that are missing are made.
    async fn insert(&self, user: &User) -> Result<Inserted>;
    /// Replaces the record whose revision is `user.revision` and stores it with `revision + 1`.
    async fn update(&self, user: &User) -> Result<Updated>;
    async fn by_id(&self, id: &UserId) -> Result<Option<User>>;
    /// Finds by sign-in name, folded; where none has it, by e-mail address if exactly one person has that.
    async fn by_name(&self, name: &str) -> Result<Option<User>>;
    /// Lists people whose name, e-mail or display name contains `filter` (all if `None`), after the folded name `after`.
    async fn list(&self, filter: Option<&str>, after: Option<&str>, limit: u32) -> Result<Page<User>>;
    /// Removes a person; their pairwise NameIDs stay reserved.
    async fn remove(&self, id: &UserId) -> Result<bool>;
    /// Number of people with `admin` set and enabled.
    async fn count_admins(&self) -> Result<u64>;
    async fn count(&self) -> Result<u64>;

    /// Names of all groups, sorted, each with its number of members.
    async fn groups(&self) -> Result<Vec<(String, u64)>>;
    async fn insert_group(&self, name: &str) -> Result<Inserted>;
    /// Removes a group and everybody's membership in it.
    async fn remove_group(&self, name: &str) -> Result<bool>;
}
