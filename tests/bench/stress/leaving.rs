//! How long until the upstream is rid of clients who have left.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use super::{Findings, PATIENCE, Stage, chat, connect};
use crate::load;
use crate::upstream::now;

const CLIENTS: usize = 200;

pub(super) fn noticed(findings: &mut Findings) -> io::Result<()> {
    let stage = Stage::set()?;
    let before = stage.proxy.used()?;
    for (what, model, streams) in [
        ("before the first byte", "gemini-fault-held", true),
        ("mid-stream, in a silence", "gemini-fault-silent", true),
        (
            "mid-stream, an event every 20 ms",
            "gemini-bench-100000-20000",
            true,
        ),
        ("waiting for a whole answer", "gemini-fault-held", false),
    ] {
        leave(&stage, findings, what, &chat(model, streams))?;
    }
    stage.add_rest(findings, "leaving", before)
}

/// Each second one closes, and each other one resets.
fn leave(stage: &Stage, findings: &mut Findings, what: &str, request: &[u8]) -> io::Result<()> {
    let clients: Vec<TcpStream> = (0..CLIENTS)
        .map(|_| {
            let mut client = connect(stage.proxy.address)?;
            io::Write::write_all(&mut client, request)?;
            Ok(client)
        })
        .collect::<io::Result<_>>()?;
    wait_until_asked(stage.upstream.address)?;
    for client in clients.iter().step_by(2) {
        socket2::SockRef::from(client).set_linger(Some(Duration::ZERO))?;
    }
    let begun = now();
    drop(clients);
    let times = times(stage.upstream.address, begun)?;
    let at = |share: f64| crate::at(&times, share) as f64 / 1000.0;
    findings.add(
        format!("{CLIENTS} clients leave {what}: the upstream is rid of them, s (p50, max)"),
        format!("{} ({:.2}, {:.2})", times.len(), at(0.5), at(1.0)),
        "all",
        times.len() == CLIENTS,
    );
    stage.is_well()
}

/// The upstream has all questions: from then on nothing changes but by leaving.
fn wait_until_asked(upstream: SocketAddr) -> io::Result<()> {
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        let count = load::read(upstream, "/answering")?;
        if count.parse::<usize>().is_ok_and(|count| count >= CLIENTS) {
            // What has been said so far may be on its way.
            thread::sleep(Duration::from_millis(500));
            return Ok(());
        }
        thread::sleep(Duration::from_millis(20));
    }
    Err(io::Error::other("the upstream was not asked by everyone"))
}

/// After how many milliseconds each was missed, sorted.
fn times(upstream: SocketAddr, begun: u128) -> io::Result<Vec<u64>> {
    let waited = Instant::now();
    loop {
        let left = load::read(upstream, "/left")?;
        let times = left.split(' ').filter_map(|time| time.parse::<u128>().ok());
        let mut times: Vec<u64> = times
            .filter(|time| *time >= begun)
            .map(|time| (time.saturating_sub(begun) / 1_000_000) as u64)
            .collect();
        if times.len() >= CLIENTS || waited.elapsed() > PATIENCE {
            times.sort_unstable();
            return Ok(times);
        }
        thread::sleep(Duration::from_millis(100));
    }
}
