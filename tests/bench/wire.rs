//! As much of HTTP/1.1 as a benchmark needs, over plain sockets.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// A connection, and what has been read of it and not yet used.
pub(crate) struct Line {
    socket: Box<dyn Socket>,
    buffer: Vec<u8>,
}

/// Plain, or with TLS around it.
trait Socket: Read + Write + Send {}

impl<T: Read + Write + Send> Socket for T {}

/// The length of a head, and what it says of the body.
pub(crate) struct Head {
    pub(crate) bytes: Vec<u8>,
    pub(crate) body: Body,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Body {
    Length(usize),
    Chunked,
}

impl Line {
    pub(crate) fn connect(address: SocketAddr) -> io::Result<Self> {
        let socket = TcpStream::connect_timeout(&address, Duration::from_secs(10))?;
        Self::new(socket)
    }

    pub(crate) fn new(socket: TcpStream) -> io::Result<Self> {
        socket.set_nodelay(true)?;
        Ok(Self {
            socket: Box::new(socket),
            buffer: Vec::new(),
        })
    }

    /// The server's end of a connection by TLS.
    pub(crate) fn secured(socket: TcpStream, config: Arc<ServerConfig>) -> io::Result<Self> {
        socket.set_nodelay(true)?;
        let connection = ServerConnection::new(config).map_err(io::Error::other)?;
        Ok(Self {
            socket: Box::new(StreamOwned::new(connection, socket)),
            buffer: Vec::new(),
        })
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.socket.write_all(bytes)
    }

    /// Waits until the other side has closed, or broken off.
    pub(crate) fn wait_for_end(&mut self) {
        while matches!(self.fill(), Ok(1..)) {
            self.buffer.clear();
        }
    }

    /// `None` when the other side closes before the first byte.
    pub(crate) fn head(&mut self) -> io::Result<Option<Head>> {
        loop {
            if let Some(end) = memchr::memmem::find(&self.buffer, b"\r\n\r\n") {
                let bytes: Vec<u8> = self.buffer.drain(..end + 4).collect();
                let body = body_of(&bytes);
                return Ok(Some(Head { bytes, body }));
            }
            if self.fill()? == 0 {
                return if self.buffer.is_empty() {
                    Ok(None)
                } else {
                    Err(io::ErrorKind::UnexpectedEof.into())
                };
            }
        }
    }

    /// Hands out a body piece by piece, framing included.
    pub(crate) fn body(&mut self, body: Body, mut take: impl FnMut(&[u8])) -> io::Result<()> {
        match body {
            Body::Length(mut left) => {
                while left > 0 {
                    if self.buffer.is_empty() && self.fill()? == 0 {
                        return Err(io::ErrorKind::UnexpectedEof.into());
                    }
                    let now = left.min(self.buffer.len());
                    take(&self.buffer[..now]);
                    self.buffer.drain(..now);
                    left -= now;
                }
                Ok(())
            }
            Body::Chunked => self.chunks(take),
        }
    }

    /// The last chunk is known by its bytes: no body of a benchmark holds them.
    fn chunks(&mut self, mut take: impl FnMut(&[u8])) -> io::Result<()> {
        const END: &[u8] = b"\r\n0\r\n\r\n";
        let mut tail: Vec<u8> = b"\r\n".to_vec();
        loop {
            if self.buffer.is_empty() && self.fill()? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            take(&self.buffer);
            let keep = self.buffer.len().saturating_sub(END.len());
            if keep > 0 {
                tail.clear();
            }
            tail.extend_from_slice(&self.buffer[keep..]);
            self.buffer.clear();
            let excess = tail.len().saturating_sub(END.len());
            tail.drain(..excess);
            if tail.ends_with(END) {
                return Ok(());
            }
        }
    }

    fn fill(&mut self) -> io::Result<usize> {
        let used = self.buffer.len();
        self.buffer.resize(used + 64 * 1024, 0);
        let read = self.socket.read(&mut self.buffer[used..]);
        self.buffer.truncate(used + *read.as_ref().unwrap_or(&0));
        read
    }
}

fn body_of(head: &[u8]) -> Body {
    let head = String::from_utf8_lossy(head).to_ascii_lowercase();
    if head.contains("transfer-encoding: chunked") {
        return Body::Chunked;
    }
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    Body::Length(
        length
            .and_then(|length| length.trim().parse().ok())
            .unwrap_or(0),
    )
}
