//! Opens the stores that the configuration names.

use std::sync::Arc;

use async_trait::async_trait;

use crate::store::audit_queue::AuditQueue;
use crate::store::embedded::Embedded;
use crate::store::redis::Redis;
use crate::store::sql::{Kind, Sql, SqlAudit, moved_from_spool};
use crate::store::{Health, Result, StoreConfig, Stores};

/// Opens all stores, migrating the durable one.
///
/// Fails with `Unusable` where something must be changed first (an address that cannot be read, a newer schema, another
/// process on the same embedded data), with `Unavailable` where a server does not answer.
pub async fn open(config: &StoreConfig) -> Result<Stores> {
    if config.session != "embedded" {
        let sql = Sql::open(config).await?;
        let redis = Arc::new(Redis::open(config).await?);
        let audit = Arc::new(SqlAudit::start(sql.clone(), Arc::new(AuditQueue::new(0, Vec::new())), None)?);
        let name = format!("{} + {}", sql.kind().name(), redis.name());
        let health = StoreHealth { name, sql: sql.clone(), lively: Lively::Redis(redis.clone()), audit: audit.clone() };
        return Ok(stores(sql, redis, audit, health));
    }
    // First the lock: another process on the same data is the error that the operator must see.
    let (mut embedded, waiting) = Embedded::open(config)?;
    let sql = Sql::open(config).await?;
    // Only the file beside the journal: what the journal acknowledged for a PostgreSQL of several nodes would be lost with
    // this machine.
    let spools = sql.kind() == Kind::Sqlite;
    let moved = if spools { moved_from_spool(&sql).await? } else { 0 };
    let queue = Arc::new(AuditQueue::new(moved, if spools { waiting } else { Vec::new() }));
    embedded.start(spools.then(|| queue.clone()))?;
    let embedded = Arc::new(embedded);
    let audit = Arc::new(SqlAudit::start(sql.clone(), queue, spools.then(|| embedded.clone()))?);
    let name = format!("{} + embedded", sql.kind().name());
    let health = StoreHealth { name, sql: sql.clone(), lively: Lively::Embedded(embedded.clone()), audit: audit.clone() };
    Ok(stores(sql, embedded, audit, health))
}

fn stores<L>(sql: Sql, lively: Arc<L>, audit: Arc<SqlAudit>, health: StoreHealth) -> Stores
where
    L: crate::store::sessions::Sessions
        + crate::store::pending::Pending
        + crate::store::replay::Replay
        + crate::store::throttle::Throttle
        + 'static,
{
    let sql = Arc::new(sql);
    Stores {
        users: sql.clone(),
        apps: sql.clone(),
        keys: sql.clone(),
        api_keys: sql.clone(),
        name_ids: sql.clone(),
        audit,
        traces: sql.clone(),
        setup: sql.clone(),
        changes: sql,
        sessions: lively.clone(),
        pending: lively.clone(),
        replay: lively.clone(),
        throttle: lively,
        health: Arc::new(health),
    }
}

enum Lively {
    Embedded(Arc<Embedded>),
    Redis(Arc<Redis>),
}

struct StoreHealth {
    name: String,
    sql: Sql,
    lively: Lively,
    audit: Arc<SqlAudit>,
}

#[async_trait]
impl Health for StoreHealth {
    async fn check(&self) -> Result<()> {
        let lively = async {
            match &self.lively {
                Lively::Embedded(embedded) => embedded.check(),
                Lively::Redis(redis) => redis.ping().await,
            }
        };
        let (sql, lively) = tokio::join!(self.sql.ping(), lively);
        sql.and(lively)
    }

    async fn commit(&self) -> Result<()> {
        if let Lively::Embedded(embedded) = &self.lively {
            embedded.commit().await?;
        }
        self.audit.commit().await
    }

    fn describe(&self) -> String {
        self.name.clone()
    }
}
