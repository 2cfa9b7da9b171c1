//! `linkspan health`: the container's check, without shell or curl.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use clap::Args;
use serde_json::json;
use tokio::net::TcpStream;

use crate::cli::output::{self, Format};
use crate::cli::{Global, block_on, http};

const PATIENCE: Duration = Duration::from_secs(5);

/// Ask the server that runs here whether it is ready; 1 if not
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  linkspan health\n  HEALTHCHECK CMD [\"linkspan\", \"health\"]")]
pub(super) struct Health {
    /// Ask only whether the process lives, whatever its stores say
    #[arg(long)]
    live: bool,
}

impl Health {
    pub(super) fn run(self, global: &Global) -> u8 {
        let config = match global.load() {
            Ok(config) => config,
            Err(exit) => return exit,
        };
        let target = if self.live { "/livez" } else { "/readyz" };
        let address = reachable(config.listen.ops);
        let asked = block_on(async {
            tokio::time::timeout(PATIENCE, async {
                let stream = TcpStream::connect(address).await?;
                http::ask(stream, "GET", target, &[]).await
            })
            .await
        });
        let answer = match asked {
            Ok(Ok(Ok(answer))) => answer,
            Ok(Ok(Err(error))) => {
                output::print_error(&format!("no server answers at {address}: {error}"), "start it with: linkspan serve");
                return 1;
            }
            Ok(Err(_)) => {
                output::print_error(&format!("the server at {address} did not answer within {} s", PATIENCE.as_secs()), "look at its log");
                return 1;
            }
            Err(exit) => return exit,
        };
        let said = String::from_utf8_lossy(&answer.body).trim().to_owned();
        let is_well = answer.status == 200;
        match global.output {
            Format::Json => output::print_json(&json!({ "healthy": is_well, "status": answer.status, "answer": said })),
            Format::Text => output::print(&format!("{}\n", output::clean(&said))),
        }
        u8::from(!is_well)
    }
}

/// A listener on every address is asked on loopback.
fn reachable(listener: SocketAddr) -> SocketAddr {
    let ip = match listener.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, listener.port())
}
