//! What survives: a restart, a killed process, a newer version's data, a second process.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use linkspan::model::id::SessionId;
use linkspan::model::pending::{PendingRequest, WaitingRequest};
use linkspan::model::session::Session;
use linkspan::model::time::Span;
use linkspan::store::api_keys::ApiKeyRecord;
use linkspan::store::replay::Seen;
use linkspan::store::throttle::{Admission, ThrottleRule};
use linkspan::store::{StoreConfig, StoreError, open};

use super::fixtures::{NOW, audit, digest, participant, password_at, session, unique, user};
use super::{config, on_all_combinations, opened, sqlite};
use crate::support::dir::TempDir;

#[tokio::test]
async fn everything_survives_a_restart() {
    on_all_combinations(async |on| {
        let stores = &on.stores;
        let ada = user("ada");
        stores.users.insert(&ada).await.unwrap();
        let one = session(&ada.id);
        let gone = session(&ada.id);
        stores.sessions.create(&one).await.unwrap();
        stores.sessions.create(&gone).await.unwrap();
        stores.sessions.join(&one.id, participant("https://a.example", "index", NOW)).await.unwrap();
        stores.sessions.step_up(&one.id, password_at(NOW), digest("second")).await.unwrap();
        stores.sessions.join(&one.id, participant("https://a.example", "other", NOW + Span::minutes(1))).await.unwrap();
        let later = NOW + Span::minutes(7);
        let expected = stores.sessions.find(&one.id, later).await.unwrap();
        stores.sessions.end(&gone.id).await.unwrap();
        let message = digest(&unique());
        stores.replay.first_seen(&message, &digest("f"), NOW, NOW + Span::minutes(10)).await.unwrap();
        let rule = ThrottleRule { free: 1, first_wait: Span::minutes(1), longest: Span::minutes(5), window: Span::minutes(15) };
        let keys = [(unique(), rule)];
        stores.throttle.attempt(&keys, NOW).await.unwrap();
        let waiting = PendingRequest {
            browser: digest("b"),
            created: NOW,
            claimed: NOW,
            expires: NOW + Span::minutes(10),
            request: WaitingRequest::Page { path: "/".to_owned() },
        };
        stores.pending.put(&message, &waiting).await.unwrap();
        stores.audit.record(audit("ada")).await.unwrap();
        stores.health.commit().await.unwrap();

        let stores = again(on).await;

        assert_eq!(stores.users.by_id(&ada.id).await.unwrap(), Some(ada.clone()));
        assert_eq!(stores.sessions.find(&one.id, later).await.unwrap(), expected);
        assert_eq!(stores.sessions.find(&gone.id, NOW).await.unwrap(), None);
        let seen = stores.replay.first_seen(&message, &digest("g"), NOW, NOW + Span::minutes(10)).await.unwrap();
        assert_eq!(seen, Seen::Replayed);
        assert!(matches!(stores.throttle.attempt(&keys, NOW).await.unwrap(), Admission::Wait { .. }));
        assert_eq!(stores.pending.find(&message, NOW).await.unwrap(), Some(waiting));
        assert_eq!(stores.audit.read(0, 10).await.unwrap().len(), 1);
    })
    .await;
}

/// Opens the same data once more, as the next process would: the first handles stay where that is allowed.
async fn again(on: &super::Opened) -> linkspan::store::Stores {
    if on.config.session != "embedded" {
        return open(&on.config).await.unwrap();
    }
    // The lock of the first is still held, so the next one works on a copy of what is on disk at this moment.
    let copy = Box::leak(Box::new(TempDir::new()));
    copy_folder(on.directory.path(), copy.path());
    let data = if on.config.data.starts_with("sqlite:") { sqlite(copy) } else { on.config.data.clone() };
    open(&config(copy, &data, "embedded")).await.unwrap()
}

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Run by the test below in a process of its own: writes, says what was acknowledged, and never stops by itself.
#[tokio::test]
#[ignore = "the victim of a_killed_process_loses_nothing_that_was_acknowledged"]
async fn victim() {
    let Some(directory) = std::env::var_os("LINKSPAN_TEST_VICTIM") else { return };
    let directory = Path::new(&directory);
    let data = format!("sqlite:{}", directory.join("linkspan.db").display());
    let config = StoreConfig { directory: directory.to_owned(), data, ..config(&TempDir::new(), "", "embedded") };
    let stores = open(&config).await.unwrap();
    for number in 0.. {
        let one = session(&user("x").id);
        stores.sessions.create(&one).await.unwrap();
        stores.replay.first_seen(&digest(one.id.as_str()), &digest("f"), NOW, NOW + Span::minutes(5)).await.unwrap();
        stores.audit.record(audit(one.id.as_str())).await.unwrap();
        stores.health.commit().await.unwrap();
        println!("acknowledged {number} {}", one.id);
    }
}

