//! Clients who misbehave by the hundred, while another one must be served.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::Duration;

use super::{Findings, Stage, answer, chat, connect, probed};
use crate::wire::Line;

const HEALTH: &str = "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// What one crowd does.
type Crowd = fn(SocketAddr) -> io::Result<()>;

pub(super) fn endured(findings: &mut Findings) -> io::Result<()> {
    let crowds: [(&str, Crowd); 7] = [
        ("1000 clients reset at once", |proxy| {
            each(1000, proxy, |client, _| reset(client))
        }),
        ("1000 reset with an answer on its way", |proxy| {
            each(1000, proxy, |mut client, _| {
                client.write_all(HEALTH.as_bytes())?;
                reset(client)
            })
        }),
        ("500 close or reset amid a stream", leave_streams),
        ("500 send half a head, stay, and leave", half_heads),
        ("500 send half a body, and leave", half_bodies),
        (
            "200 pipeline 50 requests each, and read all answers",
            pipeline,
        ),
        ("50 pipeline 1000 requests each, and read none", flood),
    ];
    let stage = Stage::set()?;
    let before = stage.proxy.used()?;
    let proxy = stage.proxy.address;
    for (what, crowd) in crowds {
        let (outcome, probes) = probed(proxy, || Ok(crowd(proxy)))?;
        if let Err(error) = outcome {
            findings.add(what, error.to_string(), "answered", false);
        }
        probes.add(findings, what);
        stage.is_well()?;
    }
    stage.add_rest(findings, "clients", before)
}

fn each(
    count: usize,
    proxy: SocketAddr,
    act: impl Fn(TcpStream, usize) -> io::Result<()>,
) -> io::Result<()> {
    (0..count).try_for_each(|nth| act(connect(proxy)?, nth))
}

fn reset(client: TcpStream) -> io::Result<()> {
    socket2::SockRef::from(&client).set_linger(Some(Duration::ZERO))
}

fn leave_streams(proxy: SocketAddr) -> io::Result<()> {
    let request = chat("gemini-bench-100000-20000", true);
    each(500, proxy, |mut client, nth| {
        client.write_all(&request)?;
        client.read_exact(&mut [0])?;
        if nth % 2 == 0 {
            return reset(client);
        }
        Ok(())
    })
}

fn half_heads(proxy: SocketAddr) -> io::Result<()> {
    let half = &HEALTH.as_bytes()[..HEALTH.len() - 2];
    let clients: Vec<TcpStream> = (0..500)
        .map(|_| {
            let mut client = connect(proxy)?;
            client.write_all(half)?;
            Ok(client)
        })
        .collect::<io::Result<_>>()?;
    thread::sleep(Duration::from_secs(2));
    drop(clients);
    Ok(())
}

fn half_bodies(proxy: SocketAddr) -> io::Result<()> {
    let request = chat("gemini-bench-1-0", false);
    let head = String::from_utf8_lossy(&request).replace("Content-Length: ", "Content-Length: 9");
    each(500, proxy, |mut client, nth| {
        client.write_all(head.as_bytes())?;
        if nth % 2 == 0 {
            return reset(client);
        }
        Ok(())
    })
}

fn pipeline(proxy: SocketAddr) -> io::Result<()> {
    const EACH: usize = 50;
    each(200, proxy, |client, _| {
        let mut line = Line::new(client)?;
        line.send(HEALTH.repeat(EACH).as_bytes())?;
        for nth in 0..EACH {
            let status = answer(&mut line)?.status;
            if status != 200 {
                return Err(io::Error::other(format!("answer {nth}: {status}")));
            }
        }
        Ok(())
    })
}

/// What is written may be refused halfway: nothing is owed to these.
fn flood(proxy: SocketAddr) -> io::Result<()> {
    let requests = HEALTH.repeat(1000);
    each(50, proxy, |mut client, nth| {
        drop(client.write_all(requests.as_bytes()));
        if nth % 2 == 0 {
            return reset(client);
        }
        Ok(())
    })
}
