//! Requests that are wrong, made by rule: each is answered with a 4xx in OpenAI's
//! envelope, and the process lives.

use std::io::{self, Write};
use std::net::{Shutdown, SocketAddr};

use flate2::Compression;
use flate2::write::GzEncoder;

use super::{Answer, Findings, Stage, answer, connect, post};
use crate::wire::Line;

const CHAT: &str = "/v1/chat/completions";
const POSTS: [&str; 3] = [CHAT, "/v1/completions", "/v1/responses"];

const BODY: &str = r#"{"model":"gemini-bench-1-0","messages":[{"role":"user","content":"Hi"}]}"#;

/// The longest body unless `PROXY_MAX_BODY_MB` says otherwise.
const MAX_BODY: usize = 32 * 1024 * 1024;

/// What stands for each type of JSON's.
const NUMBER: &str = "1";
const FRACTION: &str = "1.5";
const STRING: &str = "\"x\"";
const BOOLEAN: &str = "true";
const ARRAY: &str = "[]";
const OBJECT: &str = "{}";

/// Fields, and what they are not.
const TYPES: [(&[&str], &[&str]); 7] = [
    (
        &["model", "reasoning_effort"],
        &[NUMBER, BOOLEAN, ARRAY, OBJECT],
    ),
    (
        &["messages", "tools", "functions", "modalities"],
        &[NUMBER, STRING, BOOLEAN, OBJECT],
    ),
    (
        &[
            "temperature",
            "top_p",
            "presence_penalty",
            "frequency_penalty",
        ],
        &[STRING, BOOLEAN, ARRAY, OBJECT],
    ),
    (
        &[
            "max_tokens",
            "max_completion_tokens",
            "top_k",
            "n",
            "seed",
            "top_logprobs",
        ],
        &[FRACTION, STRING, BOOLEAN, ARRAY, OBJECT],
    ),
    (
        &["stream", "parallel_tool_calls", "logprobs"],
        &[NUMBER, STRING, ARRAY, OBJECT],
    ),
    (&["stop"], &[NUMBER, BOOLEAN, OBJECT, "[1]", "[{}]"]),
    (
        &[
            "response_format",
            "stream_options",
            "extra_body",
            "reasoning",
            "thinking",
        ],
        &[NUMBER, STRING, BOOLEAN, ARRAY],
    ),
];

pub(super) fn refused(findings: &mut Findings) -> io::Result<()> {
    let stage = Stage::set()?;
    let before = stage.proxy.used()?;
    let proxy = stage.proxy.address;
    for (what, inputs) in [
        ("framing", framing()),
        ("JSON", json()),
        ("types", types()),
        ("values", values()),
        ("sizes", sizes()?),
        ("paths and methods", paths()),
        ("headers", headers()),
    ] {
        let good = inputs.iter().filter(|input| is_refused(proxy, input));
        let what = format!("bad inputs, {what}: a 4xx in the envelope");
        findings.all(what, good.count(), inputs.len());
        stage.is_well()?;
    }
    stage.add_rest(findings, "bad inputs", before)
}

/// Tells of the one that is not.
fn is_refused(proxy: SocketAddr, input: &[u8]) -> bool {
    let outcome = send(proxy, input);
    let is_refused = |answer: &Answer| (400..500).contains(&answer.status) && answer.is_envelope();
    if outcome.as_ref().is_ok_and(is_refused) {
        return true;
    }
    let shown = String::from_utf8_lossy(&input[..input.len().min(300)]).into_owned();
    eprintln!("{shown:?} came to {outcome:?}");
    false
}

/// All there is, and no more: what is cut short ends here.
fn send(proxy: SocketAddr, input: &[u8]) -> io::Result<Answer> {
    let mut client = connect(proxy)?;
    // What is too large may be refused before it is read.
    let _ = client.write_all(input);
    client.shutdown(Shutdown::Write)?;
    answer(&mut Line::new(client)?)
}

/// With this in place of the header that frames the body.
fn framed(headers: &str, body: &str) -> Vec<u8> {
    format!("POST {CHAT} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n\r\n{body}").into_bytes()
}

