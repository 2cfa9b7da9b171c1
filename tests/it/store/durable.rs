//! People, apps, keys, NameIDs, the set-up link, traces, changes and the audit log.

use linkspan::model::id::{EntityId, UserId};
use linkspan::model::time::Span;
use linkspan::model::user::User;
use linkspan::store::changes::Changed;
use linkspan::store::keys::KeyState;
use linkspan::store::setup::Claimed;
use linkspan::store::traces::TraceFilter;
use linkspan::store::users::{Inserted, Updated};

use super::fixtures::{NOW, api_key, app, audit, digest, key, trace, user};
use super::{on_all_combinations, on_each};

#[tokio::test]
async fn a_name_is_taken_whatever_its_case() {
    on_each(async |on| {
        let users = &on.stores.users;
        let ada = user("Ada");

        assert_eq!(users.insert(&ada).await.unwrap(), Inserted::Inserted);
        assert_eq!(users.insert(&user(" aDA ")).await.unwrap(), Inserted::Taken);

        assert_eq!(users.by_name("ADA").await.unwrap().as_ref(), Some(&ada));
        assert_eq!(users.by_id(&ada.id).await.unwrap(), Some(ada));
        assert_eq!(users.count().await.unwrap(), 1);
    })
    .await;
}

#[tokio::test]
async fn only_the_newest_revision_can_be_replaced() {
    on_each(async |on| {
        let users = &on.stores.users;
        let ada = user("ada");
        users.insert(&ada).await.unwrap();
        users.insert(&user("bob")).await.unwrap();

        let renamed = User { name: "countess".to_owned(), ..ada.clone() };
        assert_eq!(users.update(&renamed).await.unwrap(), Updated::Updated);
        assert_eq!(users.update(&renamed).await.unwrap(), Updated::Stale);
        assert_eq!(users.update(&user("nobody")).await.unwrap(), Updated::Unknown);
        let taken = User { name: "BOB".to_owned(), revision: 2, ..ada.clone() };
        assert_eq!(users.update(&taken).await.unwrap(), Updated::Taken);

        assert_eq!(users.by_id(&ada.id).await.unwrap(), Some(User { revision: 2, ..renamed }));
        assert_eq!(users.by_name("ada").await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn an_address_finds_its_person_unless_two_share_it() {
    on_each(async |on| {
        let users = &on.stores.users;
        let with = |name: &str, email: &str| User { email: Some(email.to_owned()), ..user(name) };
        let ada = with("ada", "Ada@Example.com");
        let named = with("shared@example.com", "other@example.com");
        for person in [&ada, &named, &with("one", "two@example.com"), &with("two", "two@example.com"), &with("x", "shared@example.com")] {
            users.insert(person).await.unwrap();
        }

        assert_eq!(users.by_name("ada@example.COM").await.unwrap(), Some(ada));
        assert_eq!(users.by_name("two@example.com").await.unwrap(), None);
        assert_eq!(users.by_name("shared@example.com").await.unwrap(), Some(named));
        assert_eq!(users.by_name("a\0b").await.unwrap(), None);
        assert_eq!(users.by_name(&"x".repeat(10_000)).await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn people_are_listed_in_pages_by_name() {
    on_each(async |on| {
        let users = &on.stores.users;
        for name in ["Zoe", "anna", "Émile", "berta", "per%cent", "under_score"] {
            users.insert(&User { display_name: Some(format!("{name} Müller")), ..user(name) }).await.unwrap();
        }
        let names = |people: &[User]| people.iter().map(|person| person.name.clone()).collect::<Vec<_>>();

        let first = users.list(None, None, 4).await.unwrap();
        assert_eq!(names(&first.items), ["anna", "berta", "per%cent", "under_score"]);
        let rest = users.list(None, first.next.as_deref(), 4).await.unwrap();
        assert_eq!(names(&rest.items), ["Zoe", "Émile"]);
        assert_eq!(rest.next, None);

        assert_eq!(names(&users.list(Some("%"), None, 10).await.unwrap().items), ["per%cent"]);
        assert_eq!(names(&users.list(Some("R_s"), None, 10).await.unwrap().items), ["under_score"]);
        assert_eq!(users.list(Some("MÜLL"), None, 10).await.unwrap().items.len(), 6);
        assert_eq!(users.list(Some("\0"), None, 2).await.unwrap().items.len(), 2);
    })
    .await;
}

#[tokio::test]
async fn groups_come_and_go_with_their_memberships() {
    on_each(async |on| {
        let users = &on.stores.users;
        let ada = User { groups: vec!["staff".to_owned(), "ops".to_owned()], ..user("ada") };
        users.insert(&ada).await.unwrap();
        users.insert(&User { groups: vec!["staff".to_owned()], ..user("bob") }).await.unwrap();

        assert_eq!(users.insert_group("Empty").await.unwrap(), Inserted::Inserted);
        assert_eq!(users.insert_group("staff").await.unwrap(), Inserted::Taken);
        assert_eq!(users.groups().await.unwrap(), [("Empty".to_owned(), 0), ("ops".to_owned(), 1), ("staff".to_owned(), 2)]);

        assert!(users.remove_group("staff").await.unwrap());
        assert!(!users.remove_group("staff").await.unwrap());
        let ada_now = users.by_id(&ada.id).await.unwrap().unwrap();
        assert_eq!((ada_now.groups.as_slice(), ada_now.revision), (["ops".to_owned()].as_slice(), 2));

        assert_eq!(users.update(&User { groups: vec!["new".to_owned()], ..ada_now }).await.unwrap(), Updated::Updated);
        assert_eq!(users.groups().await.unwrap(), [("Empty".to_owned(), 0), ("new".to_owned(), 1), ("ops".to_owned(), 0)]);
        assert!(users.remove(&ada.id).await.unwrap());
        assert!(!users.remove(&ada.id).await.unwrap());
        assert_eq!(users.groups().await.unwrap()[1], ("new".to_owned(), 0));
    })
    .await;
}

#[tokio::test]
async fn an_entity_id_belongs_to_one_app() {
    on_each(async |on| {
        let apps = &on.stores.apps;
        let long = format!("https://sp.example/{}", "x".repeat(4_000));
        let grafana = app("grafana", &long);

        assert_eq!(apps.insert(&grafana).await.unwrap(), Inserted::Inserted);
        assert_eq!(apps.insert(&app("grafana", "https://other.example")).await.unwrap(), Inserted::Taken);
        assert_eq!(apps.insert(&app("other", &long)).await.unwrap(), Inserted::Taken);
        assert_eq!(apps.insert(&app("another", "https://another.example")).await.unwrap(), Inserted::Inserted);
        assert_eq!(apps.update(&app("another", &long)).await.unwrap(), Updated::Taken);
        assert_eq!(apps.update(&grafana).await.unwrap(), Updated::Updated);
        assert_eq!(apps.update(&grafana).await.unwrap(), Updated::Stale);

        let found = apps.by_entity_id(&EntityId::parse(long.as_str()).unwrap()).await.unwrap().unwrap();
        assert_eq!((found.id.as_str(), found.revision), ("grafana", 2));
        assert_eq!(apps.all().await.unwrap().len(), 2);
        assert!(apps.remove(&found.id).await.unwrap());
        assert_eq!(apps.by_id(&found.id).await.unwrap(), None);
        assert_eq!(apps.update(&found).await.unwrap(), Updated::Unknown);
    })
    .await;
}

#[tokio::test]
async fn keys_move_together_or_not_at_all() {
    on_each(async |on| {
        let keys = &on.stores.keys;
        let first = [key("a", KeyState::Active), key("b", KeyState::Active)];
        assert_eq!(keys.insert_first(&first).await.unwrap(), Inserted::Inserted);
        assert_eq!(keys.insert_first(&[key("c", KeyState::Active)]).await.unwrap(), Inserted::Taken);
        assert_eq!(keys.insert(&key("n", KeyState::Next)).await.unwrap(), Inserted::Inserted);
        assert_eq!(keys.insert(&key("n", KeyState::Next)).await.unwrap(), Inserted::Taken);
        let shift = |id: &str, from, to| (id.to_owned(), from, to);

        let promote = [shift("a", KeyState::Active, KeyState::Published), shift("n", KeyState::Next, KeyState::Active)];
        assert!(keys.shift(&promote).await.unwrap());
        assert!(!keys.shift(&promote).await.unwrap());
        let half = [shift("b", KeyState::Active, KeyState::Retired), shift("n", KeyState::Next, KeyState::Active)];
        assert!(!keys.shift(&half).await.unwrap());

        let states: Vec<_> = keys.all().await.unwrap().into_iter().map(|key| (key.id, key.state)).collect();
        let expected = [("a", KeyState::Published), ("b", KeyState::Active), ("n", KeyState::Active)];
        assert_eq!(states, expected.map(|(id, state)| (id.to_owned(), state)));
    })
    .await;
}

#[tokio::test]
async fn an_api_key_is_found_by_digest_and_removed_by_id_or_name() {
    on_each(async |on| {
        let api_keys = &on.stores.api_keys;
        let (ci, backup) = (api_key("k1", "ci"), api_key("k2", "k1"));

        assert_eq!(api_keys.insert(&ci).await.unwrap(), Inserted::Inserted);
        assert_eq!(api_keys.insert(&api_key("k3", "ci")).await.unwrap(), Inserted::Taken);
        assert_eq!(api_keys.insert(&backup).await.unwrap(), Inserted::Inserted);

        assert_eq!(api_keys.by_digest(&ci.digest).await.unwrap().as_ref(), Some(&ci));
        assert_eq!(api_keys.by_digest(&digest("unknown")).await.unwrap(), None);
        assert_eq!(api_keys.remove("k1").await.unwrap(), Some(ci));
        assert_eq!(api_keys.remove("k1").await.unwrap(), Some(backup));
        assert_eq!(api_keys.remove("k1").await.unwrap(), None);
        assert!(api_keys.all().await.unwrap().is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_name_id_once_established_stays_reserved() {
    on_each(async |on| {
        let (name_ids, users) = (&on.stores.name_ids, &on.stores.users);
        let ada = user("ada");
        users.insert(&ada).await.unwrap();
        let sp = "https://sp.example";

        assert_eq!(name_ids.find(&ada.id, sp).await.unwrap(), None);
        assert_eq!(name_ids.establish(&ada.id, sp, "abc", NOW).await.unwrap(), "abc");
        assert_eq!(name_ids.establish(&ada.id, sp, "xyz", NOW).await.unwrap(), "abc");
        users.remove(&ada.id).await.unwrap();

        assert_eq!(name_ids.find(&ada.id, sp).await.unwrap().as_deref(), Some("abc"));
        assert_eq!(name_ids.owner(sp, "abc").await.unwrap(), Some(ada.id));
        assert_eq!(name_ids.owner(sp, "ABC").await.unwrap(), None);
        let other = UserId::parse("u_other").unwrap();
        assert!(name_ids.establish(&other, sp, "ABC", NOW).await.is_err(), "differs by case only");
        assert_eq!(name_ids.establish(&other, "https://sp2.example", "abc", NOW).await.unwrap(), "abc");
    })
    .await;
}

#[tokio::test]
async fn the_set_up_link_makes_one_administrator() {
    on_each(async |on| {
        let (setup, users) = (&on.stores.setup, &on.stores.users);
        let admin = User { admin: true, ..user("root") };
        users.insert(&user("taken")).await.unwrap();
        let (old, new, ends) = (digest("old"), digest("new"), NOW + Span::hours(1));

        assert!(setup.offer(&old, ends).await.unwrap());
        assert!(setup.offer(&new, ends).await.unwrap());
        assert!(!setup.is_valid(&old, NOW).await.unwrap());
        assert!(setup.is_valid(&new, NOW).await.unwrap());
        assert!(!setup.is_valid(&new, ends).await.unwrap());
        assert_eq!(setup.claim(&old, &admin, NOW).await.unwrap(), Claimed::Invalid);
        assert_eq!(setup.claim(&new, &admin, ends).await.unwrap(), Claimed::Invalid);
        assert_eq!(setup.claim(&new, &User { admin: true, ..user("TAKEN") }, NOW).await.unwrap(), Claimed::NameTaken);
        assert_eq!(setup.claim(&new, &admin, NOW).await.unwrap(), Claimed::Claimed);

        assert_eq!(users.count_admins().await.unwrap(), 1);
        assert_eq!(setup.claim(&new, &User { admin: true, ..user("second") }, NOW).await.unwrap(), Claimed::Invalid);
        assert!(!setup.offer(&new, ends).await.unwrap());
        let disabled = User { enabled: false, ..admin };
        users.update(&disabled).await.unwrap();
        assert_eq!(users.count_admins().await.unwrap(), 0);
        assert!(!setup.offer(&new, ends).await.unwrap(), "a disabled administrator is no reason for another link");
    })
    .await;
}

#[tokio::test]
async fn traces_are_found_filtered_and_pruned() {
    on_each(async |on| {
        let traces = &on.stores.traces;
        let hostile = format!("a\0{}", "ä".repeat(5_000));
        for number in 0..10 {
            let name = if number < 5 { "https://sp.example" } else { hostile.as_str() };
            traces.put(&trace(number, NOW + Span::seconds(number.cast_signed()), name)).await.unwrap();
        }
        let newest = trace(9, NOW + Span::seconds(9), &hostile);

        assert_eq!(traces.by_reference(&newest.reference).await.unwrap().as_ref(), Some(&newest));
        assert_eq!(traces.list(&TraceFilter::default(), 1).await.unwrap(), [newest]);
        let filter = TraceFilter { app: Some(hostile), user: Some("alice".to_owned()), since: Some(NOW + Span::seconds(6)) };
        assert_eq!(traces.list(&filter, 100).await.unwrap().len(), 3);
        assert_eq!(traces.list(&TraceFilter { user: Some("bob".to_owned()), ..filter }, 100).await.unwrap().len(), 0);

        assert_eq!(traces.prune(NOW + Span::seconds(2), 5).await.unwrap(), 5);
        let left: Vec<_> = traces.list(&TraceFilter::default(), 100).await.unwrap().into_iter().map(|record| record.at).collect();
        assert_eq!(left, [9, 8, 7, 6, 5].map(|second| NOW + Span::seconds(second)));
    })
    .await;
}

#[tokio::test]
async fn every_write_is_a_change_and_a_refused_one_is_not() {
    on_each(async |on| {
        let stores = &on.stores;
        let ada = user("ada");
        let before = stores.changes.head().await.unwrap();

        stores.users.insert(&ada).await.unwrap();
        stores.users.insert(&user("ADA")).await.unwrap();
        stores.apps.insert(&app("grafana", "https://sp.example")).await.unwrap();
        stores.keys.insert(&key("a", KeyState::Next)).await.unwrap();
        stores.keys.shift(&[("a".to_owned(), KeyState::Active, KeyState::Retired)]).await.unwrap();
        stores.api_keys.insert(&api_key("k1", "ci")).await.unwrap();
        stores.users.remove(&ada.id).await.unwrap();

        let changes = stores.changes.after(before).await.unwrap();
        let seen: Vec<_> = changes.iter().map(|change| (change.kind, change.id.as_str())).collect();
        let expected = [
            (Changed::User, ada.id.as_str()),
            (Changed::App, "grafana"),
            (Changed::Key, "a"),
            (Changed::ApiKey, "k1"),
            (Changed::User, ada.id.as_str()),
        ];
        assert_eq!(seen, expected);
        assert!(changes.is_sorted_by_key(|change| change.seq));
        assert_eq!(stores.changes.head().await.unwrap(), changes.last().unwrap().seq);
    })
    .await;
}

#[tokio::test]
async fn audit_records_are_read_in_the_order_in_which_they_were_made() {
    on_all_combinations(async |on| {
        let log = &on.stores.audit;
        assert_eq!(log.head().await.unwrap(), 0);

        for number in 0..1_500 {
            log.record(audit(&format!("user{number}"))).await.unwrap();
        }
        on.stores.health.commit().await.unwrap();

        let all = log.read(0, 10_000).await.unwrap();
        assert_eq!(all.len(), 1_500);
        assert!(all.is_sorted_by_key(|stored| stored.seq));
        let expected = (0..1_500).map(|number| audit(&format!("user{number}")));
        assert!(all.iter().map(|stored| &stored.record).eq(expected.collect::<Vec<_>>().iter()));
        assert_eq!(log.head().await.unwrap(), all.last().unwrap().seq);
        let page = log.read(all[699].seq, 100).await.unwrap();
        assert_eq!(page, all[700..800]);
    })
    .await;
}
