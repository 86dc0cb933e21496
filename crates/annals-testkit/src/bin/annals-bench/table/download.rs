//! Reads files of any length that come in chunks, and keeps nothing of them.

use std::io::Write as _;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::Failure;

/// One keep-alive connection.
pub(super) struct Download {
    stream: TcpStream,
    common: String,
    /// Read, and not yet used up to `used`.
    buffer: Vec<u8>,
    used: usize,
}

impl Download {
    pub(super) async fn open(authority: &str, key: &str) -> Result<Download, Failure> {
        Ok(Download {
            stream: TcpStream::connect(authority).await?,
            common: format!("host: {authority}\r\nauthorization: Bearer {key}\r\n"),
            buffer: Vec::new(),
            used: 0,
        })
    }

    /// Gets `path` and says how many lines the whole body has.
    pub(super) async fn lines(&mut self, path: &str) -> Result<u64, Failure> {
        let mut request = Vec::new();
        write!(request, "GET {path} HTTP/1.1\r\n{}\r\n", self.common)?;
        self.stream.write_all(&request).await?;
        self.head(path).await?;
        let mut lines = 0;
        loop {
            let length = self.chunk_size().await?;
            let (mut left, is_last) = (length + 2, length == 0);
            while left > 0 {
                if self.used == self.buffer.len() {
                    self.more().await?;
                }
                let there = (self.buffer.len() - self.used).min(left);
                let piece = &self.buffer[self.used..self.used + there];
                // The two bytes behind a chunk are a line end that is none of the file.
                let own = there.min(left.saturating_sub(2));
                lines += piece[..own].iter().filter(|byte| **byte == b'\n').count() as u64;
                self.used += there;
                left -= there;
            }
            if is_last {
                return Ok(lines);
            }
        }
    }

    async fn head(&mut self, path: &str) -> Result<(), Failure> {
        loop {
            let mut headers = [httparse::EMPTY_HEADER; 32];
            let mut response = httparse::Response::new(&mut headers);
            let parsed = response.parse(&self.buffer[self.used..])?;
            if let httparse::Status::Complete(length) = parsed {
                if response.code != Some(200) {
                    return Err(format!("{path}: {:?}", response.code).into());
                }
                self.used += length;
                return Ok(());
            }
            self.more().await?;
        }
    }

    async fn chunk_size(&mut self) -> Result<usize, Failure> {
        loop {
            let parsed = httparse::parse_chunk_size(&self.buffer[self.used..]);
            match parsed.map_err(|error| error.to_string())? {
                httparse::Status::Complete((length, size)) => {
                    self.used += length;
                    return Ok(usize::try_from(size)?);
                }
                httparse::Status::Partial => self.more().await?,
            }
        }
    }

    async fn more(&mut self) -> Result<(), Failure> {
        self.buffer.drain(..self.used);
        self.used = 0;
        self.buffer.reserve(1 << 16);
        if self.stream.read_buf(&mut self.buffer).await? == 0 {
            return Err("the server closed the connection".into());
        }
        Ok(())
    }
}
