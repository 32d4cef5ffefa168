//! Bursts, reuse and resets.

use std::net::SocketAddr;
use std::sync::{Arc, Barrier};
use std::thread;

use crate::client::{Client, request};
use crate::server::{LARGE, Server, Step};

/// Runs `work` on so many threads at once, each with a fresh connection.
fn at_once<T: Send + 'static>(
    address: SocketAddr,
    count: usize,
    work: impl Fn(&mut Client) -> T + Send + Copy + 'static,
) -> Vec<(Client, T)> {
    let barrier = Arc::new(Barrier::new(count));
    let threads: Vec<_> = (0..count)
        .map(|_| {
            let barrier = Arc::clone(&barrier);
            let body = move || {
                barrier.wait();
                let mut client = Client::connect(address);
                let result = work(&mut client);
                (client, result)
            };
            thread::Builder::new()
                .name("client".to_owned())
                .spawn(body)
                .unwrap()
        })
        .collect();
    threads
        .into_iter()
        .map(|thread| thread.join().unwrap())
        .collect()
}

#[test]
fn bursts_of_any_size_on_fresh_servers_are_all_answered() {
    for count in [8, 32, 128, 512] {
        let server = Server::start();
        let answers = at_once(server.address, count, |client| client.get("/echo").status);
        assert!(answers.iter().all(|(_, status)| *status == 200), "{count}");
    }
}

#[test]
fn sixty_four_parallel_streams_all_start_on_a_fresh_server() {
    let server = Server::start();
    let mut clients: Vec<Client> = (0..64).map(|_| server.connect()).collect();
    for client in &mut clients {
        client.send(&request("GET", "/stream"));
    }
    let controls: Vec<_> = (0..64).map(|_| server.next()).collect();
    for control in &controls {
        control.step(Step::Send("first"));
    }
    for client in &mut clients {
        assert_eq!(client.head().status, 200);
        assert_eq!(client.chunk().unwrap(), b"first");
    }
    drop(controls);
    for client in &mut clients {
        assert_eq!(client.chunk(), None);
    }
}

#[test]
fn sixty_four_streams_asked_for_by_as_many_threads_all_start() {
    let server = Server::start();
    let heads = thread::scope(|scope| {
        let address = server.address;
        let heads = scope.spawn(move || {
            at_once(address, 64, |client| {
                client.send(&request("GET", "/stream"));
                let status = client.head().status;
                (status, client.chunk().unwrap())
            })
        });
        let controls: Vec<_> = (0..64).map(|_| server.next()).collect();
        for control in &controls {
            control.step(Step::Send("first"));
        }
        heads.join().unwrap()
    });
    assert!(
        heads
            .iter()
            .all(|(_, head)| *head == (200, b"first".to_vec()))
    );
}

#[test]
fn a_connection_is_used_again() {
    let server = Server::start();
    let mut client = server.connect();
    for turn in 0..100 {
        let response = client.get(&format!("/echo?{turn}"));
        assert_eq!(response.text(), format!("GET /echo {turn} "));
        assert_eq!(response.header("Connection"), None);
        assert!(response.header("Date").is_some());
    }
}

#[test]
fn a_long_reply_arrives_whole() {
    let server = Server::start();
    let mut client = server.connect();
    for _ in 0..3 {
        assert_eq!(client.get("/large").body.len(), LARGE);
    }
}

#[test]
fn clients_who_connect_and_stay_silent_block_nobody() {
    let server = Server::start();
    let mut silent: Vec<Client> = (0..40).map(|_| server.connect()).collect();
    assert_eq!(server.connect().get("/echo").status, 200);
    for client in silent.iter_mut().rev() {
        assert_eq!(client.get("/echo").status, 200);
    }
}

#[test]
fn a_storm_of_resets_is_survived() {
    let server = Server::start();
    for turn in 0..300 {
        let mut client = server.connect();
        match turn % 3 {
            0 => {}
            1 => client.send("GET /ec"),
            _ => client.send(&request("GET", "/large")),
        }
        client.reset();
    }
    let answers = at_once(server.address, 16, |client| client.get("/echo").status);
    assert!(answers.iter().all(|(_, status)| *status == 200));
}

#[test]
fn a_panic_costs_its_request_only() {
    let server = Server::start();
    let mut other = server.connect();
    other.send(&request("GET", "/stream"));
    let control = server.next();
    let mut client = server.connect();
    for _ in 0..5 {
        assert_eq!(client.get("/panic").status, 500);
        assert_eq!(client.get("/echo").status, 200);
    }
    control.step(Step::Send("still here"));
    assert_eq!(other.head().status, 200);
    assert_eq!(other.chunk().unwrap(), b"still here");
}
