//! Sessions, waiting requests, the replay guard and the throttles.

use linkspan::model::id::UserId;
use linkspan::model::pending::{PendingRequest, WaitingRequest};
use linkspan::model::session::{Participant, Session};
use linkspan::model::time::Span;
use linkspan::store::replay::Seen;
use linkspan::store::throttle::{Admission, ThrottleRule};

use super::fixtures::{NOW, digest, participant, password_at, session, unique, user};
use super::on_each;

fn someone() -> UserId {
    user("someone").id
}

#[tokio::test]
async fn a_session_is_found_until_it_is_idle_or_over() {
    on_each(async |on| {
        let sessions = &on.stores.sessions;
        let one = session(&someone());
        sessions.create(&one).await.unwrap();

        assert_eq!(sessions.find(&one.id, NOW).await.unwrap().as_ref(), Some(&one));
        let soon = NOW + Span::seconds(59);
        assert_eq!(sessions.find(&one.id, soon).await.unwrap().unwrap().last_seen, NOW, "moves once a minute");
        let later = NOW + Span::hours(7);
        assert_eq!(sessions.find(&one.id, later).await.unwrap().unwrap().last_seen, later);
        assert!(sessions.find(&one.id, later + Span::minutes(479)).await.unwrap().is_some());
        let again = later + Span::minutes(479);
        assert!(sessions.find(&one.id, again + Span::hours(8)).await.unwrap().is_none(), "idle");

        let two = Session { expires: NOW + Span::hours(1), ..session(&someone()) };
        sessions.create(&two).await.unwrap();
        assert!(sessions.find(&two.id, NOW + Span::minutes(59)).await.unwrap().is_some());
        assert!(sessions.find(&two.id, NOW + Span::minutes(60)).await.unwrap().is_none(), "over");
    })
    .await;
}

