//! An HTTP/1.1 client of its own, so that no fault of the program's client can
//! hide here: requests to the byte, answers to the byte, events as they come.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;

/// Longer than anything takes; only a failure waits so long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(25);

pub(crate) struct Client {
    connection: BufReader<TcpStream>,
    host: String,
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

/// An answer in events, read one by one.
pub(crate) struct Events {
    client: Client,
    pub(crate) head: Answer,
    unread: String,
    is_over: bool,
}

impl Client {
    /// `host` is `name:port`.
    pub(crate) fn connect(host: &str) -> Self {
        let connection = TcpStream::connect(host).unwrap();
        connection.set_nodelay(true).unwrap();
        connection.set_read_timeout(Some(PATIENCE)).unwrap();
        Self {
            connection: BufReader::new(connection),
            host: host.to_owned(),
        }
    }

    pub(crate) fn send(
        &mut self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) {
        let mut head = format!("{method} {target} HTTP/1.1\r\n");
        let is_given = |name: &str| headers.iter().any(|(given, _)| *given == name);
        if !is_given("Host") {
            head.push_str(&format!("Host: {}\r\n", self.host));
        }
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if method == "POST" && !is_given("Content-Length") && !is_given("Transfer-Encoding") {
            head.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        head.push_str("\r\n");
        let connection = self.connection.get_mut();
        connection.write_all(head.as_bytes()).unwrap();
        connection.write_all(body).unwrap();
    }

    /// Leaves the way a crashed client does.
    #[cfg(target_os = "linux")]
    pub(crate) fn reset(self) {
        let connection = self.connection.into_inner();
        let socket = socket2::SockRef::from(&connection);
        socket.set_linger(Some(Duration::ZERO)).unwrap();
    }

    /// Head and body, in whatever framing.
    pub(crate) fn answer(&mut self) -> Answer {
        let mut answer = self.head();
        if let Some(length) = answer.header("Content-Length") {
            answer.body = vec![0; length.parse().unwrap()];
            self.connection.read_exact(&mut answer.body).unwrap();
        } else if answer.header("Transfer-Encoding").is_some() {
            while let Some(chunk) = self.chunk() {
                answer.body.extend(chunk);
            }
        }
        answer
    }

    fn head(&mut self) -> Answer {
        loop {
            let head = self.any_head();
            // `100 Continue` is not the answer yet.
            if head.status >= 200 {
                return head;
            }
        }
    }

    fn any_head(&mut self) -> Answer {
        let status_line = self.line();
        let status = status_line.split(' ').nth(1).unwrap_or_default();
        let mut answer = Answer {
            status: status.parse().unwrap_or_else(|_| panic!("{status_line:?}")),
            headers: Vec::new(),
            body: Vec::new(),
        };
        loop {
            let line = self.line();
            let Some((name, value)) = line.split_once(": ") else {
                assert_eq!(line, "");
                return answer;
            };
            answer.headers.push((name.to_owned(), value.to_owned()));
        }
    }

    /// The next chunk of a body; `None` after the last.
    fn chunk(&mut self) -> Option<Vec<u8>> {
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
}

/// Asks once, on a connection of its own.
pub(crate) fn ask(
    host: &str,
    method: &str,
    target: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Answer {
    let mut client = Client::connect(host);
    client.send(method, target, headers, body);
    client.answer()
}

/// Opens an `http://host:port/…` address, as a browser would.
pub(crate) fn open(url: &str) -> Answer {
    open_with(url, &[])
}

/// The same, with headers of its own.
pub(crate) fn open_with(url: &str, headers: &[(&str, &str)]) -> Answer {
    let rest = url
        .strip_prefix("http://")
        .unwrap_or_else(|| panic!("{url}"));
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    ask(host, "GET", &format!("/{path}"), headers, b"")
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(candidate, _)| candidate.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {} {:?}", self.status, self.text()))
    }

    /// The JSON of a success.
    #[track_caller]
    pub(crate) fn success(&self) -> Value {
        assert_eq!(self.status, 200, "{}", self.text());
        assert_eq!(self.header("content-type"), Some("application/json"));
        self.json()
    }

    /// The `error` of a failure in OpenAI's envelope, complete and nothing beside it.
    #[track_caller]
    pub(crate) fn error(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text());
        assert_eq!(self.header("content-type"), Some("application/json"));
        error_in(&self.json())
    }

    /// The text of an HTML page, without its markup.
    #[track_caller]
    pub(crate) fn page(&self, status: u16) -> String {
        assert_eq!(self.status, status, "{}", self.text());
        assert_eq!(
            self.header("content-type"),
            Some("text/html; charset=utf-8")
        );
        let body = self.text().split("<main>").nth(1).unwrap();
        let pieces = body.split('<').map(|piece| match piece.split_once('>') {
            Some((_, text)) => text,
            None => piece,
        });
        pieces.collect::<String>().replace("&quot;", "\"")
    }
}

/// The `error` in an envelope: all four keys, of the right types, and no others.
#[track_caller]
pub(crate) fn error_in(envelope: &Value) -> Value {
    let keys = |value: &Value| -> Vec<String> {
        value
            .as_object()
            .map(|object| object.keys().cloned().collect())
            .unwrap_or_default()
    };
    assert_eq!(keys(envelope), ["error"], "{envelope}");
    let error = &envelope["error"];
    assert_eq!(
        keys(error),
        ["message", "type", "param", "code"],
        "{envelope}"
    );
    assert!(
        error["message"]
            .as_str()
            .is_some_and(|text| !text.is_empty())
    );
    for key in ["param", "code"] {
        assert!(error[key].is_string() || error[key].is_null(), "{envelope}");
    }
    error.clone()
}

impl Events {
    /// Reads the head of the answer to a request that has been sent.
    pub(crate) fn of(mut client: Client) -> Self {
        let head = client.head();
        Self {
            client,
            head,
            unread: String::new(),
            is_over: false,
        }
    }

