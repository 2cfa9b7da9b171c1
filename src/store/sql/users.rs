//! People and groups.

use async_trait::async_trait;
use sqlx::{Any, Row as _, Transaction};

use crate::model::id::UserId;
use crate::model::user::User;
use crate::store::Result;
use crate::store::changes::Changed;
use crate::store::sql::changes::note;
use crate::store::sql::{Sql, is_taken, key, read, write};
use crate::store::users::{Inserted, Page, Updated, Users};

#[async_trait]
impl Users for Sql {
    async fn insert(&self, user: &User) -> Result<Inserted> {
        self.bounded(async {
            let mut tx = self.begin().await?;
            if !insert_user(&mut tx, user).await? {
                return Ok(Inserted::Taken);
            }
            tx.commit().await?;
            Ok(Inserted::Inserted)
        })
        .await
    }

    async fn update(&self, user: &User) -> Result<Updated> {
        self.bounded(async {
            let mut tx = self.begin().await?;
            let next = User { revision: user.revision + 1, ..user.clone() };
            let updated = sqlx::query(
                "UPDATE users SET folded = $1, email = $2, search = $3, admin = $4, enabled = $5, revision = $6, doc = $7
                 WHERE id = $8 AND revision = $9",
            )
            .bind(key(&User::fold(&next.name)))
            .bind(next.email.as_deref().map(User::fold))
            .bind(search_text(&next))
            .bind(i64::from(next.admin))
            .bind(i64::from(next.enabled))
            .bind(next.revision)
            .bind(write(&next)?)
            .bind(next.id.as_str())
            .bind(user.revision)
            .execute(&mut *tx)
            .await;
            let updated = match updated {
                Err(error) if is_taken(&error) => return Ok(Updated::Taken),
                other => other?.rows_affected(),
            };
            if updated == 0 {
                let known = sqlx::query("SELECT 1 FROM users WHERE id = $1").bind(user.id.as_str()).fetch_optional(&mut *tx).await?;
                return Ok(if known.is_some() { Updated::Stale } else { Updated::Unknown });
            }
            sqlx::query("DELETE FROM user_group_members WHERE user_id = $1").bind(next.id.as_str()).execute(&mut *tx).await?;
            join_groups(&mut tx, &next).await?;
            note(&mut tx, Changed::User, next.id.as_str()).await?;
            tx.commit().await?;
            Ok(Updated::Updated)
        })
        .await
    }

    async fn by_id(&self, id: &UserId) -> Result<Option<User>> {
        self.document(sqlx::query("SELECT doc FROM users WHERE id = $1").bind(id.as_str())).await
    }

    async fn by_name(&self, name: &str) -> Result<Option<User>> {
        let folded = key(&User::fold(name));
        let by_name = self.document(sqlx::query("SELECT doc FROM users WHERE folded = $1").bind(folded.as_str())).await?;
        if by_name.is_some() {
            return Ok(by_name);
        }
        let mut by_email: Vec<User> =
            self.documents(sqlx::query("SELECT doc FROM users WHERE email = $1 LIMIT 2").bind(folded.as_str())).await?;
        // An address that two people share names nobody.
        Ok(if by_email.len() == 1 { by_email.pop() } else { None })
    }

    async fn list(&self, filter: Option<&str>, after: Option<&str>, limit: u32) -> Result<Page<User>> {
        let pattern =
            filter.map_or_else(|| "%".to_owned(), |filter| format!("%{}%", escape_like(&filter.to_lowercase().replace('\0', ""))));
        let query = sqlx::query(r"SELECT doc FROM users WHERE folded > $1 AND search LIKE $2 ESCAPE '\' ORDER BY folded LIMIT $3")
            .bind(key(after.unwrap_or_default()))
            .bind(pattern)
            .bind(i64::from(limit) + 1);
        let mut items: Vec<User> = self.documents(query).await?;
        let more = items.len() > limit as usize;
        items.truncate(limit as usize);
        let next = if more { items.last().map(|user| User::fold(&user.name)) } else { None };
        Ok(Page { items, next })
    }

    async fn remove(&self, id: &UserId) -> Result<bool> {
        self.bounded(async {
            let mut tx = self.begin().await?;
            let gone = sqlx::query("DELETE FROM users WHERE id = $1").bind(id.as_str()).execute(&mut *tx).await?.rows_affected();
            if gone == 0 {
                return Ok(false);
            }
            note(&mut tx, Changed::User, id.as_str()).await?;
            tx.commit().await?;
            Ok(true)
        })
        .await
    }

