//! A private Redis and a private PostgreSQL for one test run.
//!
//! `LINKSPAN_TEST_REDIS` and `LINKSPAN_TEST_POSTGRES` (addresses; of PostgreSQL one that may create databases) take others.
//! Where neither those nor the programs exist, the caller skips, and a line says so. Servers die with this process.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{OnceLock, mpsc};
use std::time::{Duration, Instant};

use super::dir::run_directory;

/// The address of the Redis of this run.
pub fn redis() -> Option<String> {
    static URL: OnceLock<Option<String>> = OnceLock::new();
    URL.get_or_init(|| {
        if let Ok(url) = std::env::var("LINKSPAN_TEST_REDIS") {
            return Some(url);
        }
        let server = RedisServer::start();
        if server.is_none() {
            println!("skipped: no redis-server here, and LINKSPAN_TEST_REDIS is not set");
        }
        // Kept until the process ends.
        server.map(|server| Box::leak(Box::new(server)).url())
    })
    .clone()
}

/// The address of a new, empty database on the PostgreSQL of this run.
pub fn postgres_database() -> Option<String> {
    static URL: OnceLock<Option<String>> = OnceLock::new();
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let server = URL
        .get_or_init(|| {
            let url = std::env::var("LINKSPAN_TEST_POSTGRES").ok().or_else(start_postgres);
            if url.is_none() {
                println!("skipped: no PostgreSQL here, and LINKSPAN_TEST_POSTGRES is not set");
            }
            url
        })
        .clone()?;
    let name = format!("linkspan_test_{}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
    let made = Command::new(program("psql")?).args(["-qXc", &format!("CREATE DATABASE {name}"), &server]).status();
    assert!(made.is_ok_and(|status| status.success()), "a new database");
    let mut url = url::Url::parse(&server).expect("an address of PostgreSQL");
    url.set_path(&name);
    Some(url.to_string())
}

/// A Redis of a test's own, which may be stopped and started again on the same port.
pub struct RedisServer {
    port: u16,
    extra: Vec<String>,
    child: Child,
}

impl RedisServer {
    pub fn start() -> Option<Self> {
        Self::start_with(&[])
    }

    /// With further options, as `--cluster-enabled yes`.
    pub fn start_with(extra: &[&str]) -> Option<Self> {
        program("redis-server")?;
        let extra: Vec<String> = extra.iter().map(|&option| option.to_owned()).collect();
        let port = free_port();
        Some(Self { port, child: spawn_redis(port, &extra), extra })
    }

    /// A Sentinel that watches the master at `port` under `service` and judges alone, quickly.
    pub fn start_sentinel(service: &str, port: u16) -> Option<Self> {
        program("redis-server")?;
        let folder = run_directory().join(format!("sentinel-of-{port}"));
        std::fs::create_dir_all(&folder).expect("a folder for the Sentinel");
        let file = folder.join("sentinel.conf");
        let lines = format!(
            "sentinel monitor {service} 127.0.0.1 {port} 1\nsentinel down-after-milliseconds {service} 500\nsentinel failover-timeout {service} 3000\n"
        );
        std::fs::write(&file, lines).expect("a configuration for the Sentinel");
        let own = free_port();
        let mut command = bound_to_us(&[]);
        command.arg(program("redis-server")?).arg(file).args(["--sentinel", "--bind", "127.0.0.1", "--port", &own.to_string()]);
        let child = spawn(command, folder.join("log"));
        wait_for("the Sentinel", || std::net::TcpStream::connect(("127.0.0.1", own)).is_ok());
        Some(Self { port: own, extra: Vec::new(), child })
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port)
    }

    /// Ends it at once.
    pub fn stop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    pub fn start_again(&mut self) {
        self.child = spawn_redis(self.port, &self.extra);
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.stop();
    }
}

fn spawn_redis(port: u16, extra: &[String]) -> Child {
    let folder = run_directory().join(format!("redis-{port}"));
    std::fs::create_dir_all(&folder).expect("a folder for Redis");
    let mut command = bound_to_us(&[]);
    command.arg(program("redis-server").expect("redis-server was there a moment ago"));
    command
        .args([
            "--port",
            &port.to_string(),
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--appendonly",
            "no",
            "--repl-diskless-sync-delay",
            "0",
            "--dir",
        ])
        .arg(&folder)
        .args(extra);
    let child = spawn(command, folder.join("log"));
    wait_for("Redis", || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok());
    child
}

