//! A store that goes away and comes back.

use std::time::{Duration, Instant};

use linkspan::model::time::Span;
use linkspan::store::replay::Seen;
use linkspan::store::{StoreError, open};

use super::fixtures::{NOW, digest, session, user};
use super::{config, sqlite};
use crate::support::dir::TempDir;
use crate::support::servers::RedisServer;

#[tokio::test]
async fn redis_going_away_is_said_within_two_seconds_and_healed_without_a_restart() {
    let Some(mut server) = RedisServer::start() else { return };
    let directory = TempDir::new();
    let stores = open(&config(&directory, &sqlite(&directory), &server.url())).await.unwrap();
    let one = session(&user("x").id);
    stores.sessions.create(&one).await.unwrap();
    stores.health.check().await.unwrap();

    server.stop();

    for _ in 0..3 {
        let asked = Instant::now();
        let outcome = stores.sessions.find(&one.id, NOW).await;
        assert!(matches!(outcome, Err(StoreError::Unavailable { .. })), "{outcome:?}");
        assert!(matches!(stores.health.check().await, Err(StoreError::Unavailable { .. })));
        assert!(matches!(stores.sessions.end(&one.id).await, Err(StoreError::Unavailable { .. })));
        assert!(asked.elapsed() < Duration::from_millis(2_500));
    }
    assert!(matches!(open(&config(&directory, &sqlite(&directory), &server.url())).await, Err(StoreError::Unavailable { .. })));

    server.start_again();

    let healed = Instant::now();
    while stores.health.check().await.is_err() {
        assert!(healed.elapsed() < Duration::from_secs(5), "it recovers");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // This Redis keeps nothing on disk.
    assert_eq!(stores.sessions.find(&one.id, NOW).await.unwrap(), None);
    stores.sessions.create(&one).await.unwrap();
    assert_eq!(stores.sessions.find(&one.id, NOW).await.unwrap(), Some(one));
}

#[tokio::test]
async fn the_first_call_after_redis_restarted_already_succeeds() {
    let Some(mut server) = RedisServer::start() else { return };
    let directory = TempDir::new();
    let stores = open(&config(&directory, &sqlite(&directory), &server.url())).await.unwrap();

    server.stop();
    server.start_again();

    let seen = stores.replay.first_seen(&digest("m"), &digest("f"), NOW, NOW + Span::minutes(1)).await.unwrap();
    assert_eq!(seen, Seen::First);
}

#[tokio::test]
async fn a_redis_that_accepts_but_never_answers_is_unavailable_within_two_seconds() {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let directory = TempDir::new();
    let url = format!("redis://127.0.0.1:{}/0", listener.local_addr().unwrap().port());
    let asked = Instant::now();

    let outcome = open(&config(&directory, &sqlite(&directory), &url)).await;

    assert!(matches!(outcome, Err(StoreError::Unavailable { .. })));
    assert!(asked.elapsed() < Duration::from_secs(3));
}

#[tokio::test]
async fn a_postgres_that_does_not_answer_is_unavailable_within_two_seconds() {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let directory = TempDir::new();
    let url = format!("postgres://nobody@127.0.0.1:{}/none", listener.local_addr().unwrap().port());
    let asked = Instant::now();

    let outcome = open(&config(&directory, &url, "embedded")).await;

    assert!(matches!(outcome, Err(StoreError::Unavailable { .. })));
    assert!(asked.elapsed() < Duration::from_secs(3));
}

#[tokio::test]
async fn an_address_of_no_known_store_is_refused_in_words() {
    let directory = TempDir::new();
    for (data, session) in [("mysql://localhost/x", "embedded"), (sqlite(&directory).as_str(), "memcached://localhost")] {
        let Err(StoreError::Unusable(words)) = open(&config(&directory, data, session)).await else {
            panic!("{data} {session} is refused")
        };
        assert!(words.contains("storage."), "{words}");
    }
}
