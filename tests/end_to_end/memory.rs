//! Memory: what many requests leave behind.

use gemini_proxy::simulator::Simulator;
use serde_json::json;

use crate::proxy::{Proxy, question};

/// What is in memory now, in KiB.
fn resident(proxy: &Proxy) -> u64 {
    of_status(proxy, "VmRSS:")
}

/// The most that ever was, in KiB.
pub(crate) fn peak(proxy: &Proxy) -> u64 {
    of_status(proxy, "VmHWM:")
}

/// See proc(5).
fn of_status(proxy: &Proxy, name: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", proxy.id())).unwrap();
    let line = status.lines().find(|line| line.starts_with(name));
    let number = line.unwrap().split_whitespace().nth(1);
    number.unwrap().parse().unwrap()
}

/// Questions and answers of this length: what is kept of them shows.
const LENGTH: usize = 50_000;

#[test]
fn lesson_24_many_requests_leave_nothing_behind() {
    let simulator = Simulator::start().unwrap();
    let proxy = Proxy::start(&simulator);
    let long = "x".repeat(LENGTH);
    let mut request = question(&long);
    simulator
        .script(json!([{"text": long, "times": "always"}]))
        .unwrap();
    let mut talk = |times| {
        for turn in 0..times {
            request["stream"] = json!(turn % 2 == 0);
            assert_eq!(proxy.chat(&request).status, 200);
        }
    };
    talk(100);
    let before = resident(&proxy);
    talk(200);
    let grown = resident(&proxy).saturating_sub(before);
    // Of questions and answers together: 20 MB.
    assert!(grown < 8 * 1024, "{grown} KiB more than {before} KiB");
}
