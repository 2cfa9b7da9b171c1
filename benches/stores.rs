//! What one sign-on costs in the stores: `cargo bench --bench stores`.
//!
//! 100,000 sessions, eight tasks; one operation = find the session, note the message, join an app, record the audit event,
//! wait for the acknowledgement. Prints operations a second and the CPU time of this process for one. With
//! `LINKSPAN_TEST_REDIS` and `LINKSPAN_TEST_POSTGRES` set, Redis and PostgreSQL too. The last lines measure what was not
//! chosen (`docs/decisions/0001-embedded-lively-store.md`).

#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "a benchmark is told by the environment what to measure, and fails loudly"
)]

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use linkspan::crypto::digest::sha256;
use linkspan::model::event::{AuditRecord, Event};
use linkspan::model::id::{AppId, SessionId, UserId};
use linkspan::model::session::{AuthnEvent, AuthnMethod, NameId, SamlParticipant, Session, SessionLifetime};
use linkspan::model::time::{Span, Timestamp};
use linkspan::store::{StoreConfig, Stores, open};
use tokio::sync::oneshot;

const SESSIONS: u64 = 100_000;
const TASKS: u64 = 8;
const NOW: Timestamp = Timestamp::from_seconds(1_795_000_000);

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let redis = std::env::var("LINKSPAN_TEST_REDIS").ok();
    let postgres = std::env::var("LINKSPAN_TEST_POSTGRES").ok();
    run("SQLite + embedded", None, Some("embedded".to_owned()), false).await;
    run("SQLite + embedded, sync = full", None, Some("embedded".to_owned()), true).await;
    run("SQLite + Redis", None, redis.clone(), false).await;
    if postgres.is_some() {
        run("PostgreSQL + Redis", postgres, redis, false).await;
    }
    upserts_on_a_thread().await;
}

async fn run(name: &str, data: Option<String>, session: Option<String>, sync_full: bool) {
    let Some(session) = session else { return };
    let directory = folder();
    let config = StoreConfig {
        directory: directory.clone(),
        data: data.unwrap_or_else(|| format!("sqlite:{}", directory.join("linkspan.db").display())),
        session,
        lifetime: SessionLifetime { idle: Span::hours(8), absolute: Span::hours(24) },
        sync_full,
    };
    let stores = open(&config).await.expect("the stores open");
    let started = Instant::now();
    for number in 0..SESSIONS {
        stores.sessions.create(&session_number(number)).await.expect("a session");
    }
    stores.health.commit().await.expect("acknowledged");
    println!("{name}: {SESSIONS} sessions made in {:.1} s", started.elapsed().as_secs_f64());
    measure(&format!("{name}, session and replay"), &stores, false).await;
    measure(&format!("{name}, with audit"), &stores, true).await;
    let read = stores.audit.head().await.expect("the log is written");
    println!("{name}: {read} audit records in the database");
    drop(stores);
    let started = Instant::now();
    let stores = open(&config).await.expect("the stores open again");
    println!("{name}: opened again in {:.2} s", started.elapsed().as_secs_f64());
    drop(stores);
    let _ = std::fs::remove_dir_all(directory);
}

async fn measure(name: &str, stores: &Stores, with_audit: bool) {
    let number = Arc::new(AtomicU64::new(0));
    let operation = {
        let stores = stores.clone();
        move || {
            let (stores, number) = (stores.clone(), number.fetch_add(1, Ordering::Relaxed));
            async move {
                let id = session_id(number.wrapping_mul(7_919) % SESSIONS);
                let session = stores.sessions.find(&id, NOW).await.expect("the store answers").expect("the session lives");
                let message = sha256(format!("{with_audit}{number}").as_bytes());
                stores.replay.first_seen(&message, &session.secret, NOW, NOW + Span::minutes(6)).await.expect("noted");
                stores.sessions.join(&id, participant(number % 3)).await.expect("joined");
                if with_audit {
                    stores.audit.record(record(number)).await.expect("recorded");
                }
                stores.health.commit().await.expect("acknowledged");
            }
        }
    };
    report(name, operation).await;
}

async fn report<F: Future<Output = ()> + Send>(name: &str, operation: impl Fn() -> F + Clone + Send + 'static) {
    let (started, cpu_before) = (Instant::now(), cpu());
    let tasks = (0..TASKS).map(|_| {
        let operation = operation.clone();
        tokio::spawn(async move {
            let mut count = 0u64;
            while started.elapsed() < Duration::from_secs(5) {
                operation().await;
                count += 1;
                tokio::task::yield_now().await;
            }
            count
        })
    });
    let mut count = 0;
    for task in tasks.collect::<Vec<_>>() {
        count += task.await.expect("no task fails");
    }
    let (took, spent) = (started.elapsed().as_secs_f64(), cpu() - cpu_before);
    println!("{name}: {:.0} operations/s, {:.1} µs of CPU each", count as f64 / took, spent * 1e6 / count as f64);
}

