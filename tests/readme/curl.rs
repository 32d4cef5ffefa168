//! What a curl command asks for, as far as the examples use curl.

use gemini_proxy::config::Outbound;
use gemini_proxy::http::{self, Http};

const MAX_ANSWER_BYTES: usize = 1024 * 1024;

#[derive(Default)]
pub struct Request {
    pub url: String,
    headers: Vec<(String, String)>,
    /// Absent: a GET. Present: a POST.
    body: Option<String>,
}

pub fn request(command: &str) -> Request {
    let mut request = Request::default();
    let mut words = words(command).into_iter().skip(1);
    while let Some(word) = words.next() {
        match word.as_str() {
            "-N" => {}
            "-X" => {
                assert_eq!(words.next().as_deref(), Some("POST"));
                request.body.get_or_insert_default();
            }
            "-H" => {
                let header = words.next().unwrap();
                let (name, value) = header.split_once(": ").unwrap();
                request.headers.push((name.to_owned(), value.to_owned()));
            }
            "-d" => request.body = words.next(),
            address if address.starts_with("http://") => request.url = word,
            other => panic!("what does curl do with `{other}`?"),
        }
    }
    request
}

/// Sends what curl would, and returns the body of the answer.
pub fn ask(command: &str) -> String {
    let request = request(command);
    let headers = request.headers.iter();
    let headers: Vec<_> = headers.map(|(name, value)| (&**name, &**value)).collect();
    let http = Http::new(&Outbound::default()).unwrap();
    let response = http.send(http::Request {
        url: &request.url,
        headers: &headers,
        body: request.body.as_deref().map(str::as_bytes),
    });
    let response = response.unwrap();
    assert_eq!(response.status(), 200, "{command}");
    String::from_utf8(response.bytes(MAX_ANSWER_BYTES).unwrap()).unwrap()
}

/// Words as a shell reads them: single quotes, and lines that go on.
pub fn words(command: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (nth, piece) in command.replace("\\\n", " ").split('\'').enumerate() {
        if nth % 2 == 1 {
            words.push(piece.to_owned());
        } else {
            words.extend(piece.split_whitespace().map(str::to_owned));
        }
    }
    words
}
