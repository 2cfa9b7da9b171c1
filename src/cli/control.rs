//! Brings a command to where it is done: to the server that runs here, by its control socket, or to the stores themselves.

use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;

use tokio::net::UnixStream;

use crate::app;
use crate::cli::http;
use crate::cli::output::{Failure, failed};
use crate::config::Config;
use crate::flows::command::{Command, Reply};

/// Fetching metadata may take its time; longer than this a command does not wait.
const PATIENCE: Duration = Duration::from_secs(300);

/// Runs a command and says how it came out; whatever fails on the way is a reply too.
pub async fn run_command(config: &Config, command: &Command) -> Reply {
    let socket = config.storage.control_socket();
    match by_socket(&socket, command).await {
        Some(reply) => reply,
        None => app::run_local(config.clone(), command.clone()).await.unwrap_or_else(|error| Failure::from(error).into()),
    }
}

/// `None` if no server answers there.
async fn by_socket(socket: &Path, command: &Command) -> Option<Reply> {
    let stream = match UnixStream::connect(socket).await {
        Ok(stream) => stream,
        // InvalidInput: the path is too long for a socket, so no server listens there.
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused | ErrorKind::InvalidInput) => return None,
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            let cause = format!("{} may not be used by this user: {error}", socket.display());
            return Some(failed(1, cause, "run the command as the user that runs the server, as with sudo -u linkspan").into());
        }
        Err(error) => {
            let cause = format!("{} does not answer: {error}", socket.display());
            return Some(failed(75, cause, "try again; if it stays so, restart the server").into());
        }
    };
    Some(by_stream(stream, command).await.unwrap_or_else(Reply::from))
}

async fn by_stream(stream: UnixStream, command: &Command) -> Result<Reply, Failure> {
    const UNSURE: &str = "look at the server's log; the command may have been done all the same";
    let body = serde_json::to_vec(command)
        .map_err(|error| failed(1, format!("the command cannot be written as JSON: {error}"), "report this as a fault of Linkspan"))?;
    let answer = tokio::time::timeout(PATIENCE, http::ask(stream, "POST", "/command", &body))
        .await
        .map_err(|_| failed(75, format!("the server did not answer within {} s", PATIENCE.as_secs()), UNSURE))?
        .map_err(|error| failed(75, format!("the server did not answer the command: {error}"), UNSURE))?;
    serde_json::from_slice(&answer.body).map_err(|_| {
        let cause = format!("the server answered {} with something that is no reply to a command", answer.status);
        failed(1, cause, "use the linkspan of the same version as the server")
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::UnixListener;

    use super::*;

    fn socket(name: &str) -> std::path::PathBuf {
        let path = std::env::temp_dir().join(format!("linkspan-{}-{name}.sock", std::process::id()));
        let _ = std::fs::remove_file(&path);
        path
    }

    /// Takes one connection, reads the request until its body is complete, and answers.
    async fn answer_once(listener: UnixListener, answer: Vec<u8>) -> String {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = String::new();
        let mut buffer = [0; 4096];
        while !request.ends_with('}') {
            let read = stream.read(&mut buffer).await.unwrap();
            request.push_str(std::str::from_utf8(&buffer[..read]).unwrap());
        }
        stream.write_all(&answer).await.unwrap();
        request
    }

    #[tokio::test]
    async fn a_command_goes_to_the_server_that_answers() {
        let path = socket("answers");
        let listener = UnixListener::bind(&path).unwrap();
        let reply = serde_json::to_string(&Reply::found(json!({ "big": "x".repeat(200_000) }))).unwrap();
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{reply}", reply.len());
        let server = tokio::spawn(answer_once(listener, answer.into_bytes()));

        let reply = by_socket(&path, &Command::UserShow { name: "ada".to_owned() }).await.unwrap();

        assert_eq!((reply.exit, reply.value["big"].as_str().unwrap().len()), (3, 200_000));
        let request = server.await.unwrap();
        assert!(request.starts_with("POST /command HTTP/1.1\r\n"), "{request}");
        assert!(request.ends_with(r#"{"command":"user_show","name":"ada"}"#), "{request}");
        let _ = std::fs::remove_file(path);
    }

    #[tokio::test]
    async fn without_a_server_there_is_no_reply_from_it() {
        assert!(by_socket(&socket("nowhere"), &Command::AppList).await.is_none());
        assert!(by_socket(&socket(&"long".repeat(60)), &Command::AppList).await.is_none());

        let left_behind = socket("left-behind");
        drop(UnixListener::bind(&left_behind).unwrap());
        assert!(by_socket(&left_behind, &Command::AppList).await.is_none());
        let _ = std::fs::remove_file(left_behind);
    }

    #[tokio::test]
    async fn a_server_that_dies_while_answering_is_worth_another_try() {
        let path = socket("dies");
        let listener = UnixListener::bind(&path).unwrap();
        let server = tokio::spawn(answer_once(listener, b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{".to_vec()));

        let reply = by_socket(&path, &Command::AppList).await.unwrap();

        assert_eq!(reply.exit, 75);
        server.await.unwrap();
        let _ = std::fs::remove_file(path);
    }
}
