//! Durable state over SQL. SQLite and PostgreSQL run the same statements over columns of BIGINT and TEXT; only the schema
//! (`migrations/`), the start of a writing transaction and the audit batches differ.

mod api_keys;
mod apps;
mod audit;
mod changes;
mod keys;
mod migrate;
mod name_ids;
mod setup;
mod traces;
mod users;

use std::fmt::Display;
use std::fs::OpenOptions;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::str::FromStr as _;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::any::{AnyArguments, AnyConnectOptions, AnyPoolOptions, AnyRow};
use sqlx::query::Query;
use sqlx::{Any, AnyPool, Executor as _, Row as _, Transaction};

use crate::crypto::digest;
use crate::store::{Result, StoreConfig, StoreError, WAIT};

pub(super) use audit::{SqlAudit, moved_from_spool};

/// Which database answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Sqlite,
    Postgres,
}

impl Kind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "SQLite",
            Self::Postgres => "PostgreSQL",
        }
    }

    fn unavailable(self, reason: impl Display) -> StoreError {
        StoreError::Unavailable { store: self.name(), reason: reason.to_string() }
    }

    fn fault(self, error: sqlx::Error) -> StoreError {
        match error {
            sqlx::Error::Decode(source) | sqlx::Error::ColumnDecode { source, .. } => {
                StoreError::Corrupt { store: self.name(), what: "a record", reason: source.to_string() }
            }
            sqlx::Error::PoolTimedOut => self.unavailable("no connection within two seconds"),
            other => self.unavailable(other),
        }
    }
}

/// The open database. Every call is bounded by `WAIT`.
#[derive(Debug, Clone)]
pub(super) struct Sql {
    pool: AnyPool,
    kind: Kind,
    /// The file, where it is SQLite.
    file: Option<PathBuf>,
    sync_full: bool,
}

impl Sql {
    /// Connects and migrates.
    ///
    /// Fails with `Unusable` for an address of another kind or a newer schema, with `Unavailable` if nobody answers.
    pub(super) async fn open(config: &StoreConfig) -> Result<Self> {
        sqlx::any::install_default_drivers();
        let data = config.data.as_str();
        let sql = if let Some(path) = data.strip_prefix("sqlite:") {
            Self::sqlite(Path::new(path.strip_prefix("//").unwrap_or(path)), config.sync_full).await?
        } else if data.starts_with("postgres://") || data.starts_with("postgresql://") {
            Self::postgres(data).await?
        } else {
            let kind = data.split(':').next().unwrap_or_default();
            return Err(StoreError::Unusable(format!(
                "storage.data starts with \"{kind}:\", which is no database that linkspan knows: use sqlite:PATH or postgres://USER@HOST/DATABASE"
            )));
        };
        migrate::migrate(&sql.pool, sql.kind).await?;
        Ok(sql)
    }

