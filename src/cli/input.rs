//! What a command reads: files, standard input, passwords, `KEY=VALUE`.

use std::io::{IsTerminal as _, Read as _};

use crate::cli::output::{Failure, failed};
use crate::model::secret::Secret;

/// The largest metadata aggregate that is taken.
pub const LARGEST_METADATA: u64 = 128 << 20;

/// Reads a file, or standard input for `-`, up to a size.
///
/// # Errors
/// Says what could not be read.
pub fn read(name: &str, largest: u64) -> Result<Vec<u8>, Failure> {
    let source: Box<dyn std::io::Read> = if name == "-" {
        Box::new(std::io::stdin().lock())
    } else {
        Box::new(std::fs::File::open(name).map_err(|error| failed(1, format!("{name} cannot be read: {error}"), "correct the path"))?)
    };
    let mut bytes = Vec::new();
    let read = source.take(largest + 1).read_to_end(&mut bytes);
    read.map_err(|error| failed(1, format!("{} cannot be read: {error}", called(name)), "correct the path"))?;
    if bytes.len() as u64 > largest {
        return Err(failed(1, format!("{} is larger than {largest} bytes", called(name)), "give a smaller file"));
    }
    Ok(bytes)
}

/// Reads a text.
///
/// # Errors
/// As `read`, and where it is not UTF-8.
pub fn read_text(name: &str, largest: u64) -> Result<String, Failure> {
    String::from_utf8(read(name, largest)?).map_err(|_| failed(1, format!("{} is not text in UTF-8", called(name)), "convert it to UTF-8"))
}

/// How messages call an input.
pub fn called(name: &str) -> &str {
    if name == "-" { "standard input" } else { name }
}

/// Splits `KEY=VALUE` arguments.
pub fn key_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => Ok((key.trim().to_owned(), value.to_owned())),
        _ => Err("write it as KEY=VALUE".to_owned()),
    }
}

/// Takes a password from standard input, or asks for it twice on a terminal.
///
/// # Errors
/// Says why there is none.
pub fn password(from_stdin: bool) -> Result<Secret<String>, Failure> {
    if from_stdin {
        let mut text = String::new();
        std::io::stdin().lock().take(4096).read_to_string(&mut text).map_err(|error| {
            failed(1, format!("no password could be read from standard input: {error}"), "write it to standard input in UTF-8")
        })?;
        let line = text.lines().next().unwrap_or_default();
        if line.is_empty() {
            return Err(failed(
                2,
                "standard input holds no password",
                "write it there: printf '%s\\n' \"$PASSWORD\" | linkspan … --password-stdin",
            ));
        }
        return Ok(Secret::new(line.to_owned()));
    }
    if !is_interactive() {
        return Err(failed(2, "there is no terminal to ask for the password", "give it on standard input with --password-stdin"));
    }
    let password = prompt("Password: ")?;
    let again = prompt("Once more: ")?;
    if password != again {
        return Err(failed(1, "the two passwords differ", "try again"));
    }
    Ok(password)
}

/// Whether somebody can be asked.
pub fn is_interactive() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

/// Asks before something is removed; where nobody can be asked the command itself is the answer.
///
/// # Errors
/// Where the answer was no.
pub fn confirm(question: &str, yes: bool) -> Result<(), Failure> {
    if yes || !is_interactive() {
        return Ok(());
    }
    crate::cli::output::note(&format!("{question} [y/N] "));
    let mut answer = String::new();
    let read = std::io::stdin().read_line(&mut answer);
    if read.is_ok() && matches!(answer.trim(), "y" | "Y" | "yes") {
        return Ok(());
    }
    Err(failed(1, "nothing was removed", "answer y, or give --yes"))
}

fn prompt(question: &str) -> Result<Secret<String>, Failure> {
    rpassword::prompt_password(question)
        .map(Secret::new)
        .map_err(|error| failed(1, format!("the terminal gave no password: {error}"), "give it on standard input with --password-stdin"))
}