    async fn count_admins(&self) -> Result<u64> {
        let count = self.number(sqlx::query("SELECT COUNT(*) FROM users WHERE admin = 1 AND enabled = 1")).await?;
        Ok(count.unsigned_abs())
    }

    async fn count(&self) -> Result<u64> {
        Ok(self.number(sqlx::query("SELECT COUNT(*) FROM users")).await?.unsigned_abs())
    }

    async fn groups(&self) -> Result<Vec<(String, u64)>> {
        self.bounded(async {
            let rows = sqlx::query(
                "SELECT g.name, COUNT(m.user_id) FROM user_groups g LEFT JOIN user_group_members m ON m.group_name = g.name
                 GROUP BY g.name ORDER BY g.name",
            )
            .fetch_all(&self.pool)
            .await?;
            rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get::<i64, _>(1)?.unsigned_abs()))).collect()
        })
        .await
    }

    async fn insert_group(&self, name: &str) -> Result<Inserted> {
        self.bounded(async {
            let mut tx = self.begin().await?;
            let added =
                sqlx::query("INSERT INTO user_groups (name) VALUES ($1) ON CONFLICT DO NOTHING").bind(name).execute(&mut *tx).await?;
            if added.rows_affected() == 0 {
                return Ok(Inserted::Taken);
            }
            tx.commit().await?;
            Ok(Inserted::Inserted)
        })
        .await
    }

    async fn remove_group(&self, name: &str) -> Result<bool> {
        self.bounded(async {
            let mut tx = self.begin().await?;
            let members = sqlx::query(
                "SELECT u.doc FROM users u JOIN user_group_members m ON m.user_id = u.id WHERE m.group_name = $1 ORDER BY u.id",
            )
            .bind(name)
            .fetch_all(&mut *tx)
            .await?;
            let gone = sqlx::query("DELETE FROM user_groups WHERE name = $1").bind(name).execute(&mut *tx).await?.rows_affected();
            if gone == 0 {
                return Ok(false);
            }
            for row in &members {
                let mut user: User = read(row)?;
                user.groups.retain(|group| group != name);
                user.revision += 1;
                sqlx::query("UPDATE users SET revision = $1, doc = $2 WHERE id = $3")
                    .bind(user.revision)
                    .bind(write(&user)?)
                    .bind(user.id.as_str())
                    .execute(&mut *tx)
                    .await?;
                note(&mut tx, Changed::User, user.id.as_str()).await?;
            }
            tx.commit().await?;
            Ok(true)
        })
        .await
    }
}

/// Adds a person with their groups and the change; `false` if a unique key is taken.
pub(super) async fn insert_user(tx: &mut Transaction<'static, Any>, user: &User) -> sqlx::Result<bool> {
    let added = sqlx::query(
        "INSERT INTO users (id, folded, email, search, admin, enabled, revision, doc) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
         ON CONFLICT DO NOTHING",
    )
    .bind(user.id.as_str())
    .bind(key(&User::fold(&user.name)))
    .bind(user.email.as_deref().map(User::fold))
    .bind(search_text(user))
    .bind(i64::from(user.admin))
    .bind(i64::from(user.enabled))
    .bind(user.revision)
    .bind(write(user)?)
    .execute(&mut **tx)
    .await?;
    if added.rows_affected() == 0 {
        return Ok(false);
    }
    join_groups(tx, user).await?;
    note(tx, Changed::User, user.id.as_str()).await?;
    Ok(true)
}

async fn join_groups(tx: &mut Transaction<'static, Any>, user: &User) -> sqlx::Result<()> {
    for group in &user.groups {
        sqlx::query("INSERT INTO user_groups (name) VALUES ($1) ON CONFLICT DO NOTHING").bind(group.as_str()).execute(&mut **tx).await?;
        sqlx::query("INSERT INTO user_group_members (group_name, user_id) VALUES ($1, $2) ON CONFLICT DO NOTHING")
            .bind(group.as_str())
            .bind(user.id.as_str())
            .execute(&mut **tx)
            .await?;
    }
    Ok(())
}

/// What a filter is looked for in, lower case.
fn search_text(user: &User) -> String {
    let email = user.email.as_deref().unwrap_or_default();
    let display_name = user.display_name.as_deref().unwrap_or_default();
    format!("{}\n{email}\n{display_name}", user.name).to_lowercase()
}

fn escape_like(text: &str) -> String {
    text.replace('\\', r"\\").replace('%', r"\%").replace('_', r"\_")
}
