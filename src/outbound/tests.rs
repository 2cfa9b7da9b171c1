use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;
use crate::outbound::address::NotPublic;

/// A web server of one connection at a time: `{port}` in an answer becomes its port.
struct Server {
    port: u16,
    seen: Arc<AtomicUsize>,
}

impl Server {
    async fn start(answers: &[(&str, &str)]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen = Arc::new(AtomicUsize::new(0));
        let answers: HashMap<String, String> =
            answers.iter().map(|(path, answer)| ((*path).to_owned(), answer.replace("{port}", &port.to_string()))).collect();
        let counter = seen.clone();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                counter.fetch_add(1, Ordering::SeqCst);
                let mut request = vec![0; 4096];
                let length = stream.read(&mut request).await.unwrap_or(0);
                let text = String::from_utf8_lossy(&request[..length]).into_owned();
                let path = text.split(' ').nth(1).unwrap_or("/").to_owned();
                let answer = answers.get(&path).cloned().unwrap_or_else(|| "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n".into());
                if answer == "silence" {
                    std::future::pending::<()>().await;
                }
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        });
        Self { port, seen }
    }

    fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    fn requests(&self) -> usize {
        self.seen.load(Ordering::SeqCst)
    }
}

/// Answers names from a table.
struct Table(Vec<(&'static str, Vec<&'static str>)>);

#[async_trait]
impl Lookup for Table {
    async fn addresses(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        let found = self.0.iter().find(|(known, _)| *known == name).ok_or_else(|| io::Error::other("no such host"))?;
        Ok(found.1.iter().map(|address| address.parse().unwrap()).collect())
    }
}

fn outbound(allow: &[&str], names: Table) -> Outbound {
    let allow = allow.iter().map(|network| Network::parse(network).unwrap()).collect();
    Outbound::with_lookup(allow, Timeouts { connect: Span::seconds(5), total: Span::seconds(5) }, Arc::new(names)).unwrap()
}

fn request(url: &str) -> Request<'_> {
    Request { url, max_bytes: 64, accept: "application/samlmetadata+xml", allow_http: true }
}

#[tokio::test]
async fn a_document_is_fetched_with_its_type() {
    let server = Server::start(&[("/m", "HTTP/1.1 200 OK\r\ncontent-type: text/xml\r\ncontent-length: 4\r\n\r\n<a/>")]).await;

    let fetched = outbound(&["127.0.0.0/8"], Table(vec![])).fetch(request(&server.url("/m"))).await.unwrap();

    assert_eq!(fetched.bytes, b"<a/>");
    assert_eq!(fetched.content_type.as_deref(), Some("text/xml"));
    assert_eq!(fetched.final_url.path(), "/m");
}

#[tokio::test]
async fn a_loopback_address_is_not_reached_unless_it_is_allowed() {
    let server = Server::start(&[]).await;

    let error = outbound(&[], Table(vec![])).fetch(request(&server.url("/"))).await.unwrap_err();

    assert_eq!(error.to_string(), "127.0.0.1 is a loopback address");
    assert!(error.remedy().contains("outbound.allow"), "{}", error.remedy());
    assert_eq!(server.requests(), 0);
}

#[tokio::test]
async fn a_name_that_resolves_to_a_forbidden_address_is_not_reached() {
    let server = Server::start(&[]).await;
    let names = Table(vec![("metadata.example", vec!["169.254.169.254"]), ("inside.example", vec!["127.0.0.1", "::ffff:10.0.0.1"])]);
    let outbound = outbound(&[], names);

    let metadata = outbound.fetch(request("http://metadata.example/")).await.unwrap_err();
    let inside = outbound.fetch(request(&format!("http://inside.example:{}/", server.port))).await.unwrap_err();

    assert_eq!(metadata.to_string(), "metadata.example resolves to 169.254.169.254, an address of a cloud's metadata service");
    assert!(matches!(inside, OutboundError::Blocked { why: NotPublic::Private, .. }), "{inside}");
    assert_eq!(server.requests(), 0);
}

#[tokio::test]
async fn of_several_addresses_only_the_allowed_ones_are_connected_to() {
    let server = Server::start(&[("/", "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")]).await;
    let names = Table(vec![("mixed.example", vec!["10.0.0.1", "127.0.0.1"])]);

    let fetched = outbound(&["127.0.0.1"], names).fetch(request(&format!("http://mixed.example:{}/", server.port))).await.unwrap();

    assert_eq!(fetched.bytes, b"ok");
}

#[tokio::test]
async fn a_redirect_to_a_forbidden_address_is_refused() {
    let server = Server::start(&[
        ("/1", "HTTP/1.1 302 Found\r\nlocation: http://169.254.169.254/latest/meta-data/\r\ncontent-length: 0\r\n\r\n"),
        ("/2", "HTTP/1.1 302 Found\r\nlocation: http://[::ffff:a9fe:a9fe]/\r\ncontent-length: 0\r\n\r\n"),
        ("/3", "HTTP/1.1 302 Found\r\nlocation: http://2852039166/\r\ncontent-length: 0\r\n\r\n"),
        ("/4", "HTTP/1.1 302 Found\r\nlocation: file:///etc/passwd\r\ncontent-length: 0\r\n\r\n"),
        ("/5", "HTTP/1.1 307 Temporary Redirect\r\nlocation: http://metadata.example/\r\ncontent-length: 0\r\n\r\n"),
        ("/6", "HTTP/1.1 302 Found\r\nlocation: http://user:secret@127.0.0.1:{port}/\r\ncontent-length: 0\r\n\r\n"),
    ])
    .await;
    let outbound = outbound(&["127.0.0.0/8"], Table(vec![("metadata.example", vec!["169.254.169.254"])]));

    for path in ["/1", "/2", "/3", "/5"] {
        let error = outbound.fetch(request(&server.url(path))).await.unwrap_err();
        assert!(matches!(error, OutboundError::Blocked { why: NotPublic::CloudMetadata, .. }), "{path}: {error}");
    }
    let file = outbound.fetch(request(&server.url("/4"))).await.unwrap_err();
    assert!(matches!(file, OutboundError::Scheme { .. }), "{file}");
    let credentials = outbound.fetch(request(&server.url("/6"))).await.unwrap_err();
    assert_eq!(credentials, OutboundError::Credentials);
}

