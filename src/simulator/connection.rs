//! One loopback connection: requests are read from it, answers played on it.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use super::gates::{Gates, PATIENCE};
use super::http::{Answer, Ending, Framing, Request, Step};

/// Google's front ends refuse longer heads, too, at about this size.
const MAX_HEAD_BYTES: usize = 64 * 1024;
const MAX_HEADERS: usize = 100;
/// Generous, so that a refusal of 20 MB can be told in Google's own words.
const MAX_BODY_BYTES: usize = 256 * 1024 * 1024;
const READ_PIECE: usize = 64 * 1024;
/// How long a connection may lie unused.
const IDLE_LIMIT: Duration = Duration::from_secs(300);

/// How an answer went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The connection may carry another request.
    Reusable,
    Closed,
    ClientLeft,
}

/// One accepted connection.
pub(super) struct Connection {
    number: u64,
    stream: TcpStream,
    /// Read, but not yet understood.
    unread: Vec<u8>,
}

impl Connection {
    pub(super) fn new(number: u64, stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(IDLE_LIMIT))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Self {
            number,
            stream,
            unread: Vec::new(),
        })
    }

    /// The next request, or `None` when the client has closed between two.
    pub(super) fn read_request(&mut self) -> io::Result<Option<Request>> {
        let (mut request, body) = loop {
            if let Some(parsed) = parse_head(&mut self.unread, self.number)? {
                break parsed;
            }
            if self.unread.len() > MAX_HEAD_BYTES {
                return Err(invalid("the head of the request is too long"));
            }
            if !self.fill()? {
                return if self.unread.is_empty() {
                    Ok(None)
                } else {
                    Err(ErrorKind::UnexpectedEof.into())
                };
            }
        };
        if request.header("expect").is_some() {
            self.stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        }
        request.body = match body {
            BodyLength::Known(length) => self.take(length)?,
            BodyLength::Chunked => self.read_chunks()?,
        };
        Ok(Some(request))
    }

    fn fill(&mut self) -> io::Result<bool> {
        let mut piece = [0; READ_PIECE];
        let count = self.stream.read(&mut piece)?;
        self.unread.extend_from_slice(&piece[..count]);
        Ok(count > 0)
    }

    fn take(&mut self, length: usize) -> io::Result<Vec<u8>> {
        if length > MAX_BODY_BYTES {
            return Err(invalid("the body of the request is too long"));
        }
        while self.unread.len() < length {
            if !self.fill()? {
                return Err(ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(self.unread.drain(..length).collect())
    }

    fn read_chunks(&mut self) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let size = self.read_chunk_size()?;
            if size == 0 {
                while self.take_line()? != b"\r\n" {}
                return Ok(body);
            }
            if size > MAX_BODY_BYTES - body.len() {
                return Err(invalid("the body of the request is too long"));
            }
            body.append(&mut self.take(size)?);
            self.take(2)?;
        }
    }

    fn read_chunk_size(&mut self) -> io::Result<usize> {
        let line = self.take_line()?;
        match httparse::parse_chunk_size(&line) {
            Ok(httparse::Status::Complete((_, size))) => {
                usize::try_from(size).map_err(|_| invalid("a chunk is too long"))
            }
            _ => Err(invalid("a chunk has no size")),
        }
    }

    fn take_line(&mut self) -> io::Result<Vec<u8>> {
        loop {
            if let Some(end) = memchr::memchr(b'\n', &self.unread) {
                return self.take(end + 1);
            }
            if self.unread.len() > MAX_HEAD_BYTES {
                return Err(invalid("a line of the request is too long"));
            }
            if !self.fill()? {
                return Err(ErrorKind::UnexpectedEof.into());
            }
        }
    }

    /// Plays an answer to `request`.
    pub(super) fn write_answer(
        &mut self,
        request: &Request,
        mut answer: Answer,
        gates: &Gates,
    ) -> Outcome {
        if !request.keep_alive && answer.ending == Ending::KeepAlive {
            answer.ending = Ending::Close;
        }
        match self.play(&answer, gates) {
            Ok(outcome) => outcome,
            Err(error) => {
                log::debug!("connection {}: {error}", self.number);
                Outcome::ClientLeft
            }
        }
    }

    fn play(&mut self, answer: &Answer, gates: &Gates) -> io::Result<Outcome> {
        if let Some(gate) = &answer.hold {
            gates.pass(gate, || self.client_left())?;
        }
        self.stream.write_all(&answer.head())?;
        for step in &answer.body {
            match step {
                Step::Send(piece) => self.send(answer.framing, piece)?,
                Step::Gate(gate) => gates.pass(gate, || self.client_left())?,
                Step::Pause(length) => gates.pause(*length, || self.client_left())?,
            }
        }
        self.end(answer, gates)
    }

    fn send(&mut self, framing: Framing, piece: &[u8]) -> io::Result<()> {
        let extension = match framing {
            Framing::ContentLength | Framing::UntilClose => return self.stream.write_all(piece),
            Framing::Chunked => "",
            Framing::ChunkedWithExtensions => ";kind=\"piece\"",
        };
        if piece.is_empty() {
            return Ok(()); // an empty chunk would end the body
        }
        let mut chunk = format!("{:x}{extension}\r\n", piece.len()).into_bytes();
        chunk.extend_from_slice(piece);
        chunk.extend_from_slice(b"\r\n");
        self.stream.write_all(&chunk)
    }

    fn end(&mut self, answer: &Answer, gates: &Gates) -> io::Result<Outcome> {
        if answer.is_complete() && answer.is_chunked() {
            self.stream.write_all(b"0\r\n\r\n")?;
        }
        match answer.ending {
            Ending::KeepAlive if answer.framing != Framing::UntilClose => {
                return Ok(Outcome::Reusable);
            }
            Ending::KeepAlive | Ending::Close | Ending::Truncate => {
                // A client who has it all may already be gone.
                let _ = self.stream.shutdown(Shutdown::Both);
            }
            Ending::Reset => {
                // With a linger time of zero, closing sends RST.
                socket2::SockRef::from(&self.stream).set_linger(Some(Duration::ZERO))?;
            }
            Ending::Stall => gates.pause(PATIENCE, || self.client_left())?,
        }
        Ok(Outcome::Closed)
    }

    /// Whether the client has closed its end. Looks, does not wait.
    fn client_left(&self) -> bool {
        if self.stream.set_nonblocking(true).is_err() {
            return true;
        }
        let seen = self.stream.peek(&mut [0]);
        let restored = self.stream.set_nonblocking(false);
        match seen {
            Ok(count) => count == 0 || restored.is_err(),
            Err(error) => error.kind() != ErrorKind::WouldBlock,
        }
    }
}

