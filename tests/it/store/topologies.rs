//! Redis behind Sentinels and as a Cluster.

use std::process::Command;
use std::time::{Duration, Instant};

use linkspan::model::time::Span;
use linkspan::store::replay::Seen;
use linkspan::store::throttle::{Admission, ThrottleRule};
use linkspan::store::{Stores, open};

use super::fixtures::{NOW, digest, participant, session, unique, user};
use super::{config, sqlite};
use crate::support::dir::TempDir;
use crate::support::servers::RedisServer;

/// One pass through every trait, with all scripts.
async fn use_everything(stores: &Stores) {
    let one = session(&user("x").id);
    stores.sessions.create(&one).await.unwrap();
    stores.sessions.join(&one.id, participant("https://a.example", "index", NOW)).await.unwrap().unwrap();
    assert!(stores.sessions.step_up(&one.id, one.authn[0].clone(), digest("new")).await.unwrap());
    let found = stores.sessions.find(&one.id, NOW + Span::minutes(2)).await.unwrap().unwrap();
    assert_eq!(stores.sessions.list(Some(&one.user), NOW, 10).await.unwrap(), std::slice::from_ref(&found));
    assert_eq!(stores.sessions.end(&one.id).await.unwrap(), Some(found));
    let message = digest(&unique());
    assert_eq!(stores.replay.first_seen(&message, &digest("f"), NOW, NOW + Span::minutes(1)).await.unwrap(), Seen::First);
    let rule = ThrottleRule { free: 3, first_wait: Span::seconds(1), longest: Span::minutes(5), window: Span::minutes(15) };
    let keys = [unique(), unique()];
    let rules = keys.clone().map(|key| (key, rule));
    assert_eq!(stores.throttle.attempt(&rules, NOW).await.unwrap(), Admission::Allowed);
    stores.throttle.succeeded(&keys).await.unwrap();
    stores.health.check().await.unwrap();
}

fn cli(port: u16, words: &[&str]) -> String {
    let output = Command::new("redis-cli").args(["-p", &port.to_string()]).args(words).output().unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}

async fn until(what: &str, mut reached: impl AsyncFnMut() -> bool) {
    let started = Instant::now();
    while !reached().await {
        assert!(started.elapsed() < Duration::from_secs(60), "{what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn a_cluster_carries_all_operations() {
    let start = || RedisServer::start_with(&["--cluster-enabled", "yes"]);
    let (Some(a), Some(b)) = (start(), start()) else { return };
    cli(a.port(), &["cluster", "addslotsrange", "0", "8191"]);
    cli(b.port(), &["cluster", "addslotsrange", "8192", "16383"]);
    cli(a.port(), &["cluster", "meet", "127.0.0.1", &b.port().to_string()]);
    until("both nodes know all slots", async || {
        [&a, &b].iter().all(|node| cli(node.port(), &["cluster", "info"]).contains("cluster_state:ok"))
    })
    .await;
    let directory = TempDir::new();
    let url = format!("redis+cluster://127.0.0.1:{},127.0.0.1:{}", a.port(), b.port());

    let stores = open(&config(&directory, &sqlite(&directory), &url)).await.unwrap();

    assert_eq!(stores.health.describe(), "SQLite + Redis Cluster");
    for _ in 0..10 {
        use_everything(&stores).await;
    }
    assert_ne!(cli(b.port(), &["dbsize"]).trim(), "0");
    assert_ne!(cli(a.port(), &["dbsize"]).trim(), "0");
}

#[tokio::test]
async fn after_a_failover_the_sentinels_are_asked_for_the_new_master() {
    let Some(master) = RedisServer::start() else { return };
    let replica = RedisServer::start_with(&["--replicaof", "127.0.0.1", &master.port().to_string()]).unwrap();
    let Some(sentinel) = RedisServer::start_sentinel("main", master.port()) else { return };
    until("the sentinel knows the replica", async || {
        cli(sentinel.port(), &["sentinel", "replicas", "main"]).contains(&replica.port().to_string())
            && cli(replica.port(), &["info", "replication"]).contains("master_link_status:up")
    })
    .await;
    let directory = TempDir::new();
    let url = format!("redis+sentinel://127.0.0.1:{}/main", sentinel.port());
    let stores = open(&config(&directory, &sqlite(&directory), &url)).await.unwrap();
    assert_eq!(stores.health.describe(), "SQLite + Redis Sentinel");
    use_everything(&stores).await;
    let one = session(&user("x").id);
    stores.sessions.create(&one).await.unwrap();
    let key = format!("linkspan:session:{{{}}}", one.id);
    until("the replica has the session", async || cli(replica.port(), &["exists", &key]).trim() == "1").await;

    drop(master);
    until("the sentinel makes the replica the master", async || {
        cli(sentinel.port(), &["sentinel", "get-master-addr-by-name", "main"]).contains(&replica.port().to_string())
    })
    .await;

    until("the store follows", async || stores.health.check().await.is_ok()).await;
    until("writes are taken", async || stores.sessions.create(&session(&one.user)).await.is_ok()).await;
    assert_eq!(stores.sessions.find(&one.id, NOW).await.unwrap(), Some(one));
    use_everything(&stores).await;
}
