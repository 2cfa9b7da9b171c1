use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::sync::Mutex;

use async_trait::async_trait;

use super::*;
use crate::crypto::keys::Hash;
use crate::keys::transition::TransitionError;
use crate::store;

/// The trait in memory, as the backends have to behave.
#[derive(Default)]
struct Memory(Mutex<Vec<KeyRecord>>);

#[async_trait]
impl Keys for Memory {
    async fn all(&self) -> store::Result<Vec<KeyRecord>> {
        Ok(self.0.lock().unwrap().clone())
    }
    async fn insert(&self, key: &KeyRecord) -> store::Result<Inserted> {
        let mut keys = self.0.lock().unwrap();
        if keys.iter().any(|known| known.id == key.id) {
            return Ok(Inserted::Taken);
        }
        keys.push(key.clone());
        Ok(Inserted::Inserted)
    }
    async fn insert_first(&self, keys: &[KeyRecord]) -> store::Result<Inserted> {
        let mut known = self.0.lock().unwrap();
        if !known.is_empty() {
            return Ok(Inserted::Taken);
        }
        known.extend_from_slice(keys);
        Ok(Inserted::Inserted)
    }
    async fn shift(&self, moves: &[(String, KeyState, KeyState)]) -> store::Result<bool> {
        let mut keys = self.0.lock().unwrap();
        let stand = moves.iter().all(|(id, from, _)| keys.iter().any(|key| key.id == *id && key.state == *from));
        for (id, _, to) in moves.iter().filter(|_| stand) {
            for key in keys.iter_mut().filter(|key| key.id == *id) {
                key.state = *to;
            }
        }
        Ok(stand)
    }
}

/// One node: directories of its own.
struct Node {
    directory: tempfile::TempDir,
    passphrase: Option<Secret<String>>,
}

const NOW: Timestamp = Timestamp::from_seconds(1_795_000_000);
const RSA: &str = "saml-rsa-2026-11-18";
const EC: &str = "saml-ec-2026-11-18";

impl Node {
    fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap(), passphrase: None }
    }

    fn keys(&self) -> PathBuf {
        self.directory.path().join("keys")
    }

    fn file(&self, id: &str) -> PathBuf {
        self.keys().join(format!("{id}.pem"))
    }

    fn seal(&self) -> PathBuf {
        self.directory.path().join("seal.key")
    }

    async fn open(&self, store: &Arc<Memory>) -> Result<KeyRing, KeyRingError> {
        let options = KeyRingOptions {
            directory: self.keys(),
            seal_file: self.seal(),
            passphrase: self.passphrase.clone(),
            common_name: "id.example.com".to_owned(),
        };
        KeyRing::open(options, store.clone(), NOW, &mut Random::system()).await
    }

    /// What an operator does for a second node.
    fn copy_to(&self, other: &Node) {
        fs::create_dir_all(other.keys()).unwrap();
        fs::copy(self.seal(), other.seal()).unwrap();
        for entry in fs::read_dir(self.keys()).unwrap() {
            let entry = entry.unwrap();
            fs::copy(entry.path(), other.keys().join(entry.file_name())).unwrap();
        }
    }
}

async fn refusal(node: &Node, store: &Arc<Memory>) -> KeyRingError {
    node.open(store).await.err().expect("the ring must not open")
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o7777
}

#[tokio::test]
async fn the_first_start_makes_an_rsa_and_an_ec_key_that_sign() {
    let (node, store) = (Node::new(), Arc::new(Memory::default()));

    let ring = node.open(&store).await.unwrap();

    let current = ring.current();
    for (family, id, algorithm) in [(KeyFamily::Rsa, RSA, "RSA-2048"), (KeyFamily::Ec, EC, "EC-P256")] {
        let key = current.active(family).unwrap();
        assert_eq!((key.record.id.as_str(), key.record.algorithm.as_str(), key.record.state), (id, algorithm, KeyState::Active));
        let signature = key.private.as_ref().unwrap().sign(Hash::Sha256, b"m").unwrap();
        assert!(key.public.verify(Hash::Sha256, b"m", &signature));
        assert_eq!(key.certificate.subject, "CN=id.example.com");
        assert_eq!(key.certificate.not_after.since(NOW).as_seconds(), 3650 * 86_400);
        assert_eq!(mode(&node.file(id)), 0o600);
    }
    assert_eq!(mode(&node.keys()), 0o700);
    assert_eq!((mode(&node.seal()), fs::read(node.seal()).unwrap().len()), (0o600, 32));
    assert_eq!(fs::read_dir(node.keys()).unwrap().count(), 2, "no temporary file stays");
    assert_eq!(current.records().count(), 2, "the record of the seal is not a key to show");
}

