//! The addresses of `storage.session`: one server, the Sentinels of one, or a Cluster.

use ::redis::cluster::{ClusterClient, ClusterClientBuilder};
use ::redis::sentinel::{SentinelClient, SentinelClientBuilder, SentinelServerType};
use ::redis::{Client, ConnectionAddr, ConnectionInfo, IntoConnectionInfo as _, RedisError, TlsMode};

use crate::store::redis::link::{CONNECT, RESPOND};
use crate::store::{Result, StoreError};

/// Where Redis is.
pub(super) enum Address {
    Single(Box<Client>),
    Sentinel(Box<SentinelClient>),
    Cluster(Box<ClusterClient>),
}

impl Address {
    /// Reads `redis://`, `rediss://`, `redis+sentinel://H1,H2/SERVICE`, `redis+cluster://H1,H2`, the last two also with
    /// `rediss+`; user, password and (not for a Cluster) database as `redis://` has them.
    ///
    /// Fails with `Unusable`, saying what is wrong.
    pub(super) fn parse(text: &str) -> Result<Self> {
        let Some((scheme, rest)) = text.split_once("://") else {
            return Err(unusable("it has no \"://\""));
        };
        let plain = if scheme.starts_with("rediss") { "rediss" } else { "redis" };
        match scheme {
            "redis" | "rediss" => Client::open(text).map(|client| Self::Single(Box::new(client))).map_err(unreadable),
            "redis+sentinel" | "rediss+sentinel" => sentinel(plain, rest),
            "redis+cluster" | "rediss+cluster" => cluster(plain, rest),
            other => Err(unusable(format!("\"{other}://\" is unknown"))),
        }
    }

    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Single(_) => "Redis",
            Self::Sentinel(_) => "Redis Sentinel",
            Self::Cluster(_) => "Redis Cluster",
        }
    }
}

/// The parts of `user:password@h1,h2/path?query`, as one `redis://` address for each host.
fn hosts(scheme: &str, rest: &str, port: u16) -> Result<Vec<ConnectionInfo>> {
    let (before, query) = rest.split_once('?').map_or((rest, None), |(before, query)| (before, Some(query)));
    let (authority, _) = before.split_once('/').unwrap_or((before, ""));
    let (user, hosts) = authority.rsplit_once('@').map_or((String::new(), authority), |(user, hosts)| (format!("{user}@"), hosts));
    let query = query.map_or(String::new(), |query| format!("?{query}"));
    let parse = |host: &str| {
        // An IPv6 address in brackets has colons of its own.
        let has_port = host.rsplit_once(':').is_some_and(|(_, port)| !port.contains(']'));
        let host = if has_port { host.to_owned() } else { format!("{host}:{port}") };
        format!("{scheme}://{user}{host}/{query}").into_connection_info().map_err(unreadable)
    };
    hosts.split(',').map(|host| parse(host.trim())).collect()
}

fn sentinel(scheme: &str, rest: &str) -> Result<Address> {
    let (before, _) = rest.split_once('?').unwrap_or((rest, ""));
    let path = before.split_once('/').map_or("", |(_, path)| path);
    let (service, database) = path.split_once('/').unwrap_or((path, "0"));
    if service.is_empty() {
        return Err(unusable("the name of the service is missing: redis+sentinel://HOST,HOST/SERVICE"));
    }
    let database: i64 = database.parse().map_err(|_| unusable(format!("\"{database}\" is not the number of a database")))?;
    let infos = hosts(scheme, rest, 26_379)?;
    let first = infos.first().ok_or_else(|| unusable("it names no host"))?.redis_settings().clone();
    let addresses: Vec<ConnectionAddr> = infos.iter().map(|info| info.addr().clone()).collect();
    let mut builder =
        SentinelClientBuilder::new(addresses, service, SentinelServerType::Master).map_err(unreadable)?.set_client_to_redis_db(database);
    if let Some(user) = first.username() {
        builder = builder.set_client_to_redis_username(user);
    }
    if let Some(password) = first.password() {
        builder = builder.set_client_to_redis_password(password);
    }
    if scheme == "rediss" {
        builder = builder.set_client_to_redis_tls_mode(TlsMode::Secure).set_client_to_sentinel_tls_mode(TlsMode::Secure);
    }
    builder.build().map(|client| Address::Sentinel(Box::new(client))).map_err(unreadable)
}

fn cluster(scheme: &str, rest: &str) -> Result<Address> {
    // A single retry: the library follows redirections by itself, and longer than WAIT nobody waits.
    ClusterClientBuilder::new(hosts(scheme, rest, 6_379)?)
        .retries(2)
        .connection_timeout(CONNECT)
        .response_timeout(RESPOND)
        .build()
        .map(|client| Address::Cluster(Box::new(client)))
        .map_err(unreadable)
}

fn unreadable(error: RedisError) -> StoreError {
    unusable(error.detail().map_or_else(|| error.to_string(), str::to_owned))
}

/// The address itself is not repeated: it may hold a password.
fn unusable(why: impl std::fmt::Display) -> StoreError {
    StoreError::Unusable(format!(
        "storage.session is not an address of Redis: {why}; use embedded, redis://HOST, rediss://HOST, redis+sentinel://H1,H2/SERVICE or \
         redis+cluster://H1,H2"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> String {
        match Address::parse(text) {
            Ok(address) => address.name().to_owned(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn each_form_of_the_contract_is_understood() {
        for (text, name) in [
            ("redis://127.0.0.1:6379/0", "Redis"),
            ("redis://user:pass@localhost/2", "Redis"),
            ("rediss://redis.example.com", "Redis"),
            ("redis+sentinel://h1,h2:26380,h3/service", "Redis Sentinel"),
            ("redis+sentinel://:secret@[::1],h2/service/3", "Redis Sentinel"),
            ("rediss+sentinel://h1/service", "Redis Sentinel"),
            ("redis+cluster://u:p%40ss@h1:7000,h2:7001,h3", "Redis Cluster"),
        ] {
            assert_eq!(refusal(text), name, "{text}");
        }
    }

    #[test]
    fn a_wrong_address_is_refused_without_repeating_it() {
        for text in
            ["redis", "memcached://h", "redis+sentinel://:secret@h1", "redis+sentinel://:secret@h/s/x", "redis+cluster://:secret@h:port"]
        {
            let words = refusal(text);
            assert!(words.contains("storage.session") && !words.contains("secret"), "{text}: {words}");
        }
    }
}