#[tokio::test]
async fn who_joins_again_keeps_the_session_index() {
    on_each(async |on| {
        let sessions = &on.stores.sessions;
        let one = session(&someone());
        sessions.create(&one).await.unwrap();
        let later = NOW + Span::minutes(5);

        let first = participant("https://a.example", "index-1", NOW);
        assert_eq!(sessions.join(&one.id, first.clone()).await.unwrap(), Some(first.clone()));
        let again = sessions.join(&one.id, participant("https://a.example", "index-2", later)).await.unwrap().unwrap();
        assert_eq!((again.session_index.as_str(), again.first, again.last), ("index-1", NOW, later));
        let other = participant("https://b.example", "index-3", later);
        assert_eq!(sessions.join(&one.id, other.clone()).await.unwrap(), Some(other.clone()));

        let found = sessions.find(&one.id, NOW).await.unwrap().unwrap();
        assert_eq!(found.participants, [Participant::Saml(again), Participant::Saml(other.clone())]);
        assert_eq!(sessions.join(&session(&someone()).id, other).await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn stepping_up_replaces_the_secret() {
    on_each(async |on| {
        let sessions = &on.stores.sessions;
        let one = session(&someone());
        sessions.create(&one).await.unwrap();
        let later = NOW + Span::seconds(30);

        assert!(sessions.step_up(&one.id, password_at(later), digest("new cookie")).await.unwrap());
        let found = sessions.find(&one.id, later).await.unwrap().unwrap();
        assert_eq!((found.secret, found.authn), (digest("new cookie"), vec![password_at(NOW), password_at(later)]));
        assert!(!sessions.step_up(&session(&someone()).id, password_at(later), digest("x")).await.unwrap());
    })
    .await;
}

#[tokio::test]
async fn an_ended_session_is_gone_for_everybody() {
    on_each(async |on| {
        let sessions = &on.stores.sessions;
        let mut one = session(&someone());
        sessions.create(&one).await.unwrap();
        let joined = sessions.join(&one.id, participant("https://a.example", "index-1", NOW)).await.unwrap().unwrap();
        one.participants.push(Participant::Saml(joined.clone()));

        assert_eq!(sessions.end(&one.id).await.unwrap().as_ref(), Some(&one));
        assert_eq!(sessions.end(&one.id).await.unwrap(), None);
        assert_eq!(sessions.find(&one.id, NOW).await.unwrap(), None);
        assert_eq!(sessions.join(&one.id, joined).await.unwrap(), None);
        assert!(sessions.list(Some(&one.user), NOW, 10).await.unwrap().is_empty());
    })
    .await;
}

#[tokio::test]
async fn sessions_are_listed_newest_first() {
    on_each(async |on| {
        let sessions = &on.stores.sessions;
        let person = someone();
        let made_at = |minute| {
            let at = NOW + Span::minutes(minute);
            Session { created: at, last_seen: at, expires: at + Span::hours(24), ..session(&person) }
        };
        let all: Vec<Session> = (0..5).map(made_at).collect();
        for one in &all {
            sessions.create(one).await.unwrap();
        }
        sessions.create(&session(&someone())).await.unwrap();
        sessions.end(&all[3].id).await.unwrap();
        let now = NOW + Span::minutes(10);

        let ids = |list: Vec<Session>| list.into_iter().map(|session| session.id).collect::<Vec<_>>();
        let expected = [4, 2, 1, 0].map(|at: usize| all[at].id.clone());
        assert_eq!(ids(sessions.list(Some(&person), now, 10).await.unwrap()), expected);
        assert_eq!(ids(sessions.list(Some(&person), now, 2).await.unwrap()), expected[..2]);
        let everybody = ids(sessions.list(None, now, 10_000).await.unwrap());
        assert!(expected.iter().all(|id| everybody.contains(id)));
        assert!(sessions.list(Some(&person), now + Span::hours(9), 10).await.unwrap().is_empty(), "idle");
    })
    .await;
}

#[tokio::test]
async fn a_waiting_request_is_kept_until_it_expires() {
    on_each(async |on| {
        let pending = &on.stores.pending;
        let key = digest(&unique());
        let request = PendingRequest {
            browser: digest("browser"),
            created: NOW,
            claimed: NOW,
            expires: NOW + Span::minutes(10),
            request: WaitingRequest::SamlPost { saml_request: "PHNhbWw+".to_owned(), relay_state: Some("\u{0}&ä".to_owned()) },
        };

        pending.put(&key, &request).await.unwrap();

        assert_eq!(pending.find(&key, NOW + Span::minutes(9)).await.unwrap(), Some(request));
        assert_eq!(pending.find(&key, NOW + Span::minutes(10)).await.unwrap(), None);
        assert_eq!(pending.find(&digest("another"), NOW).await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn a_message_counts_once_but_a_reload_goes_on() {
    on_each(async |on| {
        let replay = &on.stores.replay;
        let message = digest(&unique());
        let ends = NOW + Span::minutes(6);

        assert_eq!(replay.first_seen(&message, &digest("browser a"), NOW, ends).await.unwrap(), Seen::First);
        assert_eq!(replay.first_seen(&message, &digest("browser a"), NOW, ends).await.unwrap(), Seen::SameAgain);
        assert_eq!(replay.first_seen(&message, &digest("browser b"), NOW, ends).await.unwrap(), Seen::Replayed);
        assert_eq!(replay.first_seen(&message, &digest("browser a"), NOW, ends).await.unwrap(), Seen::SameAgain);
        assert_eq!(replay.first_seen(&message, &digest("browser b"), ends, ends + Span::minutes(6)).await.unwrap(), Seen::First);
    })
    .await;
}

#[tokio::test]
async fn guessing_becomes_slow_and_success_clears_it() {
    on_each(async |on| {
        let throttle = &on.stores.throttle;
        let rule = |free| ThrottleRule { free, first_wait: Span::seconds(10), longest: Span::minutes(5), window: Span::minutes(15) };
        let (account, address) = (format!("account:{}", unique()), format!("address:{}", unique()));
        let keys = [(account.clone(), rule(3)), (address.clone(), rule(5))];

        for _ in 0..3 {
            assert_eq!(throttle.attempt(&keys, NOW).await.unwrap(), Admission::Allowed);
        }
        let until = NOW + Span::seconds(10);
        assert_eq!(throttle.attempt(&keys, NOW).await.unwrap(), Admission::Wait { until });
        assert_eq!(throttle.attempt(&keys[1..], NOW).await.unwrap(), Admission::Allowed, "another account from the same address");
        assert_eq!(throttle.attempt(&keys, until).await.unwrap(), Admission::Allowed, "what had to wait was not counted");
        let doubled = until + Span::seconds(20);
        assert_eq!(throttle.attempt(&keys, until).await.unwrap(), Admission::Wait { until: doubled });

        throttle.succeeded(&[account, address]).await.unwrap();
        assert_eq!(throttle.attempt(&keys, until).await.unwrap(), Admission::Allowed);
    })
    .await;
}

#[tokio::test]
async fn many_people_may_sign_in_from_one_address() {
    on_each(async |on| {
        let throttle = &on.stores.throttle;
        let rule = ThrottleRule { free: 3, first_wait: Span::seconds(10), longest: Span::minutes(5), window: Span::minutes(15) };
        let address = unique();
        let keys = [(address.clone(), rule)];
        assert_eq!(throttle.attempt(&keys, NOW).await.unwrap(), Admission::Allowed);

        for _ in 0..10 {
            assert_eq!(throttle.attempt(&keys, NOW).await.unwrap(), Admission::Allowed);
            throttle.forgive(std::slice::from_ref(&address)).await.unwrap();
        }

        assert_eq!(throttle.attempt(&keys, NOW).await.unwrap(), Admission::Allowed);
        assert_eq!(throttle.attempt(&keys, NOW).await.unwrap(), Admission::Allowed, "the failure before the others still counts");
        assert_eq!(throttle.attempt(&keys, NOW).await.unwrap(), Admission::Wait { until: NOW + Span::seconds(10) });
    })
    .await;
}

#[tokio::test]
async fn a_wait_never_exceeds_the_longest_and_failures_are_forgotten() {
    on_each(async |on| {
        let throttle = &on.stores.throttle;
        let rule = ThrottleRule { free: 1, first_wait: Span::seconds(100), longest: Span::seconds(300), window: Span::minutes(15) };
        let keys = [(unique(), rule)];
        let mut now = NOW;
        let mut waits = Vec::new();
        for _ in 0..5 {
            assert_eq!(throttle.attempt(&keys, now).await.unwrap(), Admission::Allowed);
            let Admission::Wait { until } = throttle.attempt(&keys, now).await.unwrap() else { panic!("has to wait") };
            waits.push(until.since(now).as_seconds());
            now = until;
        }

        assert_eq!(waits, [100, 200, 300, 300, 300]);
        now = now + Span::minutes(16);
        assert_eq!(throttle.attempt(&keys, now).await.unwrap(), Admission::Allowed);
        let Admission::Wait { until } = throttle.attempt(&keys, now).await.unwrap() else { panic!("has to wait") };
        assert_eq!(until.since(now).as_seconds(), 100);
    })
    .await;
}
