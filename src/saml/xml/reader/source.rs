//! Bytes on their way to the tokenizer: brought to UTF-8, counted, bounded.

use std::io::{self, BufRead, BufReader, Cursor, Read};

use crate::saml::xml::reader::XmlError;

/// Counts bytes and lines on the way, and stops at the bound.
pub(super) struct Bounded<R> {
    inner: R,
    left: u64,
    most: u64,
    /// Bytes of the token that is being read; reset where one begins.
    pub(super) token: u64,
    most_token: u64,
    /// The line that was reached, from 1.
    pub(super) line: u32,
    /// Which bound was reached, and what it is.
    pub(super) over: Option<(&'static str, u64)>,
}

impl<R: BufRead> Bounded<R> {
    pub(super) fn new(inner: R, most: u64, most_token: u64) -> Self {
        Self { inner, left: most, most, token: 0, most_token, line: 1, over: None }
    }
}

impl<R: BufRead> Read for Bounded<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let mut available = self.fill_buf()?;
        let n = available.read(out)?;
        self.consume(n);
        Ok(n)
    }
}

impl<R: BufRead> BufRead for Bounded<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.token > self.most_token {
            self.over = Some(("bytes in one tag or text", self.most_token));
            return Err(io::Error::other("too large"));
        }
        let available = self.inner.fill_buf()?;
        if self.left == 0 && !available.is_empty() {
            self.over = Some(("bytes in the document", self.most));
            return Err(io::Error::other("too large"));
        }
        let most = usize::try_from(self.left).unwrap_or(usize::MAX);
        Ok(available.get(..most).unwrap_or(available))
    }

    fn consume(&mut self, n: usize) {
        if let Ok(available) = self.inner.fill_buf() {
            self.line = self.line.saturating_add(newlines(available.get(..n).unwrap_or(available)));
        }
        self.left = self.left.saturating_sub(n as u64);
        self.token = self.token.saturating_add(n as u64);
        self.inner.consume(n);
    }
}

/// How many lines end in `bytes`.
pub(super) fn newlines(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.iter().filter(|byte| **byte == b'\n').count()).unwrap_or(u32::MAX)
}

/// The encodings that we read; each is found without guessing (XML 1.0, appendix F).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    Utf8,
    Utf16Le,
    Utf16Be,
    Latin1,
}

/// The encoding of a document by its first bytes, and how many of them are a byte-order mark.
pub(super) fn encoding(head: &[u8]) -> Result<(Encoding, usize), XmlError> {
    let marked = match head {
        [0xef, 0xbb, 0xbf, ..] => 3,
        [0xff, 0xfe, ..] => return Ok((Encoding::Utf16Le, 2)),
        [0xfe, 0xff, ..] => return Ok((Encoding::Utf16Be, 2)),
        [b'<', 0, ..] => return Ok((Encoding::Utf16Le, 0)),
        [0, b'<', ..] => return Ok((Encoding::Utf16Be, 0)),
        _ => 0,
    };
    let label = head.get(marked..).and_then(declared_encoding).map(str::to_ascii_lowercase);
    match label.as_deref() {
        None | Some("utf-8" | "utf8" | "us-ascii" | "ascii") => Ok((Encoding::Utf8, marked)),
        // The bytes are not UTF-16, as was just seen: .NET writes this label into strings that it then sends as UTF-8.
        Some("utf-16") => Ok((Encoding::Utf8, marked)),
        Some("iso-8859-1" | "latin1" | "iso_8859-1") if marked == 0 => Ok((Encoding::Latin1, 0)),
        Some(other) => {
            let shown: String = other.chars().take(64).collect();
            Err(XmlError::Encoding(format!("the XML declaration says {shown}; UTF-8, UTF-16 and ISO-8859-1 are read")))
        }
    }
}