#[tokio::test]
async fn three_redirects_are_followed_and_a_fourth_is_not() {
    let server = Server::start(&[
        ("/0", "HTTP/1.1 301 Moved\r\nlocation: /1\r\ncontent-length: 0\r\n\r\n"),
        ("/1", "HTTP/1.1 302 Found\r\nlocation: /2\r\ncontent-length: 0\r\n\r\n"),
        ("/2", "HTTP/1.1 307 Temporary\r\nlocation: http://127.0.0.1:{port}/3\r\ncontent-length: 0\r\n\r\n"),
        ("/3", "HTTP/1.1 308 Permanent\r\nlocation: end\r\ncontent-length: 0\r\n\r\n"),
        ("/end", "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nend"),
    ])
    .await;
    let outbound = outbound(&["127.0.0.0/8"], Table(vec![]));

    let fetched = outbound.fetch(request(&server.url("/1"))).await.unwrap();
    let refused = outbound.fetch(request(&server.url("/0"))).await.unwrap_err();

    assert_eq!((fetched.bytes.as_slice(), fetched.final_url.path()), (&b"end"[..], "/end"));
    assert!(matches!(refused, OutboundError::TooManyRedirects { most: 3, .. }), "{refused}");
}

#[tokio::test]
async fn a_redirect_without_a_target_is_named() {
    let server = Server::start(&[("/", "HTTP/1.1 302 Found\r\ncontent-length: 0\r\n\r\n")]).await;

    let error = outbound(&["127.0.0.0/8"], Table(vec![])).fetch(request(&server.url("/"))).await.unwrap_err();

    assert!(matches!(error, OutboundError::Redirect { .. }), "{error}");
}

#[tokio::test]
async fn a_body_beyond_the_bound_is_refused_whether_or_not_it_says_its_length() {
    let long = "x".repeat(65);
    let declared = format!("HTTP/1.1 200 OK\r\ncontent-length: 65\r\n\r\n{long}");
    let streamed = format!("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{long}");
    let fits = format!("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{}", &long[..64]);
    let server = Server::start(&[("/declared", &declared), ("/streamed", &streamed), ("/fits", &fits)]).await;
    let outbound = outbound(&["127.0.0.0/8"], Table(vec![]));

    for path in ["/declared", "/streamed"] {
        let error = outbound.fetch(request(&server.url(path))).await.unwrap_err();
        assert!(matches!(error, OutboundError::TooLarge { most: 64, .. }), "{path}: {error}");
    }
    assert_eq!(outbound.fetch(request(&server.url("/fits"))).await.unwrap().bytes.len(), 64);
}

#[tokio::test]
async fn a_server_that_does_not_answer_ends_in_time() {
    let server = Server::start(&[("/", "silence")]).await;
    let allow = vec![Network::parse("127.0.0.0/8").unwrap()];
    let outbound =
        Outbound::with_lookup(allow, Timeouts { connect: Span::millis(50), total: Span::millis(50) }, Arc::new(Table(vec![]))).unwrap();

    let error = outbound.fetch(request(&server.url("/"))).await.unwrap_err();

    assert!(matches!(error, OutboundError::TimedOut { .. }), "{error}");
}

#[tokio::test]
async fn plain_http_is_for_loopback_unless_allowed() {
    let server = Server::start(&[("/", "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")]).await;
    let names = Table(vec![("sp.example", vec!["127.0.0.1"])]);
    let outbound = outbound(&["127.0.0.0/8"], names);
    let strict = |url| Request { allow_http: false, ..request(url) };

    let named = format!("http://sp.example:{}/", server.port);
    let refused = outbound.fetch(strict(&named)).await.unwrap_err();
    let loopback = outbound.fetch(strict(&server.url("/"))).await;

    assert!(matches!(&refused, OutboundError::Scheme { scheme, .. } if scheme == "http"), "{refused}");
    assert!(refused.remedy().contains("--allow-http"));
    assert!(loopback.is_ok());
    assert!(outbound.fetch(request(&named)).await.is_ok());
}

#[tokio::test]
async fn refusals_of_the_other_side_say_which_status() {
    let server = Server::start(&[("/login", "HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n")]).await;
    let outbound = outbound(&["127.0.0.0/8"], Table(vec![]));

    let missing = outbound.fetch(request(&server.url("/missing"))).await.unwrap_err();
    let forbidden = outbound.fetch(request(&server.url("/login"))).await.unwrap_err();

    assert!(matches!(missing, OutboundError::Status { status: 404, .. }), "{missing}");
    assert!(forbidden.remedy().contains("sign-in"));
}

#[tokio::test]
async fn nonsense_and_unknown_names_are_told_apart() {
    let outbound = outbound(&[], Table(vec![]));

    let nonsense = outbound.fetch(request("sp.example/metadata")).await.unwrap_err();
    let unknown = outbound.fetch(request("https://nowhere.example/")).await.unwrap_err();

    assert!(matches!(nonsense, OutboundError::InvalidUrl { .. }), "{nonsense}");
    assert!(matches!(unknown, OutboundError::Unresolvable { .. }), "{unknown}");
}
