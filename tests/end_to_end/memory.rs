//! Memory: what many requests leave behind.

use serde_json::json;

use crate::proxy::{Proxy, by_both_roads, question};

/// What is in memory now, in KiB (proc(5)).
fn resident(proxy: &Proxy) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", proxy.id())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let number = line.unwrap().split_whitespace().nth(1);
    number.unwrap().parse().unwrap()
}

#[test]
fn lesson_24_many_requests_leave_nothing_behind() {
    by_both_roads(|_, simulator, proxy| {
        let long = "x".repeat(200_000);
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
        let before = resident(proxy);
        talk(200);
        let grown = resident(proxy).saturating_sub(before);
        // If anything were kept of them, it would be 80 MB.
        assert!(grown < 16 * 1024, "{grown} KiB more than {before} KiB");
    });
}