    async fn sqlite(path: &Path, sync_full: bool) -> Result<Self> {
        let create = || -> std::io::Result<()> {
            if let Some(parent) = path.parent() {
                std::fs::DirBuilder::new().recursive(true).mode(0o700).create(parent)?;
            }
            // SQLite gives its companions (-wal, -shm) the mode of the file.
            OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path).map(drop)
        };
        create().map_err(|error| {
            StoreError::Unusable(format!("cannot open {}: {error}; check the path of storage.data and who may write there", path.display()))
        })?;
        let mut url = url::Url::from_file_path(path)
            .map_err(|()| StoreError::Unusable(format!("storage.data: {} is not an absolute path", path.display())))?
            .path()
            .to_owned();
        url.insert_str(0, "sqlite://");
        let synchronous = if sync_full { "FULL" } else { "NORMAL" };
        let pragmas =
            format!("PRAGMA busy_timeout = 2000; PRAGMA journal_mode = WAL; PRAGMA synchronous = {synchronous}; PRAGMA foreign_keys = ON;");
        let pool = connect(&url, 4, Kind::Sqlite, pragmas).await?;
        Ok(Self { pool, kind: Kind::Sqlite, file: Some(path.to_owned()), sync_full })
    }

    async fn postgres(url: &str) -> Result<Self> {
        // A node that is cut off in the middle of a transaction must not hold the writers' lock until TCP notices.
        let settings = "SET statement_timeout = '5s'; SET idle_in_transaction_session_timeout = '5s';".to_owned();
        let pool = connect(url, 10, Kind::Postgres, settings).await?;
        Ok(Self { pool, kind: Kind::Postgres, file: None, sync_full: true })
    }

    pub(super) fn kind(&self) -> Kind {
        self.kind
    }

    /// Asks for a sign of life.
    pub(super) async fn ping(&self) -> Result<()> {
        self.bounded(sqlx::query("SELECT 1").execute(&self.pool)).await.map(drop)
    }

    async fn bounded<T>(&self, work: impl Future<Output = sqlx::Result<T>>) -> Result<T> {
        match tokio::time::timeout(WAIT, work).await {
            Ok(outcome) => outcome.map_err(|error| self.kind.fault(error)),
            Err(_) => Err(self.kind.unavailable("no answer within two seconds")),
        }
    }

    /// Starts a writing transaction. Writers take turns, over all nodes: what one reads inside stays true until it
    /// commits, and `changes` become visible in the order of their numbers.
    async fn begin(&self) -> sqlx::Result<Transaction<'static, Any>> {
        match self.kind {
            Kind::Sqlite => self.pool.begin_with("BEGIN IMMEDIATE").await,
            Kind::Postgres => {
                let mut tx = self.pool.begin().await?;
                sqlx::query("SELECT pg_advisory_xact_lock(5498131)").execute(&mut *tx).await?;
                Ok(tx)
            }
        }
    }

    async fn document<T: DeserializeOwned>(&self, query: Query<'_, Any, AnyArguments>) -> Result<Option<T>> {
        self.bounded(async { query.fetch_optional(&self.pool).await?.map(|row| read(&row)).transpose() }).await
    }

    async fn documents<T: DeserializeOwned>(&self, query: Query<'_, Any, AnyArguments>) -> Result<Vec<T>> {
        self.bounded(async { query.fetch_all(&self.pool).await?.iter().map(read).collect() }).await
    }

    async fn number(&self, query: Query<'_, Any, AnyArguments>) -> Result<i64> {
        self.bounded(async { query.fetch_one(&self.pool).await?.try_get(0) }).await
    }
}

async fn connect(url: &str, most: u32, kind: Kind, settings: String) -> Result<AnyPool> {
    let options = AnyConnectOptions::from_str(url)
        .map_err(|error| StoreError::Unusable(format!("storage.data is not an address of a {} database: {error}", kind.name())))?;
    let settings: std::sync::Arc<str> = settings.into();
    let pool = AnyPoolOptions::new().max_connections(most).acquire_timeout(WAIT).idle_timeout(Duration::from_secs(600)).after_connect(
        move |connection, _| {
            let settings = settings.clone();
            Box::pin(async move {
                connection.execute(sqlx::raw_sql(sqlx::AssertSqlSafe(settings))).await?;
                Ok(())
            })
        },
    );
    pool.connect_with(options).await.map_err(|error| match error {
        sqlx::Error::Configuration(why) => {
            StoreError::Unusable(format!("storage.data is not an address of a {} database: {why}", kind.name()))
        }
        other => kind.fault(other),
    })
}

/// Reads column 0 as a document.
fn read<T: DeserializeOwned>(row: &AnyRow) -> sqlx::Result<T> {
    serde_json::from_str(row.try_get::<&str, _>(0)?).map_err(|error| sqlx::Error::Decode(error.into()))
}

fn write<T: Serialize>(document: &T) -> sqlx::Result<String> {
    serde_json::to_string(document).map_err(|error| sqlx::Error::Encode(error.into()))
}

fn is_taken(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(|error| error.is_unique_violation())
}

/// A text of any length as a key: PostgreSQL indexes no more than 2,700 bytes and stores no NUL. The mark in front cannot
/// come from an identifier, which holds no control characters.
fn key(text: &str) -> String {
    if text.len() <= 1_024 && !text.contains('\0') {
        text.to_owned()
    } else {
        format!("\u{1}sha256:{}", digest::sha256(text.as_bytes()).to_hex())
    }
}