fn framing() -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    for length in [
        "-1", "+72", "abc", "7 2", "72, 72", "0x48", "7.2", "72;", "", "72,",
    ] {
        all.push(framed(&format!("Content-Length: {length}"), BODY));
    }
    for encoding in [
        "gzip",
        "identity",
        "gzip, chunked",
        "chunked, chunked",
        "chunked, gzip",
        "xchunked",
        "chunked;q=1",
        "\"chunked\"",
    ] {
        all.push(framed(
            &format!("Transfer-Encoding: {encoding}"),
            "0\r\n\r\n",
        ));
    }
    for both in [
        "Content-Length: 5\r\nContent-Length: 5",
        "Content-Length: 5\r\nContent-Length: 4",
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 5",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nConnection: Upgrade",
    ] {
        all.push(framed(both, "0\r\n\r\n"));
    }
    for chunk in [
        "zz\r\nHi\r\n0\r\n\r\n",
        "-2\r\nHi\r\n0\r\n\r\n",
        "2\r\nHiX\r\n0\r\n\r\n",
        "2 2\r\nHi\r\n0\r\n\r\n",
        "fffffffffffffffff\r\nHi\r\n0\r\n\r\n",
        "2\r\nHi",
        "2\r\n",
        "",
    ] {
        all.push(framed("Transfer-Encoding: chunked", chunk));
    }
    // Bodies that end before they should. tiny_http reads shorter ones with the head, and
    // hangs up by itself.
    for cut in [0, 1, 10, 71] {
        all.push(framed("Content-Length: 9000", &BODY[..cut]));
    }
    all
}

fn json() -> Vec<Vec<u8>> {
    let mut all: Vec<_> = (0..BODY.len())
        .map(|cut| post(CHAT, &BODY.as_bytes()[..cut]))
        .collect();
    let deep = "[".repeat(100_000);
    for text in [
        "[]",
        "1",
        "null",
        "true",
        "\"text\"",
        "{\"model\":}",
        "{'model':'m'}",
        "{\"model\":\"m\",}",
        "{\"model\":NaN}",
        "{}{}",
        "{} x",
        "// no\n{}",
        "{\"model\":\"a\nb\"}",
        "{\"model\":\"\\x\"}",
        "{\"model\":\"\\u12\"}",
        "{\"model\":01}",
        "\u{0}",
        "<html></html>",
        "model=m",
        &deep,
        &format!("{{\"model\":{deep}"),
    ] {
        all.extend(POSTS.map(|path| post(path, text.as_bytes())));
    }
    for bytes in [
        &b"\xff\xfe{\0}\0"[..],
        b"{\"model\":\"\xff\"}",
        b"\x1f\x8b\x08",
        b"{\"\xc3\":1}",
    ] {
        all.extend(POSTS.map(|path| post(path, bytes)));
    }
    all
}

/// A body for chat in which this field stands first. The last of two counts.
fn with(field: &str, value: &str) -> Vec<u8> {
    let rest: Vec<&str> = [
        r#""model":"gemini-bench-1-0""#,
        r#""messages":[{"role":"user","content":"Hi"}]"#,
    ]
    .into_iter()
    .filter(|known| !known.starts_with(&format!("\"{field}\"")))
    .collect();
    let body = format!("{{\"{field}\":{value},{}}}", rest.join(","));
    post(CHAT, body.as_bytes())
}

fn types() -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    for (fields, values) in TYPES {
        for field in fields {
            all.extend(values.iter().map(|value| with(field, value)));
        }
    }
    all
}

fn values() -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    for (field, values) in [
        ("model", &["\"\"", "null"][..]),
        ("n", &["0", "-1", "9", "1000000"]),
        ("max_tokens", &["0"]),
        ("max_completion_tokens", &["0"]),
        ("temperature", &["-1", "3", "1e999"]),
        ("top_p", &["-1", "2"]),
        (
            "messages",
            &[
                "[]",
                "null",
                "[1]",
                "[null]",
                "[\"Hi\"]",
                "[{}]",
                r#"[{"role":"nobody","content":"Hi"}]"#,
                r#"[{"role":"user","content":1}]"#,
                r#"[{"role":1,"content":"Hi"}]"#,
                r#"[{"role":"user","content":[{"type":"hologram"}]}]"#,
                r#"[{"role":"user","content":[{"type":"image_url"}]}]"#,
                r#"[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,!!"}}]}]"#,
                r#"[{"role":"user","content":[{"type":"image_url","image_url":{"url":"http://127.0.0.1/x.png"}}]}]"#,
                r#"[{"role":"user","content":[{"type":"image_url","image_url":{"url":"file:///etc/passwd"}}]}]"#,
                r#"[{"role":"user","content":[{"type":"file","file":{"file_id":"f"}}]}]"#,
            ],
        ),
        (
            "tools",
            &[
                "[1]",
                "[{}]",
                r#"[{"type":"function"}]"#,
                r#"[{"type":"function","function":{}}]"#,
                r#"[{"type":"function","function":{"name":1}}]"#,
                r#"[{"type":"function","function":{"name":"f","parameters":1}}]"#,
            ],
        ),
        (
            "response_format",
            &[r#"{"type":"poem"}"#, r#"{"type":"json_schema"}"#],
        ),
        ("reasoning_effort", &["\"enormous\""]),
    ] {
        all.extend(values.iter().map(|value| with(field, value)));
    }
    all
}