fn declared_encoding(head: &[u8]) -> Option<&str> {
    let head = head.strip_prefix(b"<?xml")?;
    let end = head.windows(2).position(|w| w == b"?>")?;
    let declaration = std::str::from_utf8(head.get(..end)?).ok()?;
    let after = declaration.split_once("encoding")?.1.trim_start().strip_prefix('=')?.trim_start();
    let quote = after.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    after.strip_prefix(quote)?.split_once(quote).map(|(label, _)| label)
}

/// A stream of UTF-8.
pub(super) enum Utf8<R: Read> {
    Already(BufReader<Rest<R>>),
    Made(BufReader<Transcode<Rest<R>>>),
}

type Rest<R> = io::Chain<Cursor<Vec<u8>>, R>;

impl<R: Read> Utf8<R> {
    /// Looks at the first bytes of a stream and turns the rest into UTF-8 as it is read.
    pub(super) fn new(mut source: R) -> Result<Self, XmlError> {
        let mut head = Vec::with_capacity(256);
        source.by_ref().take(256).read_to_end(&mut head).map_err(|error| XmlError::Io(error.to_string()))?;
        let (encoding, marked) = encoding(&head)?;
        let rest = Cursor::new(head.split_off(marked)).chain(source);
        Ok(match encoding {
            Encoding::Utf8 => Self::Already(BufReader::new(rest)),
            _ => Self::Made(BufReader::new(Transcode { source: BufReader::new(rest), encoding, out: Vec::new(), at: 0 })),
        })
    }
}

impl<R: Read> Read for Utf8<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Already(inner) => inner.read(out),
            Self::Made(inner) => inner.read(out),
        }
    }
}

impl<R: Read> BufRead for Utf8<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        match self {
            Self::Already(inner) => inner.fill_buf(),
            Self::Made(inner) => inner.fill_buf(),
        }
    }

    fn consume(&mut self, n: usize) {
        match self {
            Self::Already(inner) => inner.consume(n),
            Self::Made(inner) => inner.consume(n),
        }
    }
}

/// Turns other encodings into UTF-8 as they are read.
pub(super) struct Transcode<R: Read> {
    source: BufReader<R>,
    encoding: Encoding,
    out: Vec<u8>,
    at: usize,
}

impl<R: Read> Read for Transcode<R> {
    fn read(&mut self, target: &mut [u8]) -> io::Result<usize> {
        if self.at >= self.out.len() {
            self.out.clear();
            self.at = 0;
            let mut utf8 = [0; 4];
            while self.out.len() < 4_096 {
                let Some(c) = self.character()? else { break };
                self.out.extend_from_slice(c.encode_utf8(&mut utf8).as_bytes());
            }
        }
        let mut left = self.out.get(self.at..).unwrap_or_default();
        let n = left.read(target)?;
        self.at += n;
        Ok(n)
    }
}

impl<R: Read> Transcode<R> {
    fn character(&mut self) -> io::Result<Option<char>> {
        if self.encoding == Encoding::Latin1 {
            return Ok(self.bytes::<1>()?.map(|[byte]| char::from(byte)));
        }
        let Some(first) = self.unit()? else { return Ok(None) };
        let second = if (0xd800..0xdc00).contains(&first) { Some(self.unit()?.ok_or_else(broken)?) } else { None };
        match char::decode_utf16([first].into_iter().chain(second)).next() {
            Some(Ok(c)) => Ok(Some(c)),
            _ => Err(broken()),
        }
    }

    fn unit(&mut self) -> io::Result<Option<u16>> {
        let bytes = self.bytes::<2>()?;
        Ok(bytes.map(if self.encoding == Encoding::Utf16Be { u16::from_be_bytes } else { u16::from_le_bytes }))
    }

    fn bytes<const N: usize>(&mut self) -> io::Result<Option<[u8; N]>> {
        if self.source.fill_buf()?.is_empty() {
            return Ok(None);
        }
        let mut bytes = [0; N];
        self.source.read_exact(&mut bytes).map_err(|_| broken())?;
        Ok(Some(bytes))
    }
}

fn broken() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "broken UTF-16")
}
