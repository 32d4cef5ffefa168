//! `GET /metrics`: read as strictly as Prometheus' own tools do
//! (<https://prometheus.io/docs/instrumenting/exposition_formats/>), and counted
//! against what has happened.

use std::collections::{BTreeMap, HashSet};

use gemini_proxy::simulator::Simulator;
use serde_json::json;

use crate::proxy::{Proxy, Road, by_both_roads, question};
use crate::streaming::event;

/// All samples, by name with labels as they stand.
#[derive(Debug)]
struct Samples(BTreeMap<String, f64>);

impl Samples {
    #[track_caller]
    fn of(proxy: &Proxy) -> Self {
        let answer = proxy.get("/metrics");
        assert_eq!(answer.status, 200);
        let format = "text/plain; version=0.0.4; charset=utf-8";
        assert_eq!(answer.header("content-type"), Some(format));
        Self::parse(answer.text())
    }

    /// Panics over whatever `promtool check metrics` would.
    fn parse(text: &str) -> Self {
        assert!(text.ends_with('\n'), "the last line has no end");
        let mut samples = BTreeMap::new();
        let mut described = HashSet::new();
        let mut lines = text.lines().peekable();
        while let Some(help) = lines.next() {
            let (name, help) = after("# HELP ", help);
            assert!(!help.is_empty() && !help.contains('\\'), "{help}");
            assert!(described.insert(name), "{name} is described twice");
            let (typed, kind) = after("# TYPE ", lines.next().unwrap());
            assert_eq!(typed, name);
            assert!(["counter", "gauge", "histogram"].contains(&kind), "{kind}");
            assert_eq!(kind == "counter", name.ends_with("_total"), "{name}");
            let mut own = Vec::new();
            while let Some(line) = lines.next_if(|line| !line.starts_with('#')) {
                let (series, value) = line.rsplit_once(' ').unwrap();
                let value: f64 = value.parse().unwrap();
                assert!(value >= 0.0, "{line}");
                check_series(series, name, kind);
                own.push((series, value));
                let known = samples.insert(series.to_owned(), value);
                assert_eq!(known, None, "{series} is there twice");
            }
            assert!(!own.is_empty(), "{name} has no sample");
            if kind == "histogram" {
                check_histogram(name, &own);
            }
        }
        Self(samples)
    }

    #[track_caller]
    fn get(&self, series: &str) -> f64 {
        let value = self.0.get(&format!("gemini_proxy_{series}"));
        *value.unwrap_or_else(|| panic!("no {series} in {self:#?}"))
    }
}

/// Name and rest of a line of comment.
#[track_caller]
fn after<'a>(start: &str, line: &'a str) -> (&'a str, &'a str) {
    let rest = line.strip_prefix(start);
    let (name, rest) = rest.and_then(|rest| rest.split_once(' ')).expect(line);
    let is_part = |c: char| c.is_ascii_lowercase() || c == '_';
    assert!(name.chars().all(is_part), "{name}");
    (name, rest)
}

/// `name{label="value",…}`
#[track_caller]
fn check_series(series: &str, name: &str, kind: &str) {
    let (given, labels) = match series.split_once('{') {
        Some((given, labels)) => (given, labels.strip_suffix('}').expect(series)),
        None => (series, ""),
    };
    let rest = given.strip_prefix(name).expect(series);
    match kind {
        "histogram" => assert!(["_bucket", "_sum", "_count"].contains(&rest), "{series}"),
        _ => assert_eq!(rest, ""),
    }
    for label in labels.split(',').filter(|label| !label.is_empty()) {
        let (name, value) = label.split_once('=').expect(series);
        assert!(name.chars().all(|c| c.is_ascii_lowercase() || c == '_'));
        assert_eq!(name == "le", rest == "_bucket", "{series}");
        let value = value
            .strip_prefix('"')
            .and_then(|rest| rest.strip_suffix('"'));
        assert!(
            !value.expect(series).contains(['"', '\\', '\n']),
            "{series}"
        );
    }
}

/// Buckets in order, each with what smaller ones hold, the last with all.
#[track_caller]
fn check_histogram(name: &str, samples: &[(&str, f64)]) {
    let [buckets @ .., (sum, _), (count, all)] = samples else {
        panic!("{name} is no histogram");
    };
    assert_eq!(
        (*sum, *count),
        (&*format!("{name}_sum"), &*format!("{name}_count"))
    );
    let end = |series: &str| -> f64 { series.split('"').nth(1).unwrap().parse().unwrap() };
    for pair in buckets.windows(2) {
        assert!(
            end(pair[0].0) < end(pair[1].0) && pair[0].1 <= pair[1].1,
            "{pair:?}"
        );
    }
    let (last, value) = buckets.last().unwrap();
    assert_eq!((end(last), value), (f64::INFINITY, all));
}

