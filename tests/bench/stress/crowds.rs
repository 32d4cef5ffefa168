//! Many at once, and many one after another.

use std::io;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Resource, getrlimit};

use super::{Findings, Stage};
use crate::load::{self, Ask, Words};
use crate::process::Used;

/// Descriptors of the proxy's for each stream, and what it keeps beside them.
const DESCRIPTORS_EACH: u64 = 3;
const DESCRIPTORS_KEPT: u64 = 400;

/// How long the events of a stream go on.
const LASTS: Duration = Duration::from_secs(4);

/// How much memory may grow in a long day, in KiB.
const GROWTH: u64 = 8 * 1024;

/// Streams that are held at the same time.
pub(super) fn held(findings: &mut Findings) -> io::Result<()> {
    for (count, pause) in [(1000, 20), (5000, 100), (5000, 20)] {
        hold(findings, within_limits(count), pause)?;
    }
    Ok(())
}

fn within_limits(count: usize) -> usize {
    let descriptors = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let most = descriptors.saturating_sub(DESCRIPTORS_KEPT) / DESCRIPTORS_EACH;
    count.min(usize::try_from(most).unwrap_or(count))
}

fn hold(findings: &mut Findings, count: usize, pause: u64) -> io::Result<()> {
    let stage = Stage::set()?;
    let events = usize::try_from(LASTS.as_millis() as u64 / pause).unwrap_or(1);
    let ask = Ask {
        stream: Some((events, pause * 1000)),
        ..Ask::default()
    };
    let before = stage.proxy.used()?;
    let mut during = before;
    let seen = load::streams(
        stage.proxy.address,
        Words::Chat,
        &ask.request(Words::Chat),
        (count, events),
        true,
        || during = most_used(&stage, before),
    )?;
    let (after, is_settled) = stage.settled(before)?;
    let name = format!("{count} streams, an event every {pause} ms");
    findings.add(
        format!("{name}: lost, out of order"),
        format!("{}, {}", seen.lost, seen.disordered),
        "none",
        seen.lost + seen.disordered == 0,
    );
    let rate = seen.events as f64 / seen.time.as_secs_f64();
    let due = count as u64 * 1000 / pause;
    findings.tell(
        format!("{name}: events/s, of those due"),
        format!("{rate:.0} of {due}"),
    );
    let memory = during.peak.saturating_sub(before.resident) / count as u64;
    findings.tell(format!("{name}: memory a stream, KiB"), memory.to_string());
    for (what, of) in [
        ("threads", [before.threads, during.threads, after.threads]),
        (
            "descriptors",
            [before.descriptors, during.descriptors, after.descriptors],
        ),
    ] {
        let [before, during, after] = of;
        findings.add(
            format!("{name}: {what} before, during, after"),
            format!("{before}, {during}, {after}"),
            "as before",
            is_settled,
        );
    }
    stage.is_well()
}

/// While all streams should be running. Where cores are few, many begin late.
fn most_used(stage: &Stage, before: Used) -> Used {
    let begun = Instant::now();
    let mut most = before;
    while begun.elapsed() < 2 * LASTS {
        if let Ok(now) = stage.proxy.used() {
            most.peak = most.peak.max(now.peak);
            most.threads = most.threads.max(now.threads);
            most.descriptors = most.descriptors.max(now.descriptors);
        }
        thread::sleep(Duration::from_millis(200));
    }
    most
}

/// A day's work in a minute.
pub(super) fn soaked(findings: &mut Findings) -> io::Result<()> {
    const REQUESTS: usize = 200_000;
    const STREAMS: usize = 2000;
    let stage = Stage::set()?;
    work(&stage, REQUESTS / 10, STREAMS / 10)?;
    let before = stage.proxy.used()?;
    let (answered, held) = work(&stage, REQUESTS, STREAMS)?;
    let after = stage.proxy.used()?;
    findings.all(
        "soak: requests over 64 connections, answered",
        answered,
        REQUESTS,
    );
    findings.all("soak: streams, 100 at a time, whole", held, STREAMS);
    findings.add(
        "soak: resident KiB after warm-up, at the end",
        format!("{}, {}", before.resident, after.resident),
        format!("{GROWTH} more at most"),
        after.resident <= before.resident + GROWTH,
    );
    stage.add_rest(findings, "soak", before)
}

/// How many were answered, and how many streams had all their events.
fn work(stage: &Stage, requests: usize, streams: usize) -> io::Result<(usize, usize)> {
    const EVENTS: usize = 50;
    let address = stage.proxy.address;
    let small = Ask::default().request(Words::Chat);
    let answered = load::so_many(address, &small, 64, requests);
    let ask = Ask {
        stream: Some((EVENTS, 0)),
        ..Ask::default()
    };
    let ask = ask.request(Words::Chat);
    let mut whole = 0;
    for _ in 0..streams / 100 {
        let expected = (100, EVENTS);
        let seen = load::streams(address, Words::Chat, &ask, expected, false, || ())?;
        whole += 100 - seen.lost.max(seen.disordered);
    }
    Ok((answered, whole))
}