enum BodyLength {
    Known(usize),
    Chunked,
}

/// Takes a complete head off the front of `unread`, or leaves it alone.
fn parse_head(unread: &mut Vec<u8>, connection: u64) -> io::Result<Option<(Request, BodyLength)>> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut head = httparse::Request::new(&mut headers);
    let length = match head.parse(unread) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(error) => return Err(invalid(&error.to_string())),
    };
    let target = head.path.unwrap_or("/");
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut request = Request {
        method: head.method.unwrap_or_default().into(),
        path: path.into(),
        query: query.into(),
        headers: head
            .headers
            .iter()
            .map(|header| (header.name.into(), latin1(header.value)))
            .collect(),
        body: Vec::new(),
        connection,
        keep_alive: head.version == Some(1),
    };
    if request
        .header("connection")
        .is_some_and(|value| value.eq_ignore_ascii_case("close"))
    {
        request.keep_alive = false;
    }
    let body = body_length(&request)?;
    unread.drain(..length);
    Ok(Some((request, body)))
}

/// RFC 9112, section 6.3.
fn body_length(request: &Request) -> io::Result<BodyLength> {
    if request.header("transfer-encoding").is_some() {
        return Ok(BodyLength::Chunked);
    }
    match request.header("content-length") {
        None => Ok(BodyLength::Known(0)),
        Some(length) => length
            .parse()
            .map(BodyLength::Known)
            .map_err(|_| invalid("the content length is not a number")),
    }
}

fn latin1(bytes: &[u8]) -> String {
    bytes.iter().map(|&byte| char::from(byte)).collect()
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::net::TcpListener;
    use std::thread;

    use super::*;

    #[test]
    fn one_connection_carries_two_requests_and_both_ways_of_framing() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (accepted, _) = listener.accept().unwrap();

        let server = thread::spawn(move || {
            let gates = Gates::default();
            let mut connection = Connection::new(7, accepted).unwrap();
            let first = connection.read_request().unwrap().unwrap();
            let whole = Answer::whole(200, "text/plain", first.body.clone());
            assert_eq!(
                connection.write_answer(&first, whole, &gates),
                Outcome::Reusable
            );
            let second = connection.read_request().unwrap().unwrap();
            let mut pieces = Answer::whole(200, "text/plain", second.body.clone());
            pieces.framing = Framing::Chunked;
            pieces.ending = Ending::Close;
            assert_eq!(
                connection.write_answer(&second, pieces, &gates),
                Outcome::Closed
            );
            (first, second)
        });

        client
            .write_all(
                b"POST /a?b=c%20d HTTP/1.1\r\nX-One: 1\r\nContent-Length: 3\r\n\r\nabcPOST / HT",
            )
            .unwrap();
        client
            .write_all(
                b"TP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nde\r\n1;x=y\r\nf\r\n0\r\n\r\n",
            )
            .unwrap();
        let mut heard = String::new();
        client.read_to_string(&mut heard).unwrap();
        let (first, second) = server.join().unwrap();

        assert_eq!(first.parameter("b").unwrap(), "c d");
        assert_eq!(first.header("x-one"), Some("1"));
        assert_eq!(second.text(), "def");
        assert!(heard.contains("Content-Length: 3\r\n\r\nabcHTTP/1.1 200 OK"));
        assert!(heard.ends_with("\r\n\r\n3\r\ndef\r\n0\r\n\r\n"));
    }
}