#[test]
fn an_answer_and_a_stream_are_counted() {
    by_both_roads(|_, simulator, proxy| {
        let counts = json!({"promptTokenCount": 100, "cachedContentTokenCount": 60,
            "candidatesTokenCount": 20, "thoughtsTokenCount": 7, "totalTokenCount": 127});
        let mut said = event("Well");
        said["candidates"][0]["finishReason"] = json!("STOP");
        said["usageMetadata"] = counts;
        let before = Samples::of(proxy);
        let done = r#"requests_total{route="chat_completions",class="2xx"}"#;
        assert_eq!(before.get(done), 0.0);
        simulator
            .script(json!([{"responses": [said]}, {"responses": [said]}]))
            .unwrap();
        proxy.chat(&question("Hi")).success();
        let mut events = proxy.stream(&question("Hi"));
        while events.next().is_some() {}
        let after = Samples::of(proxy);
        for (series, count) in [
            (done, 2.0),
            (r#"requests_total{route="metrics",class="2xx"}"#, 1.0),
            ("requests_in_flight", 1.0),
            ("input_tokens_total", 200.0),
            ("output_tokens_total", 54.0),
            ("cached_tokens_total", 120.0),
            ("thought_tokens_total", 14.0),
            ("first_byte_seconds_count", 1.0),
            ("duration_seconds_count", 2.0),
            ("client_disconnects_total", 0.0),
            ("panics_total", 0.0),
        ] {
            assert_eq!(after.get(series), count, "{series}");
        }
        assert!(after.get("duration_seconds_sum") > 0.0);
    });
}

#[test]
fn what_goes_wrong_is_counted_by_what_it_is() {
    let simulator = Simulator::start().unwrap();
    let proxy = Proxy::start(&simulator);
    let overloaded = json!({"error": "overloaded", "times": "always"});
    simulator.script(json!([overloaded])).unwrap();
    proxy.chat(&question("Hi")).error(503);
    simulator.reset();
    let cut = json!({"text": "Half", "finish": null});
    let empty = json!({"text": ""});
    simulator
        .script(json!([cut, empty, {"text": "Well"}]))
        .unwrap();
    let mut events = proxy.stream(&question("Hi"));
    while events.next().is_some() {}
    proxy.chat(&question("Hi")).success();
    proxy.chat(&json!({})).error(400);
    let large = [("Content-Length", "99999999")];
    proxy
        .send("POST", "/v1/chat/completions", &large, b"")
        .error(413);
    let samples = Samples::of(&proxy);
    for (series, count) in [
        (r#"upstream_errors_total{kind="at_capacity"}"#, 1.0),
        ("upstream_retries_total", 2.0),
        ("unfinished_streams_total", 1.0),
        (r#"second_tries_total{otherwise="empty"}"#, 1.0),
        (r#"refusals_total{code="server_is_overloaded"}"#, 1.0),
        (r#"refusals_total{code="upstream_stream_error"}"#, 1.0),
        (r#"refusals_total{code="missing_required_parameter"}"#, 1.0),
        (r#"refusals_total{code="request_too_large"}"#, 1.0),
        (r#"refusals_total{code="other"}"#, 0.0),
        (
            r#"requests_total{route="chat_completions",class="2xx"}"#,
            2.0,
        ),
        (
            r#"requests_total{route="chat_completions",class="4xx"}"#,
            2.0,
        ),
        (
            r#"requests_total{route="chat_completions",class="5xx"}"#,
            1.0,
        ),
    ] {
        assert_eq!(samples.get(series), count, "{series}");
    }
}

#[test]
fn renewals_are_counted_by_what_came_of_them() {
    let simulator = Simulator::start().unwrap();
    let proxy = Proxy::start(&simulator);
    let renewals = |outcome: &str| {
        let series = format!("token_refreshes_total{{outcome=\"{outcome}\"}}");
        Samples::of(&proxy).get(&series)
    };
    simulator.expire_access_tokens();
    proxy.chat(&question("Hi")).success();
    assert_eq!((renewals("ok"), renewals("failed")), (1.0, 0.0));
    simulator.expire_access_tokens();
    simulator.revoke_refresh_tokens();
    proxy.chat(&question("Hi")).error(401);
    assert_eq!((renewals("ok"), renewals("failed")), (1.0, 1.0));
}

#[cfg(target_os = "linux")]
#[test]
fn clients_who_leave_are_counted_and_are_not_in_flight() {
    let simulator = Simulator::start().unwrap();
    let proxy = Proxy::start(&simulator);
    let responses = json!([event("Half an"), {"gate": "never"}]);
    simulator.script(json!([{"responses": responses}])).unwrap();
    let mut events = proxy.stream(&question("Hi"));
    events.next_json();
    assert_eq!(Samples::of(&proxy).get("requests_in_flight"), 2.0);
    drop(events);
    proxy.log().request("end=client_left");
    let samples = Samples::of(&proxy);
    assert_eq!(samples.get("client_disconnects_total"), 1.0);
    assert_eq!(samples.get("requests_in_flight"), 1.0);
}

#[test]
fn metrics_need_the_key_and_say_when_the_process_started() {
    let simulator = Simulator::start().unwrap();
    let home = Road::CodeAssist.home(&simulator);
    let proxy = home.env("PROXY_API_KEY", "the-key").serve();
    proxy.get("/metrics").error(401);
    let key = [("Authorization", "Bearer the-key")];
    let samples = Samples::parse(proxy.send("GET", "/metrics", &key, b"").text());
    assert!(samples.0["process_start_time_seconds"] > 1_700_000_000.0);
    proxy.send("POST", "/metrics", &key, b"").error(405);
}
