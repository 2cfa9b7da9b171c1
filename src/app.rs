//! The only place that knows every concrete type.

use serde_json::Value;

use crate::config::Config;
use crate::flows::command::{Command, Reply};

/// Why the server, or a command without a server, could not start.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{cause}")]
pub struct StartError {
    pub cause: String,
    pub remedy: String,
    /// 1 it failed, 75 try again later, 78 configuration invalid.
    pub exit: u8,
}

/// What the command line says about `serve`.
#[derive(Debug, Clone, Copy, Default)]
pub struct ServeOptions {
    pub demo: bool,
}

/// Runs the server until it is told to stop.
pub fn serve(config: Config, options: ServeOptions) -> Result<(), StartError> {
    let _ = (config, options);
    Err(missing())
}

/// Runs one command on the stores themselves, where no server answers.
pub async fn run_local(config: Config, command: Command) -> Result<Reply, StartError> {
    let _ = (config, command);
    Err(missing())
}

/// Makes the storage directory and the first keys; returns the keys as `key list` does.
pub async fn init(config: Config) -> Result<Value, StartError> {
    let _ = config;
    Err(missing())
}

fn missing() -> StartError {
    StartError { cause: "the server is not part of this build".to_owned(), remedy: "build it from the main branch".to_owned(), exit: 1 }
}
