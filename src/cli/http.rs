//! A few lines of HTTP/1.1, enough for the control socket and the health check: one request, one answer, then the end.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

/// The largest answer that is read; `user list` of a big directory stays far below.
const LARGEST: u64 = 256 << 20;

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    pub body: Vec<u8>,
}

/// Sends one request and reads the answer.
///
/// # Errors
/// What the connection says; `InvalidData` for an answer that is no HTTP/1.1.
pub async fn ask(stream: impl AsyncRead + AsyncWrite, method: &str, target: &str, body: &[u8]) -> io::Result<Answer> {
    let mut stream = std::pin::pin!(stream);
    let head = format!(
        "{method} {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body).await?;
    stream.flush().await?;
    let mut received = Vec::new();
    stream.take(LARGEST + 1).read_to_end(&mut received).await?;
    if received.len() as u64 > LARGEST {
        return Err(invalid("the answer is too long"));
    }
    parse(&received)
}

fn parse(received: &[u8]) -> io::Result<Answer> {
    let end = received.windows(4).position(|window| window == b"\r\n\r\n").ok_or_else(cut_short)?;
    let (head, rest) = received.split_at(end);
    let body = rest.get(4..).unwrap_or_default();
    let head = std::str::from_utf8(head).map_err(|_| invalid("the head of the answer is not text"))?;
    let mut lines = head.split("\r\n");
    let status_line = lines.next().unwrap_or_default();
    let status = status_line.strip_prefix("HTTP/1.").and_then(|rest| rest.get(2..5)).and_then(|code| code.parse().ok());
    let status = status.ok_or_else(|| invalid("the answer has no status line"))?;
    let header = |name: &str| {
        let found = lines.clone().filter_map(|line| line.split_once(':')).find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.trim().to_owned())
    };
    let body = if header("transfer-encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked")) {
        unchunk(body)?
    } else if let Some(length) = header("content-length") {
        let length: usize = length.parse().map_err(|_| invalid("the length of the answer is no number"))?;
        body.get(..length).ok_or_else(cut_short)?.to_vec()
    } else {
        body.to_vec()
    };
    Ok(Answer { status, body })
}

fn unchunk(mut rest: &[u8]) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let line_end = rest.windows(2).position(|window| window == b"\r\n").ok_or_else(cut_short)?;
        let line = std::str::from_utf8(rest.get(..line_end).unwrap_or_default()).unwrap_or_default();
        let digits = line.split(';').next().unwrap_or_default().trim();
        let size = usize::from_str_radix(digits, 16).map_err(|_| invalid("a chunk of the answer has no size"))?;
        if size == 0 {
            return Ok(body);
        }
        let after = rest.get(line_end + 2..).unwrap_or_default();
        body.extend_from_slice(after.get(..size).ok_or_else(cut_short)?);
        rest = after.get(size..).and_then(|tail| tail.strip_prefix(b"\r\n")).ok_or_else(cut_short)?;
    }
}

fn invalid(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

fn cut_short() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "the connection closed before the answer was complete")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_by_length_by_chunks_and_to_the_end() {
        let body = |answer: &[u8]| parse(answer).map(|answer| (answer.status, String::from_utf8(answer.body).unwrap()));
        assert_eq!(body(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}rest").unwrap(), (200, "{}".to_owned()));
        assert_eq!(
            body(b"HTTP/1.1 503 X\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\n\r\n").unwrap(),
            (503, "abc0123456789".to_owned())
        );
        assert_eq!(body(b"HTTP/1.0 404 Not Found\r\n\r\nall").unwrap(), (404, "all".to_owned()));
    }

    #[test]
    fn a_broken_answer_is_an_error() {
        for answer in [
            &b""[..],
            b"HTTP/1.1 200 OK\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}",
            b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n{}",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nabc",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc",
            b"SSH-2.0\r\n\r\n",
        ] {
            assert!(parse(answer).is_err(), "{}", String::from_utf8_lossy(answer));
        }
    }
}