fn start_postgres() -> Option<String> {
    let initdb = program("initdb")?;
    let postgres = program("postgres")?;
    program("psql")?;
    let folder = run_directory().join("postgres");
    std::fs::create_dir_all(&folder).expect("a folder for PostgreSQL");
    // PostgreSQL refuses to run as root.
    let user = if is_root() { "postgres" } else { "" };
    if is_root() {
        let owned = Command::new("chown").arg("postgres").arg(&folder).status();
        if !owned.is_ok_and(|status| status.success()) {
            return None;
        }
    }
    let data = folder.join("data");
    let mut command = bound_to_us(&as_user(user));
    command.arg(initdb).args(["-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync", "--locale=C.UTF-8", "-D"]).arg(&data);
    let made = command.stdout(Stdio::null()).current_dir(&folder).status().ok()?;
    assert!(made.success(), "initdb failed");
    let mut command = bound_to_us(&as_user(user));
    command.arg(postgres).current_dir(&folder).arg("-D").arg(&data).arg("-k").arg(&folder);
    command.args(["-c", "listen_addresses=", "-c", "fsync=off", "-c", "max_connections=200"]);
    let child = spawn(command, folder.join("log"));
    // Kept until the process ends.
    Box::leak(Box::new(child));
    let socket = folder.join(".s.PGSQL.5432");
    wait_for("PostgreSQL", || std::os::unix::net::UnixStream::connect(&socket).is_ok());
    let host: String = url::form_urlencoded::byte_serialize(folder.to_string_lossy().as_bytes()).collect();
    let url = format!("postgres://postgres@localhost/postgres?host={host}");
    wait_for("PostgreSQL", || {
        let asked = Command::new("psql").args(["-qXtc", "SELECT 1", &url]).stdout(Stdio::null()).stderr(Stdio::null()).status();
        asked.is_ok_and(|status| status.success())
    });
    Some(url)
}

/// `setpriv` makes the system end the server when the thread that started it goes.
fn bound_to_us(user: &[String]) -> Command {
    let mut command = Command::new("setpriv");
    command.args(user).args(["--pdeathsig", "KILL"]);
    command
}

fn as_user(name: &str) -> Vec<String> {
    if name.is_empty() { Vec::new() } else { vec![format!("--reuid={name}"), format!("--regid={name}"), "--clear-groups".to_owned()] }
}

fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|us| std::os::unix::fs::MetadataExt::uid(&us) == 0)
}

/// Starts a server from a thread that lives as long as the process: threads of tests end earlier.
fn spawn(mut command: Command, log: PathBuf) -> Child {
    type Order = (Command, mpsc::Sender<std::io::Result<Child>>);
    static STARTER: OnceLock<std::sync::Mutex<mpsc::Sender<Order>>> = OnceLock::new();
    let starter = STARTER.get_or_init(|| {
        let (sender, orders) = mpsc::channel::<Order>();
        std::thread::spawn(move || {
            for (mut command, answer) in orders {
                let _ = answer.send(command.spawn());
            }
        });
        std::sync::Mutex::new(sender)
    });
    let log = std::fs::File::create(log).expect("a log for the server");
    command.stdin(Stdio::null()).stdout(log.try_clone().expect("the same log")).stderr(log);
    let (sender, answer) = mpsc::channel();
    starter.lock().expect("the starter").send((command, sender)).expect("the starter lives");
    answer.recv().expect("the starter answers").expect("the server starts (setpriv is of util-linux)")
}

/// Where a program is: in the path, or where Debian keeps PostgreSQL's.
fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    folders.extend(versions.map(|version| version.path().join("bin")));
    folders.into_iter().map(|folder| folder.join(name)).find(|file| Path::is_file(file))
}

/// A port on the loopback address that nobody uses now.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    listener.local_addr().expect("its address").port()
}

fn wait_for(what: &str, ready: impl Fn() -> bool) {
    let until = Instant::now() + Duration::from_secs(30);
    while !ready() {
        assert!(Instant::now() < until, "{what} did not start; its log is below {}", run_directory().display());
        std::thread::sleep(Duration::from_millis(20));
    }
}
