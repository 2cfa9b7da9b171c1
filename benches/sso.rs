//! What one SSO answer costs: answers over HTTP with a live session, CPU time of the server for each, and what of it is the
//! raw signature, measured in the same run. `scripts/bench` runs it; figures are only comparable within one run.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a benchmark fails loudly")]
#![allow(unsafe_code, reason = "the thread's CPU clock has no safe wrapper here")]
#![allow(clippy::disallowed_methods, reason = "a benchmark looks at clocks and the environment")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use linkspan::crypto::keys::{Hash, KeyKind, PrivateKey};
use linkspan::crypto::random::Random;
use linkspan::model::time::Timestamp;

const PASSWORD: &str = "correct horse battery staple";
const SP: &str = "https://bench.example.org/sp";
const ACS: &str = "https://bench.example.org/acs";

fn main() {
    // `cargo test` runs benchmarks once, to see that they still build; this one needs a release build to mean anything.
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    let answers: usize = std::env::var("LINKSPAN_BENCH_ANSWERS").ok().and_then(|n| n.parse().ok()).unwrap_or(4_000);
    let folder = std::env::temp_dir().join(format!("linkspan-bench-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let server = Server::start(&folder);

    let mut connection = server.connect();
    let cookies = server.sign_in(&mut connection);
    let mut random = Random::system();
    // Warm up: caches, the allocator, the branch predictor.
    for _ in 0..answers / 10 {
        let body = server.sso(&mut connection, &cookies, &mut random);
        assert!(body.contains("name=\"SAMLResponse\""), "an answer: {body}");
    }

    println!("answers over HTTP with a live session (unsigned request, assertion signed RSA-2048 / SHA-256), {answers} each\n");
    println!("{:<14} {:>12} {:>14} {:>16} {:>12} {:>12}", "connections", "answers/s", "CPU/answer", "raw signature", "beyond it", "ratio");
    for connections in [1usize, 2, 8] {
        let raw_before = raw_signature();
        let (rate, cpu) = server.load(connections, answers, &cookies);
        let raw = (raw_before + raw_signature()) / 2.0;
        println!("{connections:<14} {rate:>12.0} {cpu:>11.1} µs {raw:>13.1} µs {:>9.1} µs {:>11.2}x", cpu - raw, cpu / raw);
    }
    let samael = samael_signature();
    println!(
        "\nfor comparison, samael's sign_xml (libxmlsec1) of one such assertion: {samael:.1} µs, {:.2}x the raw signature",
        samael / raw_signature()
    );
    println!("resident memory of the server: {:.1} MiB", server.resident_mib());
    drop(server);
    std::fs::remove_dir_all(&folder).unwrap();
}

/// CPU time of this thread.
fn thread_cpu() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a live timespec that the call fills in.
    let done = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    assert_eq!(done, 0);
    Duration::new(u64::try_from(time.tv_sec).unwrap(), u32::try_from(time.tv_nsec).unwrap())
}

/// Microseconds of CPU for one RSA-2048 signature of a SignedInfo-sized text.
fn raw_signature() -> f64 {
    const TIMES: u32 = 400;
    let key = PrivateKey::generate(KeyKind::Rsa2048).unwrap();
    let text = [b'x'; 600];
    for _ in 0..50 {
        key.sign(Hash::Sha256, &text).unwrap();
    }
    let before = thread_cpu();
    for _ in 0..TIMES {
        key.sign(Hash::Sha256, &text).unwrap();
    }
    (thread_cpu() - before).as_secs_f64() * 1e6 / f64::from(TIMES)
}

/// Microseconds of CPU for samael to sign an assertion of the same size: a peer on the same machine.
fn samael_signature() -> f64 {
    use samael::crypto::{Crypto, CryptoProvider as _};
    const TIMES: u32 = 200;
    let key = openssl::rsa::Rsa::generate(2048).unwrap().private_key_to_der().unwrap();
    let attributes: String = (0..12)
        .map(|n| {
            format!("<saml:Attribute Name=\"urn:oid:2.5.4.{n}\"><saml:AttributeValue>some value number {n} of usual length</saml:AttributeValue></saml:Attribute>")
        })
        .collect();
    let template = format!(
        "<saml:Assertion xmlns:saml=\"urn:oasis:names:tc:SAML:2.0:assertion\" ID=\"_a\" Version=\"2.0\"><saml:Issuer>i</saml:Issuer>\
         <ds:Signature xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\"><ds:SignedInfo>\
         <ds:CanonicalizationMethod Algorithm=\"http://www.w3.org/2001/10/xml-exc-c14n#\"/>\
         <ds:SignatureMethod Algorithm=\"http://www.w3.org/2001/04/xmldsig-more#rsa-sha256\"/><ds:Reference URI=\"#_a\"><ds:Transforms>\
         <ds:Transform Algorithm=\"http://www.w3.org/2000/09/xmldsig#enveloped-signature\"/>\
         <ds:Transform Algorithm=\"http://www.w3.org/2001/10/xml-exc-c14n#\"/></ds:Transforms>\
         <ds:DigestMethod Algorithm=\"http://www.w3.org/2001/04/xmlenc#sha256\"/><ds:DigestValue/></ds:Reference></ds:SignedInfo>\
         <ds:SignatureValue/></ds:Signature><saml:AttributeStatement>{attributes}</saml:AttributeStatement></saml:Assertion>"
    );
    let before = thread_cpu();
    for _ in 0..TIMES {
        Crypto::sign_xml(template.as_bytes(), &key).unwrap();
    }
    (thread_cpu() - before).as_secs_f64() * 1e6 / f64::from(TIMES)
}

struct Server {
    process: Child,
    port: u16,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn binary() -> PathBuf {
    std::env::var_os("LINKSPAN_BINARY").map_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_linkspan")), PathBuf::from)
}

/// The binary, without the variables that are meant for this benchmark: it refuses names that it does not know.
fn linkspan() -> Command {
    let mut command = Command::new(binary());
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("LINKSPAN_")) {
        command.env_remove(name);
    }
    command
}

impl Server {
    fn start(folder: &Path) -> Self {
        let (port, ops) = (free_port(), free_port());
        let mut config =
            format!("public_url = \"http://localhost:{port}\"\n[listen]\nweb = \"127.0.0.1:{port}\"\nops = \"127.0.0.1:{ops}\"\n");
        if let Ok(session) = std::env::var("LINKSPAN_BENCH_SESSION") {
            config.push_str(&format!("[storage]\nsession = \"{session}\"\n"));
        }
        std::fs::write(folder.join("linkspan.toml"), config).unwrap();
        let log = std::fs::File::create(folder.join("log")).unwrap();
        let process = linkspan().arg("serve").current_dir(folder).stdout(Stdio::null()).stderr(log).spawn().unwrap();
        let server = Self { process, port };
        for _ in 0..200 {
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                break;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        server.cli(
            folder,
            &[
                "user",
                "add",
                "ada",
                "--email",
                "ada@example.org",
                "--display-name",
                "Ada Lovelace",
                "--attr",
                "givenName=Ada",
                "--attr",
                "sn=Lovelace",
                "--group",
                "staff",
                "--password-stdin",
            ],
            PASSWORD,
        );
        let metadata = format!(
            "<md:EntityDescriptor xmlns:md=\"urn:oasis:names:tc:SAML:2.0:metadata\" entityID=\"{SP}\"><md:SPSSODescriptor \
             protocolSupportEnumeration=\"urn:oasis:names:tc:SAML:2.0:protocol\"><md:AssertionConsumerService index=\"0\" \
             Binding=\"urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST\" Location=\"{ACS}\"/></md:SPSSODescriptor></md:EntityDescriptor>"
        );
        server.cli(folder, &["app", "add", "-", "--preset", "basic", "--preset", "groups"], &metadata);
        server
    }

    fn cli(&self, folder: &Path, arguments: &[&str], input: &str) {
        let mut child = linkspan().args(arguments).current_dir(folder).stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(format!("{input}\n").as_bytes()).unwrap();
        assert!(child.wait().unwrap().success(), "{arguments:?}");
    }

    fn connect(&self) -> BufReader<TcpStream> {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_nodelay(true).unwrap();
        BufReader::new(stream)
    }

    fn sign_in(&self, connection: &mut BufReader<TcpStream>) -> String {
        let (cookie, form) = self.request(connection, "GET", "/login", "", "");
        let csrf = form.split("name=\"csrf\" value=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a form").to_owned();
        let body = format!("csrf={csrf}&r=&username=ada&password={}", PASSWORD.replace(' ', "+"));
        let (session, _) = self.request(connection, "POST", "/login", &cookie, &body);
        assert!(session.contains("linkspan="), "signed in: {session}");
        format!("{cookie}; {session}")
    }

    fn sso(&self, connection: &mut BufReader<TcpStream>, cookies: &str, random: &mut Random) -> String {
        let path = self.authn_request(random);
        self.request(connection, "GET", &path, cookies, "").1
    }

    fn authn_request(&self, random: &mut Random) -> String {
        let now = Timestamp::from_millis(i64::try_from(std::time::UNIX_EPOCH.elapsed().unwrap().as_millis()).unwrap());
        let xml = format!(
            "<samlp:AuthnRequest xmlns:samlp=\"urn:oasis:names:tc:SAML:2.0:protocol\" ID=\"{}\" Version=\"2.0\" IssueInstant=\"{now}\" \
             Destination=\"http://localhost:{}/saml/sso\" AssertionConsumerServiceURL=\"{ACS}\" \
             ProtocolBinding=\"urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST\"><saml:Issuer \
             xmlns:saml=\"urn:oasis:names:tc:SAML:2.0:assertion\">{SP}</saml:Issuer></samlp:AuthnRequest>",
            random.xml_id(),
            self.port
        );
        let mut deflated = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
        deflated.write_all(xml.as_bytes()).unwrap();
        let message = STANDARD.encode(deflated.finish().unwrap());
        let query: String = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("SAMLRequest", &message)
            .append_pair("RelayState", "deep")
            .finish();
        format!("/saml/sso?{query}")
    }

    /// One request on a kept connection; returns the cookies that were set, and the body.
    fn request(&self, connection: &mut BufReader<TcpStream>, method: &str, path: &str, cookies: &str, body: &str) -> (String, String) {
        let mut head = format!("{method} {path} HTTP/1.1\r\nHost: localhost:{}\r\n", self.port);
        if !cookies.is_empty() {
            head.push_str(&format!("Cookie: {cookies}\r\n"));
        }
        if method == "POST" {
            head.push_str(&format!(
                "Origin: http://localhost:{}\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n",
                self.port,
                body.len()
            ));
        }
        connection.get_mut().write_all(format!("{head}\r\n{body}").as_bytes()).unwrap();
        let (mut length, mut set) = (0usize, Vec::new());
        loop {
            let mut line = String::new();
            connection.read_line(&mut line).unwrap();
            let line = line.trim_end();
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(": ").unwrap_or((line, ""));
            if name.eq_ignore_ascii_case("content-length") {
                length = value.parse().unwrap();
            } else if name.eq_ignore_ascii_case("set-cookie") {
                set.push(value.split(';').next().unwrap_or_default().to_owned());
            }
        }
        let mut body = vec![0; length];
        connection.read_exact(&mut body).unwrap();
        (set.join("; "), String::from_utf8(body).unwrap())
    }

    /// Answers per second and microseconds of the server's CPU for each.
    fn load(&self, connections: usize, answers: usize, cookies: &str) -> (f64, f64) {
        // Requests are made before the clock runs: the load must not be the client's.
        let each = answers / connections;
        let mut random = Random::system();
        let work: Vec<Vec<String>> = (0..connections).map(|_| (0..each).map(|_| self.authn_request(&mut random)).collect()).collect();
        let cpu = self.cpu();
        let begun = Instant::now();
        std::thread::scope(|scope| {
            for paths in work {
                scope.spawn(move || {
                    let mut connection = self.connect();
                    for path in paths {
                        let (_, body) = self.request(&mut connection, "GET", &path, cookies, "");
                        assert!(body.contains("name=\"SAMLResponse\""));
                    }
                });
            }
        });
        let done = (each * connections) as f64;
        let rate = done / begun.elapsed().as_secs_f64();
        (rate, (self.cpu() - cpu) * 1e6 / done)
    }

    /// Seconds of CPU that the server has used, user and system.
    fn cpu(&self) -> f64 {
        // schedstat counts nanoseconds for each thread; `stat` only hundredths of a second.
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.process.id())).unwrap();
        let nanoseconds: f64 = tasks
            .filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("schedstat")).ok())
            .filter_map(|line| line.split(' ').next()?.parse::<f64>().ok())
            .sum();
        nanoseconds / 1e9
    }

    fn resident_mib(&self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap_or_default();
        line.split_whitespace().nth(1).and_then(|kib| kib.parse::<f64>().ok()).unwrap_or(0.0) / 1024.0
    }
}
