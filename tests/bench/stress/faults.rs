//! Faults of the upstream: each client gets an honest error, or a whole answer.

use std::io;
use std::net::SocketAddr;
use std::thread;

use super::{Answer, Findings, Stage, ask, chat, probed};

/// For each fault, half of them streams.
const CLIENTS: usize = 100;

/// An event has no end before 64 MiB; more clients would want more memory than some
/// machines have.
const ENDLESS: usize = 4;

pub(super) fn survived(findings: &mut Findings) -> io::Result<()> {
    let stage = Stage::set()?;
    let before = stage.proxy.used()?;
    for (what, kind, clients, is_error) in [
        ("closed before the head", "dropped", CLIENTS, true),
        ("closed amid the answer", "cut", CLIENTS, true),
        ("JSON that is none", "garbled", CLIENTS, true),
        ("what is not HTTP", "babble", CLIENTS, true),
        ("a head of 20 KiB", "long-head", CLIENTS, true),
        ("a line without end", "endless", ENDLESS, true),
        ("503, each time it is asked", "unavailable", CLIENTS, true),
        ("byte by byte", "slow", CLIENTS, false),
    ] {
        inject(&stage, findings, (what, kind), clients, is_error)?;
    }
    stage.add_rest(findings, "upstream", before)
}

fn inject(
    stage: &Stage,
    findings: &mut Findings,
    (what, kind): (&str, &str),
    clients: usize,
    is_error: bool,
) -> io::Result<()> {
    let model = format!("gemini-fault-{kind}");
    let (answers, probes) = probed(stage.proxy.address, || {
        Ok(asked_at_once(stage.proxy.address, &model, clients))
    })?;
    let is_right = if is_error { is_honest_error } else { is_whole };
    let good = answers.iter().filter(|answer| is_right(answer)).count();
    if let Some(bad) = answers.iter().find(|answer| !is_right(answer)) {
        eprintln!(
            "{what}: {} {}",
            bad.status,
            String::from_utf8_lossy(&bad.body)
        );
    }
    let what = format!("upstream: {what}");
    let outcome = if is_error {
        "honest errors"
    } else {
        "whole answers"
    };
    findings.all(format!("{what}: {outcome}"), good, clients);
    probes.add(findings, &what);
    stage.is_well()
}

fn asked_at_once(address: SocketAddr, model: &str, clients: usize) -> Vec<Answer> {
    thread::scope(|scope| {
        let clients: Vec<_> = (0..clients)
            .map(|nth| scope.spawn(move || ask(address, &chat(model, nth % 2 == 0))))
            .collect();
        let answers = clients.into_iter().map(|client| match client.join() {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => lost(&error.to_string()),
            Err(_) => lost("its thread panicked"),
        });
        answers.collect()
    })
}

fn lost(why: &str) -> Answer {
    Answer {
        status: 0,
        body: why.as_bytes().to_vec(),
    }
}

/// With a status of its own, or as the last event of a stream.
fn is_honest_error(answer: &Answer) -> bool {
    match answer.status {
        200 => answer.contains("data: {\"error\":{\"message\":") && !answer.contains("[DONE]"),
        status => status >= 500 && answer.is_envelope(),
    }
}

fn is_whole(answer: &Answer) -> bool {
    answer.status == 200
        && answer.contains("\"finish_reason\":\"stop\"")
        && answer.contains("[DONE]") == answer.contains("data: ")
}
