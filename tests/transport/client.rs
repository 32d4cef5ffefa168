//! An HTTP client written out by hand, so that it can do wrong.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

/// Longer than anything takes; only a failure waits so long.
pub const PATIENCE: Duration = Duration::from_secs(20);

pub struct Client {
    connection: BufReader<TcpStream>,
}

#[derive(Debug)]
pub struct Response {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Client {
    pub fn connect(address: SocketAddr) -> Self {
        let connection = TcpStream::connect(address).unwrap();
        connection.set_nodelay(true).unwrap();
        connection.set_read_timeout(Some(PATIENCE)).unwrap();
        Self {
            connection: BufReader::new(connection),
        }
    }

    /// From this address, which another client may have had before.
    #[cfg(target_os = "linux")]
    pub fn connect_from(local: SocketAddr, address: SocketAddr) -> Self {
        use socket2::{Domain, Socket, Type};

        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.set_reuse_address(true).unwrap();
        socket.bind(&local.into()).unwrap();
        socket.connect(&address.into()).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Self {
            connection: BufReader::new(socket.into()),
        }
    }

    #[cfg(target_os = "linux")]
    pub fn local_addr(&self) -> SocketAddr {
        self.connection.get_ref().local_addr().unwrap()
    }

    pub fn send(&mut self, bytes: &str) {
        let connection = self.connection.get_mut();
        connection.write_all(bytes.as_bytes()).unwrap();
    }

    pub fn get(&mut self, target: &str) -> Response {
        self.send(&request("GET", target));
        self.response()
    }

    /// Head and body, in whatever framing.
    pub fn response(&mut self) -> Response {
        let mut response = self.head();
        if let Some(length) = response.header("Content-Length") {
            response.body = vec![0; length.parse().unwrap()];
            self.connection.read_exact(&mut response.body).unwrap();
        } else if response.header("Transfer-Encoding").is_some() {
            while let Some(chunk) = self.chunk() {
                response.body.extend(chunk);
            }
        }
        response
    }

    pub fn head(&mut self) -> Response {
        let status_line = self.line();
        let status = status_line.split(' ').nth(1).unwrap_or_default();
        let mut response = Response {
            status: status.parse().unwrap_or_else(|_| panic!("{status_line:?}")),
            headers: Vec::new(),
            body: Vec::new(),
        };
        loop {
            let line = self.line();
            let Some((name, value)) = line.split_once(": ") else {
                assert_eq!(line, "");
                return response;
            };
            response.headers.push((name.to_owned(), value.to_owned()));
        }
    }

    /// The next chunk of a body; `None` after the last.
    pub fn chunk(&mut self) -> Option<Vec<u8>> {
        let size = usize::from_str_radix(&self.line(), 16).unwrap();
        let mut chunk = vec![0; size];
        self.connection.read_exact(&mut chunk).unwrap();
        assert_eq!(self.line(), "");
        (size > 0).then_some(chunk)
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.connection.read_line(&mut line).unwrap();
        assert!(line.ends_with("\r\n"), "no whole line: {line:?}");
        line.truncate(line.len() - 2);
        line
    }

    /// Says that nothing more will be sent, and reads all that still comes.
    pub fn everything(mut self) -> String {
        let _ = self.connection.get_ref().shutdown(Shutdown::Write);
        self.rest()
    }

    /// Reads until the server closes, without closing first.
    pub fn rest(&mut self) -> String {
        let mut bytes = Vec::new();
        match self.connection.read_to_end(&mut bytes) {
            Err(error) if error.kind() != io::ErrorKind::ConnectionReset => panic!("{error}"),
            _ => String::from_utf8(bytes).unwrap(),
        }
    }

    /// Leaves the way a crashed client does.
    pub fn reset(self) {
        let connection = self.connection.into_inner();
        socket2::SockRef::from(&connection)
            .set_linger(Some(Duration::ZERO))
            .unwrap();
    }
}

impl Response {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(candidate, _)| candidate.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}

pub fn request(method: &str, target: &str) -> String {
    format!("{method} {target} HTTP/1.1\r\nHost: here\r\n\r\n")
}
