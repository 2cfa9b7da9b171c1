use std::fs::{File, OpenOptions};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use super::*;
use crate::crypto::digest::sha256;
use crate::model::id::{AppId, UserId};
use crate::model::pending::WaitingRequest;
use crate::model::session::{AuthnEvent, AuthnMethod, NameId, SamlParticipant};
use crate::model::time::Span;
use crate::store::pending::Pending as _;
use crate::store::replay::{Replay as _, Seen};
use crate::store::sessions::Sessions;

const NOW: Timestamp = Timestamp::from_seconds(1_795_000_000);

struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let name = format!("linkspan-embedded-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        Self(std::env::temp_dir().join(name))
    }

    fn open(&self) -> Result<Embedded> {
        let config = StoreConfig {
            directory: self.0.clone(),
            data: String::new(),
            session: "embedded".to_owned(),
            lifetime: SessionLifetime { idle: Span::hours(8), absolute: Span::hours(24) },
            sync_full: false,
        };
        let (mut store, _) = Embedded::open(&config)?;
        store.start(None)?;
        Ok(store)
    }

    fn files(&self, extension: &str) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.0.join("lively")).unwrap().map(|entry| entry.unwrap().path());
        let mut files: Vec<_> = entries.filter(|path| path.extension().is_some_and(|found| found == extension)).collect();
        files.sort();
        files
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn session(number: u64) -> Session {
    Session {
        id: SessionId::parse(format!("s_{number}")).unwrap(),
        secret: sha256(b"cookie"),
        user: UserId::parse("u_1").unwrap(),
        user_name: "alice".to_owned(),
        created: NOW,
        last_seen: NOW,
        expires: NOW + Span::hours(24),
        authn: vec![AuthnEvent { method: AuthnMethod::Password, at: NOW, protected_transport: true }],
        client: None,
        agent: None,
        participants: Vec::new(),
    }
}

fn participant(number: u64) -> SamlParticipant {
    SamlParticipant {
        app: AppId::parse("app").unwrap(),
        entity_id: format!("https://sp{number}.example"),
        session_index: format!("_{number}"),
        name_id: NameId { value: "x".to_owned(), format: "y".to_owned(), name_qualifier: None, sp_name_qualifier: None },
        first: NOW,
        last: NOW,
    }
}