fn sizes() -> io::Result<Vec<Vec<u8>>> {
    let mut all = Vec::new();
    for length in [
        "33554433",
        "100000000",
        "134217728",
        "99999999999999999999999999",
    ] {
        all.push(framed(&format!("Content-Length: {length}"), ""));
        all.push(framed(
            &format!("Expect: 100-continue\r\nContent-Length: {length}"),
            "",
        ));
    }
    let text = "x".repeat(MAX_BODY + 1);
    all.push(post(CHAT, text.as_bytes()));
    let chunk = format!("{:x}\r\n{text}\r\n0\r\n\r\n", text.len());
    all.push(framed("Transfer-Encoding: chunked", &chunk));
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    gzip.write_all(text.as_bytes())?;
    all.push(compressed("gzip", &gzip.finish()?));
    Ok(all)
}

fn compressed(coding: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!(
        "POST {CHAT} HTTP/1.1\r\nHost: localhost\r\nContent-Encoding: {coding}\r\nContent-Length: {length}\r\n\r\n"
    );
    [head.as_bytes(), body].concat()
}

fn paths() -> Vec<Vec<u8>> {
    let request = |method: &str, path: &str| {
        format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{{}}")
            .into_bytes()
    };
    let mut all = Vec::new();
    for path in [
        "/nothing",
        "/v1",
        "/v1/",
        "/v2/models",
        "/v1/chat",
        "/v1/chat/completions/x",
        "/v1/messages",
        "/v1/embeddings",
        "/v1/images/generations",
        "/v1/audio/speech",
        "/v1/files",
        "/v1/batches",
        "/v1/moderations",
        "/v1/assistants",
        "/v1/threads",
        "/v1/../etc/passwd",
        "/%2e%2e/",
        "/%00",
        "/%",
        "/%zz",
        "/v1/models/%ff%fe/x",
        "/v1/responses/nobody",
        "*",
        "/health/x",
        "/metrics/x",
        "http://localhost/nothing",
    ] {
        all.push(request("GET", path));
        all.push(request("POST", path));
    }
    for method in ["PUT", "PATCH", "DELETE", "TRACE", "get", "FOO"] {
        for path in [
            CHAT,
            "/v1/completions",
            "/v1/responses",
            "/v1/models",
            "/health",
            "/metrics",
        ] {
            all.push(request(method, path));
        }
    }
    all.extend(POSTS.map(|path| request("GET", path)));
    all
}

fn headers() -> Vec<Vec<u8>> {
    let length = BODY.len();
    let with = |header: &str| framed(&format!("{header}\r\nContent-Length: {length}"), BODY);
    let mut all = Vec::new();
    // Of a value no control character but the tab, and no line's end.
    for byte in (0..0x20_u8)
        .filter(|byte| !b"\t\r".contains(byte))
        .chain([0x7f])
    {
        all.push(with(&format!("X-Header: a{}b", char::from(byte))));
    }
    for name in [
        "X(Y", "X/Y", "X\"Y", "X,Y", "X;Y", "X=Y", "X@Y", "X[Y", "X{Y", "X\u{1}Y",
    ] {
        all.push(with(&format!("{name}: value")));
    }
    for coding in ["br", "deflate", "zstd", "gzip, gzip", "gzip, br", "x"] {
        all.push(compressed(coding, BODY.as_bytes()));
    }
    all.push(compressed("gzip", BODY.as_bytes()));
    all.push(compressed("gzip", b"\x1f\x8b\x08\x00"));
    for host in [
        "evil.example",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "",
    ] {
        let headers = format!(
            "POST {CHAT} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {length}\r\n\r\n{BODY}"
        );
        all.push(headers.into_bytes());
    }
    for hosts in ["", "Host: localhost\r\nHost: localhost\r\n"] {
        let headers =
            format!("POST {CHAT} HTTP/1.1\r\n{hosts}Content-Length: {length}\r\n\r\n{BODY}");
        all.push(headers.into_bytes());
    }
    for origin in [
        "https://evil.example",
        "null",
        "http://localhost.evil.example",
    ] {
        all.push(with(&format!("Origin: {origin}")));
    }
    all
}
