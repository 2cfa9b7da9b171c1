//! One multiplexed connection that comes back by itself.
//!
//! Whoever finds it gone makes it anew (asking the Sentinels again); others meanwhile wait for that, never longer than
//! `WAIT`.

use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use ::redis::aio::{ConnectionLike, MultiplexedConnection};
use ::redis::cluster_async::ClusterConnection;
use ::redis::{
    AsyncConnectionConfig, Cmd, ErrorKind, FromRedisValue, Pipeline, RedisError, RedisFuture, RedisResult, ScriptInvocation,
    ServerErrorKind, Value,
};
use tokio::time::Instant;

use crate::store::redis::address::Address;
use crate::store::{Result, StoreError, WAIT};

/// How long a connection may take to come about.
pub(super) const CONNECT: Duration = Duration::from_millis(1_000);

/// How long Redis may take to answer.
pub(super) const RESPOND: Duration = Duration::from_millis(1_500);

/// After a failure to connect nobody tries again for this long.
const PAUSE: Duration = Duration::from_millis(100);

/// Whether a call may be sent again when its connection was lost and nobody knows whether it was carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Twice {
    /// It comes to the same.
    Harmless,
    /// A second time would give another verdict.
    Never,
}

pub(super) struct Link {
    name: &'static str,
    /// The connection in use and its number.
    current: RwLock<Option<(u64, Connection)>>,
    maker: tokio::sync::Mutex<Maker>,
}

struct Maker {
    address: Address,
    made: u64,
    failed: Option<(Instant, String)>,
}

#[derive(Clone)]
enum Connection {
    Node(MultiplexedConnection),
    Cluster(ClusterConnection),
}

impl ConnectionLike for Connection {
    fn req_packed_command<'a>(&'a mut self, cmd: &'a Cmd) -> RedisFuture<'a, Value> {
        match self {
            Self::Node(connection) => connection.req_packed_command(cmd),
            Self::Cluster(connection) => connection.req_packed_command(cmd),
        }
    }

    fn req_packed_commands<'a>(&'a mut self, pipeline: &'a Pipeline, offset: usize, count: usize) -> RedisFuture<'a, Vec<Value>> {
        match self {
            Self::Node(connection) => connection.req_packed_commands(pipeline, offset, count),
            Self::Cluster(connection) => connection.req_packed_commands(pipeline, offset, count),
        }
    }

    fn get_db(&self) -> i64 {
        match self {
            Self::Node(connection) => connection.get_db(),
            Self::Cluster(connection) => connection.get_db(),
        }
    }
}

/// What is sent.
enum Call<'a> {
    Command(&'a Cmd),
    Script(&'a ScriptInvocation<'a>),
}

impl Link {
    pub(super) fn new(address: Address) -> Self {
        let name = address.name();
        Self { name, current: RwLock::new(None), maker: tokio::sync::Mutex::new(Maker { address, made: 0, failed: None }) }
    }

    pub(super) fn name(&self) -> &'static str {
        self.name
    }

    /// Sends a command that may be sent twice.
    pub(super) async fn command<T: FromRedisValue>(&self, command: &Cmd) -> Result<T> {
        self.bounded(Call::Command(command), Twice::Harmless).await
    }

    /// Runs a script, loading it where Redis does not have it.
    pub(super) async fn script<T: FromRedisValue>(&self, script: &ScriptInvocation<'_>, twice: Twice) -> Result<T> {
        self.bounded(Call::Script(script), twice).await
    }

    async fn bounded<T: FromRedisValue>(&self, call: Call<'_>, twice: Twice) -> Result<T> {
        match tokio::time::timeout(WAIT, self.send(&call, twice)).await {
            Ok(outcome) => outcome.map_err(|error| self.unavailable(&error)),
            Err(_) => {
                self.forget_current();
                Err(self.unavailable(&"no answer within two seconds"))
            }
        }
    }

    fn unavailable(&self, reason: &dyn ToString) -> StoreError {
        StoreError::Unavailable { store: self.name, reason: reason.to_string() }
    }

    async fn send<T: FromRedisValue>(&self, call: &Call<'_>, twice: Twice) -> RedisResult<T> {
        let mut again = twice == Twice::Harmless;
        loop {
            let (number, mut connection) = self.connection().await?;
            let outcome = match call {
                Call::Command(command) => command.query_async(&mut connection).await,
                Call::Script(script) => script.invoke_async(&mut connection).await,
            };
            match outcome {
                Err(error) if is_lost(&error) => {
                    self.forget(number);
                    if !again || error.is_timeout() {
                        return Err(error);
                    }
                    again = false;
                }
                outcome => return outcome,
            }
        }
    }

    async fn connection(&self) -> RedisResult<(u64, Connection)> {
        if let Some(current) = self.read() {
            return Ok(current);
        }
        let mut maker = self.maker.lock().await;
        if let Some(current) = self.read() {
            return Ok(current);
        }
        if let Some((at, reason)) = &maker.failed
            && at.elapsed() < PAUSE
        {
            return Err(RedisError::from((ErrorKind::Io, "no connection", reason.clone())));
        }
        match maker.make().await {
            Ok(connection) => {
                maker.failed = None;
                maker.made += 1;
                let current = (maker.made, connection);
                *self.current.write().unwrap_or_else(PoisonError::into_inner) = Some(current.clone());
                Ok(current)
            }
            Err(error) => {
                maker.failed = Some((Instant::now(), error.to_string()));
                Err(error)
            }
        }
    }

    fn read(&self) -> Option<(u64, Connection)> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn forget(&self, number: u64) {
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        if current.as_ref().is_some_and(|(present, _)| *present == number) {
            *current = None;
        }
    }

    fn forget_current(&self) {
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

impl Maker {
    async fn make(&mut self) -> RedisResult<Connection> {
        let config = AsyncConnectionConfig::new().set_connection_timeout(Some(CONNECT)).set_response_timeout(Some(RESPOND));
        match &mut self.address {
            Address::Single(client) => client.get_multiplexed_async_connection_with_config(&config).await.map(Connection::Node),
            Address::Sentinel(client) => client.get_async_connection_with_config(&config).await.map(Connection::Node),
            Address::Cluster(client) => client.get_async_connection().await.map(Connection::Cluster),
        }
    }
}

/// Whether a new connection may help: the old one broke, or leads to a server that is no longer the master.
fn is_lost(error: &RedisError) -> bool {
    error.is_io_error()
        || error.is_unrecoverable_error()
        || matches!(
            error.kind(),
            ErrorKind::Server(
                ServerErrorKind::ReadOnly | ServerErrorKind::MasterDown | ServerErrorKind::BusyLoading | ServerErrorKind::ClusterDown
            )
        )
}