async fn all(store: &Embedded) -> Vec<Session> {
    Sessions::list(store, None, NOW, u32::MAX).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn snapshots_taken_while_sessions_change_lose_nothing() {
    let folder = Folder::new();
    let store = Arc::new(folder.open().unwrap());
    let changing = {
        let store = store.clone();
        tokio::spawn(async move {
            for number in 0..3_000 {
                store.create(&session(number)).await.unwrap();
                store.join(&session(number).id, participant(number)).await.unwrap();
                if number >= 10 {
                    store.join(&session(number - 10).id, participant(number)).await.unwrap();
                    Sessions::find(&*store, &session(number - 5).id, NOW + Span::minutes(2)).await.unwrap();
                }
                if number % 3 == 0 {
                    store.end(&session(number).id).await.unwrap();
                }
                store.commit().await.unwrap();
            }
        })
    };
    while !changing.is_finished() {
        store.state.compact().unwrap();
        assert_eq!((folder.files("snapshot").len(), folder.files("journal").len()), (1, 1));
    }
    changing.await.unwrap();
    let before = all(&store).await;
    drop(store);

    let store = folder.open().unwrap();

    assert_eq!(before.len(), 2_000);
    assert_eq!(all(&store).await, before);
}

#[tokio::test]
async fn a_record_cut_off_by_a_power_failure_is_dropped_and_those_before_it_stay() {
    let folder = Folder::new();
    let store = folder.open().unwrap();
    for number in 0..10 {
        store.create(&session(number)).await.unwrap();
    }
    drop(store);
    let journal = folder.files("journal").pop().unwrap();
    let length = journal.metadata().unwrap().len();
    OpenOptions::new().write(true).open(&journal).unwrap().set_len(length - 3).unwrap();

    let store = folder.open().unwrap();

    assert_eq!(all(&store).await.len(), 9);
    store.create(&session(10)).await.unwrap();
    drop(store);
    assert_eq!(all(&folder.open().unwrap()).await.len(), 10);
}

#[tokio::test]
async fn a_damaged_snapshot_and_a_newer_format_are_refused_in_words() {
    let folder = Folder::new();
    let store = folder.open().unwrap();
    store.create(&session(1)).await.unwrap();
    store.state.compact().unwrap();
    drop(store);
    let snapshot = folder.files("snapshot").pop().unwrap();
    let good = std::fs::read(&snapshot).unwrap();

    let mut damaged = good.clone();
    damaged[40] ^= 1;
    std::fs::write(&snapshot, damaged).unwrap();
    let refused = folder.open().map(drop).unwrap_err().to_string();
    assert!(refused.contains("is damaged at byte 16"), "{refused}");

    let mut newer = good.clone();
    newer[15] = 2;
    std::fs::write(&snapshot, newer).unwrap();
    let refused = folder.open().map(drop).unwrap_err().to_string();
    assert!(refused.contains("not written by this version"), "{refused}");

    std::fs::write(&snapshot, good).unwrap();
    assert_eq!(all(&folder.open().unwrap()).await.len(), 1);
}

#[tokio::test]
async fn while_the_disk_refuses_nothing_changes_and_afterwards_nothing_is_missing() {
    let folder = Folder::new();
    let store = folder.open().unwrap();
    store.create(&session(1)).await.unwrap();
    store.commit().await.unwrap();
    let readable_only = File::open(folder.files("journal").pop().unwrap()).unwrap();
    let writable = store.state.journal.replace_file(readable_only);

    store.create(&session(2)).await.unwrap();
    assert!(matches!(store.commit().await, Err(StoreError::Unavailable { .. })));
    assert!(matches!(store.create(&session(3)).await, Err(StoreError::Unavailable { .. })));
    assert!(matches!(store.end(&session(1).id).await, Err(StoreError::Unavailable { .. })));
    assert!(matches!(store.check(), Err(StoreError::Unavailable { .. })));
    assert_eq!(all(&store).await.len(), 2);

    store.state.journal.replace_file(writable);
    store.check().unwrap();
    store.create(&session(4)).await.unwrap();
    store.commit().await.unwrap();
    drop(store);

    let numbers: Vec<_> = all(&folder.open().unwrap()).await.into_iter().map(|session| session.id.to_string()).collect();
    assert_eq!(numbers, ["s_4", "s_2", "s_1"]);
}

#[tokio::test]
async fn many_short_runs_do_not_leave_many_files() {
    let folder = Folder::new();
    for number in 0..30 {
        folder.open().unwrap().create(&session(number)).await.unwrap();
        assert!(folder.files("journal").len() <= 10);
    }

    assert_eq!(all(&folder.open().unwrap()).await.len(), 30);
}

#[tokio::test]
async fn what_has_ended_leaves_memory_and_does_not_come_back() {
    let folder = Folder::new();
    let store = folder.open().unwrap();
    for number in 0..1_000 {
        store.create(&session(number)).await.unwrap();
        store.first_seen(&sha256(&number.to_be_bytes()), &sha256(b""), NOW, NOW + Span::minutes(5)).await.unwrap();
    }
    let later = NOW + Span::hours(9);

    for number in 0..1_000 {
        Sessions::find(&store, &session(number).id, later).await.unwrap();
        store.first_seen(&sha256(&number.to_be_bytes()), &sha256(b""), later, later + Span::minutes(5)).await.unwrap();
    }

    assert_eq!(store.state.tables.sessions.pieces().map(|piece| piece.map.len()).sum::<usize>(), 0);
    assert_eq!(store.state.tables.replay.pieces().map(|piece| piece.map.len()).sum::<usize>(), 1_000);
    drop(store);
    assert!(all(&folder.open().unwrap()).await.is_empty());
}

#[tokio::test]
async fn strangers_cannot_fill_the_memory_with_waiting_requests() {
    let folder = Folder::new();
    let store = folder.open().unwrap();
    let waiting = |number: i64| PendingRequest {
        browser: sha256(b""),
        created: NOW,
        claimed: NOW,
        expires: NOW + Span::minutes(10) + Span::millis(number),
        request: WaitingRequest::Page { path: "/".to_owned() },
    };
    let newest = sha256(b"newest");
    {
        let mut piece = store.state.tables.pending.piece(&newest);
        for number in 0..1_000i64 {
            piece.map.insert(sha256(&number.to_be_bytes()), waiting(number));
        }
    }

    store.put(&newest, &waiting(1_000)).await.unwrap();

    let piece = store.state.tables.pending.piece(&newest);
    assert!(piece.map.len() < 900, "{}", piece.map.len());
    let oldest = piece.map.values().map(|waiting| waiting.expires).min().unwrap();
    assert_eq!(oldest, waiting(126).expires, "those that end first went");
    assert!(piece.map.contains_key(&newest));
}

#[tokio::test]
async fn a_full_guard_refuses_rather_than_forget() {
    let folder = Folder::new();
    let store = folder.open().unwrap();
    let guard = |number: u64| sha256(&number.to_be_bytes());
    let target = guard(0);
    {
        let mut piece = store.state.tables.replay.piece(&target);
        for number in 1..=31_250u64 {
            piece.map.insert(guard(number), (sha256(b""), NOW + Span::minutes(5)));
        }
    }

    let outcome = store.first_seen(&target, &sha256(b""), NOW, NOW + Span::minutes(5)).await;
    assert!(matches!(outcome, Err(StoreError::Unavailable { .. })), "{outcome:?}");

    let later = NOW + Span::minutes(6);
    assert_eq!(store.first_seen(&target, &sha256(b""), later, later + Span::minutes(5)).await.unwrap(), Seen::First);
}
