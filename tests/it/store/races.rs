//! Two callers at once, for every operation that decides.

use std::sync::Arc;

use linkspan::model::time::Span;
use linkspan::model::user::User;
use linkspan::store::keys::KeyState;
use linkspan::store::replay::Seen;
use linkspan::store::setup::Claimed;
use linkspan::store::throttle::{Admission, ThrottleRule};
use linkspan::store::users::{Inserted, Updated};

use super::fixtures::{NOW, app, digest, key, participant, password_at, session, unique, user};
use super::on_each;

/// How often each race is run.
const ROUNDS: usize = 20;

/// Runs two calls at once, started together, and returns what each got.
async fn race<A: Send + 'static, B: Send + 'static>(
    one: impl Future<Output = A> + Send + 'static,
    two: impl Future<Output = B> + Send + 'static,
) -> (A, B) {
    let barrier = Arc::new(tokio::sync::Barrier::new(2));
    let other = barrier.clone();
    let one = tokio::spawn(async move {
        barrier.wait().await;
        one.await
    });
    let two = tokio::spawn(async move {
        other.wait().await;
        two.await
    });
    (one.await.unwrap(), two.await.unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_two_ends_gets_the_session() {
    on_each(async |on| {
        for _ in 0..ROUNDS {
            let one = session(&user("x").id);
            on.stores.sessions.create(&one).await.unwrap();
            let end = || {
                let (sessions, id) = (on.stores.sessions.clone(), one.id.clone());
                async move { sessions.end(&id).await.unwrap() }
            };

            let (a, b) = race(end(), end()).await;

            assert!(a.is_some() != b.is_some());
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_joins_an_ending_session_is_in_its_record_or_gets_nothing() {
    on_each(async |on| {
        for _ in 0..ROUNDS {
            let one = session(&user("x").id);
            on.stores.sessions.create(&one).await.unwrap();
            let (sessions, id) = (on.stores.sessions.clone(), one.id.clone());
            let join = async move { sessions.join(&id, participant("https://a.example", "index", NOW)).await.unwrap() };
            let (sessions, id) = (on.stores.sessions.clone(), one.id.clone());
            let end = async move { sessions.end(&id).await.unwrap() };

            let (joined, ended) = race(join, end).await;

            assert_eq!(joined.is_some(), !ended.unwrap().participants.is_empty());
            assert_eq!(on.stores.sessions.find(&one.id, NOW).await.unwrap(), None);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_ends_is_not_brought_back_by_stepping_up_or_being_seen() {
    on_each(async |on| {
        for _ in 0..ROUNDS {
            let one = session(&user("x").id);
            on.stores.sessions.create(&one).await.unwrap();
            let (sessions, id) = (on.stores.sessions.clone(), one.id.clone());
            let use_it = async move {
                sessions.find(&id, NOW + Span::minutes(2)).await.unwrap();
                sessions.step_up(&id, password_at(NOW), digest("new")).await.unwrap();
            };
            let (sessions, id) = (on.stores.sessions.clone(), one.id.clone());
            let end = async move { sessions.end(&id).await.unwrap() };

            let ((), ended) = race(use_it, end).await;

            assert!(ended.is_some());
            assert_eq!(on.stores.sessions.find(&one.id, NOW).await.unwrap(), None);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_joins_of_one_app_agree_on_the_session_index() {
    on_each(async |on| {
        for _ in 0..ROUNDS {
            let one = session(&user("x").id);
            on.stores.sessions.create(&one).await.unwrap();
            let join = |index: &'static str| {
                let (sessions, id) = (on.stores.sessions.clone(), one.id.clone());
                async move { sessions.join(&id, participant("https://a.example", index, NOW)).await.unwrap().unwrap() }
            };

            let (a, b) = race(join("one"), join("two")).await;

            assert_eq!(a, b);
            assert_eq!(on.stores.sessions.find(&one.id, NOW).await.unwrap().unwrap().participants.len(), 1);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_two_browsers_is_the_first_with_a_message() {
    on_each(async |on| {
        for _ in 0..ROUNDS {
            let message = digest(&unique());
            let see = |browser: &'static str| {
                let replay = on.stores.replay.clone();
                async move { replay.first_seen(&message, &digest(browser), NOW, NOW + Span::minutes(5)).await.unwrap() }
            };

            let (a, b) = race(see("a"), see("b")).await;

            assert!(matches!((a, b), (Seen::First, Seen::Replayed) | (Seen::Replayed, Seen::First)), "{a:?} {b:?}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn racing_guesses_cannot_exceed_the_rule() {
    on_each(async |on| {
        for _ in 0..ROUNDS {
            let rule = ThrottleRule { free: 1, first_wait: Span::seconds(10), longest: Span::minutes(5), window: Span::minutes(15) };
            let keys = [(unique(), rule), (unique(), ThrottleRule { free: 30, ..rule })];
            let attempt = || {
                let (throttle, keys) = (on.stores.throttle.clone(), keys.clone());
                async move { throttle.attempt(&keys, NOW).await.unwrap() }
            };

            let (a, b) = race(attempt(), attempt()).await;

            assert!((a == Admission::Allowed) != (b == Admission::Allowed));
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_two_gets_a_name_or_an_entity_id() {
    on_each(async |on| {
        for round in 0..ROUNDS {
            let insert = |name: String| {
                let users = on.stores.users.clone();
                async move { users.insert(&user(&name)).await.unwrap() }
            };
            let (a, b) = race(insert(format!("ada{round}")), insert(format!("ADA{round}"))).await;
            assert!((a == Inserted::Inserted) != (b == Inserted::Inserted));

            let insert = |id: String| {
                let apps = on.stores.apps.clone();
                async move { apps.insert(&app(&id, &format!("https://{round}.example"))).await.unwrap() }
            };
            let (a, b) = race(insert(format!("a{round}")), insert(format!("b{round}"))).await;
            assert!((a == Inserted::Inserted) != (b == Inserted::Inserted));
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_two_updates_of_a_revision_is_made() {
    on_each(async |on| {
        let mut ada = user("ada");
        on.stores.users.insert(&ada).await.unwrap();
        for _ in 0..ROUNDS {
            let update = |display_name: &str| {
                let (users, next) = (on.stores.users.clone(), User { display_name: Some(display_name.to_owned()), ..ada.clone() });
                async move { users.update(&next).await.unwrap() }
            };

            let (a, b) = race(update("a"), update("b")).await;

            assert!(matches!((a, b), (Updated::Updated, Updated::Stale) | (Updated::Stale, Updated::Updated)), "{a:?} {b:?}");
            ada = on.stores.users.by_id(&ada.id).await.unwrap().unwrap();
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_two_people_claims_the_set_up_link() {
    for _ in 0..3 {
        on_each(async |on| {
            on.stores.setup.offer(&digest("token"), NOW + Span::hours(1)).await.unwrap();
            let claim = |name: &'static str| {
                let setup = on.stores.setup.clone();
                async move { setup.claim(&digest("token"), &User { admin: true, ..user(name) }, NOW).await.unwrap() }
            };

            let (a, b) = race(claim("one"), claim("two")).await;

            assert!(matches!((a, b), (Claimed::Claimed, Claimed::Invalid) | (Claimed::Invalid, Claimed::Claimed)), "{a:?} {b:?}");
            assert_eq!(on.stores.users.count().await.unwrap(), 1);
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_of_two_nodes_makes_the_keys_and_one_promotes() {
    for _ in 0..3 {
        on_each(async |on| {
            let make = |id: &'static str| {
                let keys = on.stores.keys.clone();
                async move { keys.insert_first(&[key(id, KeyState::Active)]).await.unwrap() }
            };
            let (a, b) = race(make("a"), make("b")).await;
            assert!((a == Inserted::Inserted) != (b == Inserted::Inserted));

            let id = on.stores.keys.all().await.unwrap()[0].id.clone();
            let shift = || {
                let (keys, id) = (on.stores.keys.clone(), id.clone());
                async move { keys.shift(&[(id, KeyState::Active, KeyState::Published)]).await.unwrap() }
            };
            let (a, b) = race(shift(), shift()).await;
            assert!(a != b);
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_different_name_ids_for_one_person_come_to_one() {
    on_each(async |on| {
        for _ in 0..ROUNDS {
            let person = user("x").id;
            let establish = |value: String| {
                let (name_ids, person) = (on.stores.name_ids.clone(), person.clone());
                async move { name_ids.establish(&person, "https://sp.example", &value, NOW).await.unwrap() }
            };

            let (a, b) = race(establish(unique()), establish(unique())).await;

            assert_eq!(a, b);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_of_changes_misses_none_while_others_write() {
    on_each(async |on| {
        let write = |name: &'static str| {
            let users = on.stores.users.clone();
            async move {
                for round in 0..50 {
                    users.insert(&user(&format!("{name}{round}"))).await.unwrap();
                }
            }
        };
        let changes = on.stores.changes.clone();
        let reader = tokio::spawn(async move {
            let (mut seen, mut after) = (0, 0);
            while seen < 100 {
                for change in changes.after(after).await.unwrap() {
                    assert!(change.seq > after);
                    after = change.seq;
                    seen += 1;
                }
            }
        });

        race(write("a"), write("b")).await;

        tokio::time::timeout(std::time::Duration::from_secs(10), reader).await.expect("every change is read").unwrap();
    })
    .await;
}