/// What was not chosen: a thread with rusqlite that upserts each changed record, one transaction for whatever waits.
async fn upserts_on_a_thread() {
    type Rows = Vec<(Vec<u8>, Vec<u8>)>;
    let directory = folder();
    let connection = rusqlite::Connection::open(directory.join("lively.db")).expect("a database");
    connection
        .execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;
             CREATE TABLE lively (key BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
             CREATE TABLE audit (seq INTEGER PRIMARY KEY, doc BLOB NOT NULL)",
        )
        .expect("tables");
    let (sender, receiver) = mpsc::channel::<(Rows, oneshot::Sender<()>)>();
    let writer = std::thread::spawn(move || {
        let mut connection = connection;
        while let Ok(first) = receiver.recv() {
            let batch: Vec<_> = std::iter::once(first).chain(receiver.try_iter()).collect();
            let tx = connection.transaction().expect("a transaction");
            for (key, value) in batch.iter().flat_map(|(rows, _)| rows) {
                let text =
                    if key.is_empty() { "INSERT INTO audit (doc) VALUES (?2)" } else { "INSERT OR REPLACE INTO lively VALUES (?1, ?2)" };
                let mut statement = tx.prepare_cached(text).expect("a statement");
                if key.is_empty() { statement.raw_bind_parameter(2, value) } else { statement.raw_bind_parameter(1, key) }.expect("bound");
                statement.raw_bind_parameter(2, value).expect("bound");
                statement.raw_execute().expect("a row");
            }
            tx.commit().expect("committed");
            for (_, waiter) in batch {
                let _ = waiter.send(());
            }
        }
    });
    let number = Arc::new(AtomicU64::new(0));
    for with_audit in [false, true] {
        let (sender, number) = (sender.clone(), number.clone());
        let operation = move || {
            let (sender, number) = (sender.clone(), number.fetch_add(1, Ordering::Relaxed));
            async move {
                let session = session_number(number.wrapping_mul(7_919) % SESSIONS);
                let message = sha256(&number.to_be_bytes());
                let mut rows: Rows = vec![
                    (message.as_bytes().to_vec(), session.secret.as_bytes().to_vec()),
                    (session.id.as_str().as_bytes().to_vec(), serde_json::to_vec(&session).expect("JSON")),
                ];
                if with_audit {
                    rows.push((Vec::new(), serde_json::to_vec(&record(number)).expect("JSON")));
                }
                let (acknowledge, acknowledged) = oneshot::channel();
                sender.send((rows, acknowledge)).expect("the writer lives");
                acknowledged.await.expect("acknowledged");
            }
        };
        let what = if with_audit { "with audit" } else { "session and replay" };
        report(&format!("not chosen: rusqlite thread, a row for each record, {what}"), operation).await;
    }
    drop(sender);
    writer.join().expect("the writer ends");
    let _ = std::fs::remove_dir_all(directory);
}

fn folder() -> PathBuf {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let name = format!("linkspan-bench-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
    let path = std::env::var_os("CARGO_TARGET_TMPDIR").map_or_else(std::env::temp_dir, PathBuf::from).join(name);
    std::fs::create_dir_all(&path).expect("a folder");
    path
}

/// Seconds of CPU that this process has used, in the kernel's ticks of 10 ms.
fn cpu() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("Linux");
    let ticks: u64 =
        stat.rsplit(')').next().into_iter().flat_map(str::split_whitespace).skip(11).take(2).filter_map(|n| n.parse::<u64>().ok()).sum();
    ticks as f64 / 100.0
}

fn session_id(number: u64) -> SessionId {
    SessionId::parse(format!("s_{number:024}")).expect("an ID")
}

fn session_number(number: u64) -> Session {
    Session {
        id: session_id(number),
        secret: sha256(&number.to_be_bytes()),
        user: UserId::parse(format!("u_{number:024}")).expect("an ID"),
        user_name: format!("person{number}@example.com"),
        created: NOW,
        last_seen: NOW,
        expires: NOW + Span::hours(24),
        authn: vec![AuthnEvent { method: AuthnMethod::Password, at: NOW, protected_transport: true }],
        client: Some("192.0.2.17".to_owned()),
        agent: Some("Mozilla/5.0 (X11; Linux x86_64; rv:146.0) Gecko/20100101 Firefox/146.0".to_owned()),
        participants: Vec::new(),
    }
}

fn participant(number: u64) -> SamlParticipant {
    SamlParticipant {
        app: AppId::parse("grafana").expect("an ID"),
        entity_id: format!("https://sp{number}.example.com/saml/metadata"),
        session_index: "_0123456789abcdef0123456789abcdef".to_owned(),
        name_id: NameId {
            value: "abcdefghijklmnopqrstuvwxyz234567abcdefghijklmnopqrstuvwx".to_owned(),
            format: "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent".to_owned(),
            name_qualifier: Some("https://id.example.com/saml/metadata".to_owned()),
            sp_name_qualifier: Some(format!("https://sp{number}.example.com/saml/metadata")),
        },
        first: NOW,
        last: NOW,
    }
}

fn record(number: u64) -> AuditRecord {
    AuditRecord {
        at: NOW,
        event: Event::SamlSsoSucceeded {
            user: format!("person{number}@example.com"),
            app: "grafana".to_owned(),
            entity_id: "https://sp.example.com/saml/metadata".to_owned(),
            name_id_format: "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent".to_owned(),
            assertion_id: "_0123456789abcdef0123456789abcdef".to_owned(),
        },
        actor: Some(format!("person{number}@example.com")),
        client: Some("192.0.2.17".to_owned()),
        reference: None,
        session: Some("s_0123456789".to_owned()),
    }
}
