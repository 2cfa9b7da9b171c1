//! The listeners: the public one, operations, and the control socket.

use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use actix_web::dev::{Server, ServerHandle, Service as _};
use actix_web::web::Data;
use actix_web::{App, HttpServer};
use tokio::task::JoinHandle;

use crate::app::StartError;
use crate::config::Config;
use crate::crypto::tls;
use crate::web::{Web, headers, routes};

/// The running listeners.
pub struct Servers {
    handles: Vec<ServerHandle>,
    tasks: Vec<JoinHandle<io::Result<()>>>,
}

impl Servers {
    pub fn handles(self) -> Vec<ServerHandle> {
        self.handles
    }

    /// Waits until one of them ends; none does while all is well.
    pub async fn ended(&mut self) -> String {
        let Some(first) = self.tasks.first_mut() else { return std::future::pending().await };
        match first.await {
            Ok(Ok(())) => "without a reason".to_owned(),
            Ok(Err(error)) => error.to_string(),
            Err(error) => error.to_string(),
        }
    }

    fn run(&mut self, server: Server) {
        self.handles.push(server.handle());
        self.tasks.push(tokio::spawn(server));
    }
}

fn in_use(address: &str, error: &io::Error, key: &str) -> StartError {
    let cause = if error.kind() == io::ErrorKind::AddrInUse {
        format!("{address} is already in use")
    } else {
        format!("{address} cannot be listened on: {error}")
    };
    StartError { cause, remedy: format!("stop what listens there, or choose another address with {key}"), exit: 1 }
}

/// Keys are readable by their owner only.
fn refuse_open_key(key: &Path) -> Result<(), StartError> {
    let mode = std::fs::metadata(key).map_or(0, |facts| facts.permissions().mode() & 0o777);
    if mode & 0o077 == 0 {
        return Ok(());
    }
    Err(StartError {
        cause: format!("the TLS key {} can be read by others (mode {mode:04o})", key.display()),
        remedy: format!("chmod 600 {}", key.display()),
        exit: 78,
    })
}

/// Starts all listeners. Nothing is half-started: the first that fails ends the process.
pub fn start(config: &Config, web: &Data<Web>) -> Result<Servers, StartError> {
    let mut servers = Servers { handles: Vec::new(), tasks: Vec::new() };
    let secure = web.secure;
    let timeout = Duration::from_millis(u64::try_from(config.listen.request_timeout.as_millis()).unwrap_or(10_000));

    let workers = std::thread::available_parallelism().map_or(2, usize::from);
    let max_body = config.listen.max_body;
    let shared = web.clone();
    let public = HttpServer::new(move || {
        let common = headers::common(secure);
        App::new().app_data(shared.clone()).configure(|config| routes::public(config, max_body)).wrap_fn(move |request, service| {
            let common = common.clone();
            let answer = service.call(request);
            async move {
                let mut answer = answer.await?;
                for (name, value) in common {
                    answer.headers_mut().insert(name, value);
                }
                Ok(answer)
            }
        })
    })
    .workers(workers)
    // The server counts for each worker.
    .max_connections((config.listen.max_connections / workers).max(1))
    .client_request_timeout(timeout)
    .client_disconnect_timeout(Duration::from_secs(1))
    .keep_alive(Duration::from_secs(75))
    .shutdown_timeout(20)
    .disable_signals();
    let address = config.listen.web;
    let public = match &config.tls {
        None => public.bind(address),
        Some(files) => {
            refuse_open_key(&files.key)?;
            let acceptor = tls::acceptor(&files.certificate, &files.key).map_err(|error| StartError {
                cause: error.to_string(),
                remedy: "give PEM files in tls.certificate (with the chain) and tls.key".to_owned(),
                exit: 78,
            })?;
            public.bind_openssl(address, acceptor)
        }
    };
    let public = public.map_err(|error| in_use(&address.to_string(), &error, "listen.web"))?;

    let shared = web.clone();
    let ops = HttpServer::new(move || App::new().app_data(shared.clone()).configure(routes::ops)).workers(1).disable_signals();
    let address = config.listen.ops;
    let ops = ops.bind(address).map_err(|error| in_use(&address.to_string(), &error, "listen.ops"))?;

    let socket = config.storage.control_socket();
    // A socket of a process that died; a living one holds the lock of the embedded stores.
    let _ = std::fs::remove_file(&socket);
    let shared = web.clone();
    let control =
        HttpServer::new(move || App::new().app_data(shared.clone()).configure(routes::control_socket)).workers(1).disable_signals();
    let control = control.bind_uds(&socket).map_err(|error| StartError {
        cause: format!("{} cannot be listened on: {error}", socket.display()),
        remedy: "choose a storage.directory with a path of less than 90 bytes, on a file system with sockets".to_owned(),
        exit: 1,
    })?;
    std::fs::set_permissions(&socket, std::fs::Permissions::from_mode(0o600)).map_err(|error| StartError {
        cause: format!("{}: {error}", socket.display()),
        remedy: "see who owns it".to_owned(),
        exit: 1,
    })?;

    servers.run(public.run());
    servers.run(ops.run());
    servers.run(control.run());
    Ok(servers)
}