#[tokio::test]
async fn a_second_start_finds_the_same_keys() {
    let (node, store) = (Node::new(), Arc::new(Memory::default()));

    let first = node.open(&store).await.unwrap();
    let second = node.open(&store).await.unwrap();

    let kid = |ring: &KeyRing| ring.current().active(KeyFamily::Rsa).unwrap().record.kid.clone();
    assert_eq!(kid(&first), kid(&second));
    let secret = |ring: &KeyRing, purpose| *ring.derive(purpose).unwrap().expose();
    assert_eq!(secret(&first, Purpose::Csrf), secret(&second, Purpose::Csrf));
    assert_ne!(secret(&first, Purpose::Csrf), secret(&first, Purpose::SubjectIds));
}

#[tokio::test]
async fn a_file_that_others_can_read_is_refused_with_the_command_that_helps() {
    let (node, store) = (Node::new(), Arc::new(Memory::default()));
    node.open(&store).await.unwrap();

    for file in [node.file(RSA), node.seal()] {
        for open in [0o640, 0o604, 0o660, 0o601] {
            fs::set_permissions(&file, fs::Permissions::from_mode(open)).unwrap();
            let error = refusal(&node, &store).await;
            assert!(matches!(&error, KeyRingError::OpenToOthers { mode, .. } if *mode == open), "{error}");
            assert_eq!(error.remedy(), format!("chmod 600 {}", file.display()));
            assert!(error.is_configuration());
        }
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    }
    assert!(node.open(&store).await.is_ok());
}

#[tokio::test]
async fn a_directory_that_others_can_write_to_is_refused() {
    let (node, store) = (Node::new(), Arc::new(Memory::default()));
    fs::create_dir(node.keys()).unwrap();
    fs::set_permissions(node.keys(), fs::Permissions::from_mode(0o777)).unwrap();

    let error = refusal(&node, &store).await;

    assert!(matches!(error, KeyRingError::DirectoryOpenToOthers { mode: 0o777, .. }), "{error}");
}

#[tokio::test]
async fn a_node_without_a_file_of_the_database_names_it() {
    let (first, second, store) = (Node::new(), Node::new(), Arc::new(Memory::default()));
    first.open(&store).await.unwrap();
    first.copy_to(&second);
    assert!(second.open(&store).await.is_ok());

    fs::remove_file(second.file(EC)).unwrap();
    let key = refusal(&second, &store).await;
    first.copy_to(&second);
    fs::remove_file(second.seal()).unwrap();
    let seal = refusal(&second, &store).await;

    assert!(key.is_configuration() && seal.is_configuration());
    assert_eq!(key.to_string(), format!("the private key {EC} is missing: there is no file {}", second.file(EC).display()));
    assert!(matches!(&seal, KeyRingError::SealMissing { file } if *file == second.seal()), "{seal}");
}

#[tokio::test]
async fn another_seal_key_or_another_key_under_the_name_is_refused() {
    let (node, other, store) = (Node::new(), Node::new(), Arc::new(Memory::default()));
    node.open(&store).await.unwrap();
    other.open(&Arc::new(Memory::default())).await.unwrap();

    fs::copy(other.file(RSA), node.file(RSA)).unwrap();
    let key = refusal(&node, &store).await;
    fs::copy(other.seal(), node.seal()).unwrap();
    let seal = refusal(&node, &store).await;
    fs::write(node.seal(), b"short").unwrap();
    let short = refusal(&node, &store).await;

    assert!(matches!(key, KeyRingError::OtherKey { .. }), "{key}");
    assert!(matches!(seal, KeyRingError::OtherSeal { .. }), "{seal}");
    assert!(matches!(short, KeyRingError::NotASeal { .. }), "{short}");
}