#[tokio::test]
async fn a_killed_process_loses_nothing_that_was_acknowledged() {
    let directory = TempDir::new();
    let mut victim = Command::new(std::env::current_exe().unwrap())
        .args(["store::restart::victim", "--exact", "--ignored", "--nocapture"])
        .env("LINKSPAN_TEST_VICTIM", directory.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let output = std::io::BufRead::lines(std::io::BufReader::new(victim.stdout.take().unwrap()));
    let mut acknowledged = Vec::new();
    for line in output {
        let line = line.unwrap();
        acknowledged.extend(line.strip_prefix("acknowledged ").and_then(|rest| rest.split_once(' ')).map(|(_, id)| id.to_owned()));
        if acknowledged.len() == 3_000 {
            victim.kill().unwrap();
        }
    }
    victim.wait().unwrap();
    assert!(acknowledged.len() >= 3_000);

    let data = format!("sqlite:{}", directory.path().join("linkspan.db").display());
    let stores = open(&config(&directory, &data, "embedded")).await.unwrap();

    for id in &acknowledged {
        let id = SessionId::parse(id.as_str()).unwrap();
        assert!(stores.sessions.find(&id, NOW).await.unwrap().is_some(), "{id}");
        let seen = stores.replay.first_seen(&digest(id.as_str()), &digest("g"), NOW, NOW + Span::minutes(5)).await.unwrap();
        assert_eq!(seen, Seen::Replayed);
    }
    let mut logged: Vec<_> = stores.audit.read(0, 100_000).await.unwrap().into_iter().filter_map(|stored| stored.record.actor).collect();
    assert!(acknowledged.iter().all(|id| logged.contains(id)));
    let before = logged.len();
    logged.sort();
    logged.dedup();
    assert_eq!(logged.len(), before, "no record twice");
}

#[tokio::test]
async fn a_second_process_on_embedded_data_is_told_who_has_it() {
    let on = opened("sqlite", "embedded").await.unwrap();

    let Err(StoreError::Unusable(words)) = open(&on.config).await else { panic!("refused") };

    assert!(words.contains(&format!("pid {}", std::process::id())), "{words}");
    assert!(words.contains("embedded storage serves one process"), "{words}");
    drop(on.stores);
}

#[tokio::test]
async fn a_database_of_a_newer_version_is_refused_in_words() {
    on_all_combinations(async |on| {
        let newer = "INSERT INTO linkspan_schema (version) VALUES (9999)";
        if let Some(file) = on.config.data.strip_prefix("sqlite:") {
            rusqlite::Connection::open(file).unwrap().execute(newer, []).unwrap();
        } else {
            assert!(Command::new("psql").args(["-qXc", newer, &on.config.data]).status().unwrap().success());
        }
        let fresh = TempDir::new();

        let Err(StoreError::Unusable(words)) = open(&config(&fresh, &on.config.data, "embedded")).await else { panic!("refused") };

        assert!(words.contains("9999") && words.contains("newer"), "{words}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_that_migrate_at_once_all_open() {
    let Some(data) = crate::support::servers::postgres_database() else { return };
    let nodes = (0..4).map(|_| {
        let data = data.clone();
        tokio::spawn(async move {
            let directory = TempDir::new();
            open(&config(&directory, &data, "embedded")).await.map(drop)
        })
    });

    for node in nodes.collect::<Vec<_>>() {
        node.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn nobody_else_can_read_the_files() {
    let on = opened("sqlite", "embedded").await.unwrap();
    on.stores.sessions.create(&session(&user("x").id)).await.unwrap();
    on.stores.health.commit().await.unwrap();

    let mut folders = vec![on.directory.path().to_owned()];
    let mut files = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let mode = path.metadata().unwrap().permissions().mode() & 0o777;
            if path.is_dir() {
                assert_eq!(mode, 0o700, "{}", path.display());
                folders.push(path);
            } else {
                assert_eq!(mode, 0o600, "{}", path.display());
                files += 1;
            }
        }
    }
    assert!(files >= 3);
}

#[tokio::test]
async fn live_credentials_rest_only_as_digests() {
    let on = opened("sqlite", "embedded").await.unwrap();
    let [cookie, api_key, link, address] = ["cookie", "api key", "link", "address"].map(|what| format!("plain {what} {}", unique()));
    let one = Session { secret: digest(&cookie), ..session(&user("x").id) };
    on.stores.sessions.create(&one).await.unwrap();
    on.stores.api_keys.insert(&ApiKeyRecord { digest: digest(&api_key), ..super::fixtures::api_key("k1", "ci") }).await.unwrap();
    on.stores.setup.offer(&digest(&link), NOW).await.unwrap();
    let waiting = PendingRequest {
        browser: digest(&cookie),
        created: NOW,
        claimed: NOW,
        expires: NOW,
        request: WaitingRequest::Page { path: "/".to_owned() },
    };
    on.stores.pending.put(&digest(&address), &waiting).await.unwrap();
    on.stores.health.commit().await.unwrap();

    let mut bytes = Vec::new();
    for folder in [on.directory.path().to_owned(), on.directory.path().join("lively")] {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                bytes.extend(std::fs::read(path).unwrap());
            }
        }
    }

    let holds = |text: &str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
    for secret in [cookie, api_key, link, address] {
        assert!(holds(&digest(&secret).to_hex()), "the digest is there, so we looked in the right place");
        assert!(!holds(&secret), "{secret}");
    }
}