    /// The next event, without its blank line; `None` at the end.
    pub(crate) fn next(&mut self) -> Option<String> {
        loop {
            if let Some((event, rest)) = self.unread.split_once("\n\n") {
                let event = event.to_owned();
                self.unread = rest.to_owned();
                return Some(event);
            }
            if self.is_over {
                assert_eq!(self.unread, "", "an event without its end");
                return None;
            }
            match self.client.chunk() {
                Some(chunk) => self.unread.push_str(std::str::from_utf8(&chunk).unwrap()),
                None => self.is_over = true,
            }
        }
    }

    /// The JSON of the next event.
    #[track_caller]
    pub(crate) fn next_json(&mut self) -> Value {
        let event = self.next().expect("the stream is over");
        let data = event
            .strip_prefix("data: ")
            .unwrap_or_else(|| panic!("{event}"));
        serde_json::from_str(data).unwrap_or_else(|_| panic!("{data}"))
    }

    /// The connection, to be left.
    #[cfg(target_os = "linux")]
    pub(crate) fn into_client(self) -> Client {
        self.client
    }

    /// All events that are still to come.
    pub(crate) fn rest(mut self) -> Vec<String> {
        std::iter::from_fn(|| self.next()).collect()
    }
}

/// The JSON of events, `[DONE]` aside.
pub(crate) fn chunks(events: &[String]) -> Vec<Value> {
    let data = events
        .iter()
        .map(|event| event.strip_prefix("data: ").unwrap());
    data.filter(|data| *data != "[DONE]")
        .map(|data| serde_json::from_str(data).unwrap())
        .collect()
}

/// The text that events spell, of the first choice.
pub(crate) fn text_of(events: &[String]) -> String {
    let chunks = chunks(events);
    let texts = chunks
        .iter()
        .filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str());
    texts.collect()
}