#[tokio::test]
async fn of_two_racing_first_nodes_one_makes_the_keys_and_nothing_of_the_other_stays() {
    let (one, two, store) = (Node::new(), Node::new(), Arc::new(Memory::default()));

    let (first, second) = tokio::join!(one.open(&store), two.open(&store));

    let (loser, error) = match (first, second) {
        (Ok(_), Err(error)) => (&two, error),
        (Err(error), Ok(_)) => (&one, error),
        (first, second) => panic!("one must win: {:?} {:?}", first.err(), second.err()),
    };
    assert!(matches!(error, KeyRingError::SealMissing { .. }), "{error}");
    assert_eq!(fs::read_dir(loser.keys()).unwrap().count(), 0);
    assert!(!loser.seal().exists());
}

#[tokio::test]
async fn racing_first_nodes_that_share_their_directories_both_open() {
    let (node, store) = (Node::new(), Arc::new(Memory::default()));

    let (first, second) = tokio::join!(node.open(&store), node.open(&store));

    assert_eq!(first.unwrap().current().records().count(), 2);
    assert_eq!(second.unwrap().current().records().count(), 2);
    assert_eq!(fs::read_dir(node.keys()).unwrap().count(), 2);
}

#[tokio::test]
async fn with_a_passphrase_keys_rest_encrypted_and_open_with_nothing_else() {
    let (mut node, store) = (Node::new(), Arc::new(Memory::default()));
    node.passphrase = Some(Secret::new("open sesame".to_owned()));
    node.open(&store).await.unwrap();

    assert!(fs::read_to_string(node.file(RSA)).unwrap().starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----"));
    assert!(node.open(&store).await.is_ok());
    node.passphrase = Some(Secret::new("open barley".to_owned()));
    let wrong = refusal(&node, &store).await;
    node.passphrase = None;
    let needed = refusal(&node, &store).await;

    assert!(matches!(wrong, KeyRingError::PassphraseWrong { .. }), "{wrong}");
    assert!(matches!(needed, KeyRingError::PassphraseNeeded { .. }), "{needed}");
}

#[tokio::test]
async fn a_file_that_is_no_key_is_named() {
    let (node, store) = (Node::new(), Arc::new(Memory::default()));
    node.open(&store).await.unwrap();

    fs::write(node.file(RSA), "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n").unwrap();
    let nonsense = refusal(&node, &store).await;
    fs::write(node.file(RSA), vec![b'x'; 70_000]).unwrap();
    let long = refusal(&node, &store).await;
    fs::remove_file(node.file(RSA)).unwrap();
    fs::create_dir(node.file(RSA)).unwrap();
    let directory = refusal(&node, &store).await;

    assert!(matches!(nonsense, KeyRingError::NotAKey { .. }), "{nonsense}");
    assert!(matches!(long, KeyRingError::Unreadable { .. }), "{long}");
    assert!(matches!(directory, KeyRingError::Unreadable { .. }), "{directory}");
}

#[tokio::test]
async fn a_key_goes_from_next_to_active_to_published_to_retired() {
    let (node, store) = (Node::new(), Arc::new(Memory::default()));
    let ring = node.open(&store).await.unwrap();
    let published = |ring: &KeyRing| -> Vec<String> { ring.current().published().map(|key| key.record.id.clone()).collect() };

    let made = ring.make_next(&[KeyKind::Rsa2048], NOW).await.unwrap();
    let next = made.first().unwrap().id.clone();
    assert_eq!(next, format!("{RSA}-2"));
    assert_eq!(published(&ring), [RSA, EC, next.as_str()]);
    assert_eq!(ring.current().active(KeyFamily::Rsa).unwrap().record.id, RSA);

    ring.promote(&next).await.unwrap();
    assert_eq!(ring.current().active(KeyFamily::Rsa).unwrap().record.id, next);
    assert_eq!(ring.current().find(RSA).unwrap().record.state, KeyState::Published);

    ring.retire(RSA).await.unwrap();
    assert_eq!(published(&ring), [next.as_str(), EC]);
    assert!(ring.current().records().any(|record| record.id == RSA && record.state == KeyState::Retired));
    let refused = ring.retire(&next).await.unwrap_err();
    assert!(matches!(refused, KeyRingError::Transition(TransitionError::CannotRetireActive(_))), "{refused}");
    let seal = ring.retire("seal").await.unwrap_err();
    assert!(matches!(seal, KeyRingError::Transition(TransitionError::Unknown(_))), "{seal}");
}

#[tokio::test]
async fn a_second_next_key_of_a_family_is_refused() {
    let (node, store) = (Node::new(), Arc::new(Memory::default()));
    let ring = node.open(&store).await.unwrap();
    ring.make_next(&[KeyKind::EcP256], NOW).await.unwrap();

    let error = ring.make_next(&[KeyKind::Rsa2048, KeyKind::EcP256], NOW).await.unwrap_err();

    assert!(matches!(error, KeyRingError::NextExists { .. }), "{error}");
    assert_eq!(ring.current().records().count(), 3, "nothing was made");
}

#[tokio::test]
async fn a_node_goes_on_with_the_old_key_until_the_file_of_the_new_one_arrives() {
    let (one, two, store) = (Node::new(), Node::new(), Arc::new(Memory::default()));
    let first = one.open(&store).await.unwrap();
    one.copy_to(&two);
    let second = two.open(&store).await.unwrap();
    let next = first.make_next(&[KeyKind::EcP256], NOW).await.unwrap().remove(0).id;

    let early = second.promote(&next).await.unwrap_err();
    first.promote(&next).await.unwrap();
    second.reload().await.unwrap();
    let before = second.current().active(KeyFamily::Ec).unwrap().record.id.clone();
    one.copy_to(&two);
    second.reload().await.unwrap();

    assert!(matches!(early, KeyRingError::NotOnThisNode { .. }), "{early}");
    assert_eq!(before, EC);
    assert_eq!(second.current().active(KeyFamily::Ec).unwrap().record.id, next);
}

#[tokio::test]
async fn of_two_racing_retirements_one_is_told() {
    let (node, store) = (Node::new(), Arc::new(Memory::default()));
    let ring = node.open(&store).await.unwrap();
    let next = ring.make_next(&[KeyKind::EcP256], NOW).await.unwrap().remove(0).id;
    let moves = transition::retire(&ring.signing_records().await.unwrap(), &next).unwrap();

    let first = ring.shift(moves.clone()).await;
    let second = ring.shift(moves).await;

    assert!(first.is_ok());
    assert!(matches!(second, Err(KeyRingError::Raced)));
}

#[tokio::test]
async fn an_imported_key_must_fit_its_certificate_and_be_strong() {
    let (node, store) = (Node::new(), Arc::new(Memory::default()));
    let ring = node.open(&store).await.unwrap();
    let key = PrivateKey::generate(KeyKind::EcP256).unwrap();
    let pem = |key: &PrivateKey| Secret::new(String::from_utf8(key.to_pem(None).unwrap().expose().clone()).unwrap());
    let own = x509::to_pem(&x509::self_signed(&key, "old.example.com", NOW, 30).unwrap()).unwrap();
    let other = ring.current().active(KeyFamily::Ec).unwrap().record.certificate.clone();

    let mismatch = ring.import(Import { key: &pem(&key), passphrase: None, certificate: Some(&other) }, NOW).await.unwrap_err();
    let record = ring.import(Import { key: &pem(&key), passphrase: None, certificate: Some(&own) }, NOW).await.unwrap();
    let again = ring.import(Import { key: &pem(&key), passphrase: None, certificate: None }, NOW).await.unwrap_err();
    let nonsense = Secret::new("no key".to_owned());
    let unreadable = ring.import(Import { key: &nonsense, passphrase: None, certificate: None }, NOW).await.unwrap_err();

    assert!(matches!(mismatch, KeyRingError::ImportCertificate(_)), "{mismatch}");
    assert_eq!((record.state, record.certificate.as_str()), (KeyState::Next, own.as_str()));
    assert!(matches!(again, KeyRingError::ImportKnown(_)), "{again}");
    assert!(matches!(unreadable, KeyRingError::ImportUnreadable(_)), "{unreadable}");
}
