//! A stand-in for Google in unit tests: one thread that gives the answers it
//! was told, in order, and remembers what it was asked.

#![allow(clippy::unwrap_used)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;

use crate::config::{Config, Endpoints, OauthClient, Origins, Outbound, UpstreamKind};
use crate::http::Http;

/// What to say to the next request.
pub(crate) struct Answer {
    status: u16,
    body: String,
    /// Says nothing before this speaks, or its other end is dropped.
    gate: Option<Receiver<()>>,
}

impl Answer {
    pub(crate) fn json(status: u16, body: impl Into<String>) -> Self {
        Self {
            status,
            body: body.into(),
            gate: None,
        }
    }

    /// Waits for the test to let go.
    pub(crate) fn held(self) -> (Self, Sender<()>) {
        let (release, gate) = channel();
        let answer = Self {
            gate: Some(gate),
            ..self
        };
        (answer, release)
    }
}

pub(crate) struct FakeGoogle {
    address: String,
    requests: Arc<Mutex<Vec<String>>>,
    arrivals: Mutex<Receiver<()>>,
}

impl FakeGoogle {
    /// Answers in this order; whatever else is asked gets a 500.
    pub(crate) fn start(answers: Vec<Answer>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (arrived, arrivals) = channel();
        let log = Arc::clone(&requests);
        thread::spawn(move || {
            let mut answers = answers.into_iter();
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                log.lock().unwrap().push(read_request(&stream));
                let _ = arrived.send(());
                let unscripted = Answer::json(500, "{}");
                answer(&mut stream, answers.next().unwrap_or(unscripted));
            }
        });
        Self {
            address,
            requests,
            arrivals: Mutex::new(arrivals),
        }
    }

    /// Request line, headers and body of each request so far.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }

    /// Until one more request is here.
    pub(crate) fn wait_for_request(&self) {
        self.arrivals.lock().unwrap().recv().unwrap();
    }

    pub(crate) fn http(&self) -> Http {
        Http::new(&Outbound::default()).unwrap()
    }

    pub(crate) fn config(&self) -> Config {
        Config {
            tolerate_missing_finish: false,
            shutdown_timeout: std::time::Duration::ZERO,
            max_body_bytes: 1 << 20,
            max_requests: 16,
            host: "127.0.0.1".into(),
            port: 0,
            api_keys: vec![],
            cors_origins: Origins::Listed(vec![]),
            allowed_hosts: vec![],
            upstream: UpstreamKind::CodeAssist,
            search_with_tools: false,
            gemini_api_key: None,
            project: None,
            token_store: PathBuf::from("/nonexistent/tokens.json"),
            user_agent: None,
            endpoints: Endpoints::at(&self.address),
            oauth_client: OauthClient::gemini_cli(),
            outbound: Outbound::default(),
            is_demo: false,
        }
    }
}

fn read_request(stream: &TcpStream) -> String {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        head.push_str(&line);
        if line.trim().is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    head + &String::from_utf8(body).unwrap()
}

fn answer(stream: &mut TcpStream, answer: Answer) {
    if let Some(gate) = answer.gate {
        let _ = gate.recv();
    }
    let head = format!(
        "HTTP/1.1 {} X\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        answer.status,
        answer.body.len()
    );
    // Whoever asked may have left.
    let _ = stream.write_all((head + &answer.body).as_bytes());
}
