//! What a request may look like, and what none may smuggle.

#[cfg(target_os = "linux")]
use crate::client::Client;
use crate::client::request;
use crate::server::Server;

/// The request hidden in the body of another.
const SMUGGLED: &str = "GET /wait HTTP/1.1\r\nHost: here\r\n\r\n";

/// Header lines, without `Host`, of a POST that has to be refused.
const MALFORMED: &[&str] = &[
    "Content-Length: abc",
    "Content-Length: -5",
    "Content-Length: +5",
    "Content-Length: 5, 5",
    "Content-Length:",
    "Content-Length: 5\r\nContent-Length: 3",
    "Content-Length: 5\r\nContent-Length: 5",
    "Transfer-Encoding: identity",
    "Transfer-Encoding: identity\r\nContent-Length: 44",
    "Transfer-Encoding: gzip, chunked",
    "Transfer-Encoding: chunked, identity",
    "Transfer-Encoding:",
    "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
    "Transfer-Encoding: chunked\r\nContent-Length: 5",
    "Transfer-Encoding: chunked\r\nConnection: Upgrade",
    "Host: there",
    "X-Echo: a\nX-Injected: yes",
    "X-Echo: a\rb",
    "X-Echo: a\0b",
    "X Echo\0: a",
];

#[test]
fn a_malformed_request_is_refused_and_nothing_after_it_is_acted_upon() {
    let server = Server::start();
    for headers in MALFORMED {
        for body in ["0\r\n\r\n", "hello", ""] {
            let mut client = server.connect();
            client.send(&format!(
                "POST /echo HTTP/1.1\r\nHost: here\r\n{headers}\r\n\r\n{body}{SMUGGLED}{SMUGGLED}"
            ));
            let all = client.everything();
            assert!(all.starts_with("HTTP/1.1 400 "), "{headers:?}: {all}");
            // tiny_http itself says 400 to what does not look like a request.
            let refused = all.matches("HTTP/1.1 400 ").count();
            assert_eq!(
                all.matches("HTTP/1.").count(),
                refused,
                "{headers:?}: {all}"
            );
        }
    }
    assert!(server.nothing_begun());
}

#[test]
fn requests_hidden_behind_a_malformed_one_get_no_answer_at_all() {
    let server = Server::start();
    let mut client = server.connect();
    let head = "POST /echo HTTP/1.1\r\nHost: here\r\nContent-Length: abc\r\n\r\n";
    client.send(&format!("{head}{SMUGGLED}"));
    let response = client.response();
    assert_eq!(response.status, 400);
    assert_eq!(response.header("Connection"), Some("close"));
    client.send(SMUGGLED);
    assert_eq!(client.everything(), "");
    assert!(server.nothing_begun());
}

#[test]
fn a_request_must_name_its_host() {
    let server = Server::start();
    let mut client = server.connect();
    client.send("GET /echo HTTP/1.1\r\n\r\n");
    let response = client.response();
    assert_eq!(response.status, 400);
    assert_eq!(response.header("Connection"), Some("close"));
}

#[test]
fn control_characters_in_the_request_line_are_refused() {
    let server = Server::start();
    for line in ["GET /a\nb", "GET /a\0b", "G\nET /a"] {
        let mut client = server.connect();
        client.send(&format!("{line} HTTP/1.1\r\nHost: here\r\n\r\n"));
        assert_eq!(client.response().status, 400, "{line:?}");
    }
}

#[test]
fn a_malformed_chunk_is_refused() {
    let server = Server::start();
    for body in ["zz\r\nhello\r\n", "5\r\nhelloXX", "0\r\nTrailer: x\r\n\r\n"] {
        let mut client = server.connect();
        client.send(&format!(
            "POST /echo HTTP/1.1\r\nHost: here\r\nTransfer-Encoding: chunked\r\n\r\n{body}{SMUGGLED}"
        ));
        let all = client.everything();
        assert!(all.starts_with("HTTP/1.1 400 "), "{body:?}: {all}");
    }
    assert!(server.nothing_begun());
}

#[test]
fn bodies_arrive_whole_in_either_framing() {
    let server = Server::start();
    let mut client = server.connect();
    for length in [0, 5, 1024, 1025, 100_000] {
        let body = "b".repeat(length);
        let head = "POST /echo?q=1 HTTP/1.1\r\nHost: here\r\n";
        client.send(&format!("{head}Content-Length: {length}\r\n\r\n{body}"));
        assert_eq!(client.response().text(), format!("POST /echo q=1 {body}"));
        let chunks = format!("{:x};note=1\r\n{body}y\r\n0\r\n\r\n", length + 1);
        client.send(&format!("{head}Transfer-Encoding: Chunked\r\n\r\n{chunks}"));
        assert_eq!(client.response().text(), format!("POST /echo q=1 {body}y"));
    }
}

#[test]
fn a_body_is_read_to_its_length_though_an_upgrade_is_asked_for() {
    let server = Server::start();
    let mut client = server.connect();
    client.send(
        "POST /echo HTTP/1.1\r\nHost: here\r\nConnection: Upgrade, HTTP2-Settings\r\n\
         Upgrade: h2c\r\nContent-Length: 5\r\n\r\nhello",
    );
    let response = client.response();
    assert_eq!(response.text(), "POST /echo - hello");
    assert_eq!(response.header("Connection"), Some("close"));
    assert_eq!(client.rest(), "");
}

#[test]
fn a_client_that_expects_100_continue_gets_it() {
    let server = Server::start();
    let mut client = server.connect();
    for length in [5, 5000] {
        client.send(&format!(
            "POST /echo HTTP/1.1\r\nHost: here\r\nExpect: 100-continue\r\n\
             Content-Length: {length}\r\n\r\n"
        ));
        assert_eq!(client.head().status, 100);
        client.send(&"b".repeat(length));
        assert_eq!(client.response().body.len(), length + "POST /echo - ".len());
    }
}

#[test]
fn an_absolute_target_is_reduced_to_its_path() {
    let server = Server::start();
    let mut client = server.connect();
    for (target, seen) in [
        ("http://here/echo?a=b", "/echo a=b"),
        ("HTTP://here:80", "/ -"),
        ("http://here?a", "/ a"),
        ("/echo?u=http://there/x", "/echo u=http://there/x"),
        ("//there/echo", "//there/echo -"),
        ("/a%20b", "/a%20b -"),
    ] {
        assert_eq!(
            client.get(target).text(),
            format!("GET {seen} "),
            "{target}"
        );
    }
}

#[test]
fn methods_keep_their_case() {
    let server = Server::start();
    let mut client = server.connect();
    client.send(&request("get", "/echo"));
    assert_eq!(client.response().text(), "get /echo - ");
}

/// The client's system may give a port again as soon as its connection is gone.
#[cfg(target_os = "linux")]
#[test]
fn who_comes_later_from_the_address_of_one_who_was_refused_is_served() {
    let server = Server::start();
    // Where no other test takes the port.
    let mut refused = Client::connect_from(([127, 0, 0, 2], 0).into(), server.address);
    let address = refused.local_addr();
    refused.send("POST /echo HTTP/1.1\r\nHost: here\r\nContent-Length: abc\r\n\r\n");
    assert_eq!(refused.response().status, 400);
    refused.reset();
    let mut later = Client::connect_from(address, server.address);
    assert_eq!(later.get("/echo").status, 200);
    assert!(server.nothing_begun());
}
