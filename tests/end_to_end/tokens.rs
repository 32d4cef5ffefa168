//! Access tokens: renewed early, once for everyone, and never lost.

use std::thread;

use gemini_proxy::simulator::{Recorded, Simulator};
use serde_json::{Value, json};

use crate::home::Home;
use crate::proxy::{Proxy, Road, generations, question, recorded};

const MINUTE_MS: i64 = 60_000;

/// Signed in, with a project, and an access token that ends so many minutes from now.
fn home(simulator: &Simulator, minutes_left: i64) -> Home {
    let mut credentials = simulator.sign_in();
    let end = jiff::Timestamp::now().as_millisecond() + minutes_left * MINUTE_MS;
    credentials["expiry_date"] = json!(end);
    credentials["email"] = json!("ada@example.com");
    credentials["project_id"] = json!("stand-in-project");
    Home::new(simulator).with_tokens(&credentials)
}

fn refreshes(simulator: &Simulator) -> Vec<Recorded> {
    recorded(simulator, "/token")
}

/// Asks in parallel, half of them each of these proxies; all must be answered.
fn ask_at_once(proxies: [&Proxy; 2], count: usize, meanwhile: impl FnOnce()) {
    thread::scope(|scope| {
        let threads: Vec<_> = (0..count)
            .map(|nth| {
                let proxy = proxies[nth % 2];
                scope.spawn(move || proxy.chat(&question("Hi")))
            })
            .collect();
        meanwhile();
        for thread in threads {
            thread.join().unwrap().success();
        }
    });
}

fn is_refresh(request: &Recorded) -> bool {
    request.path == "/token"
}

#[test]
fn lesson_17_a_401_costs_one_refresh_and_one_retry() {
    let simulator = Simulator::start().unwrap();
    let home = home(&simulator, 60);
    let proxy = home.serve();
    simulator.expire_access_tokens();
    proxy.chat(&question("Hi")).success();
    // What was answered is noted a moment after the answer.
    simulator.wait_until(|requests| requests.iter().all(|request| request.status.is_some()));
    let statuses: Vec<_> = generations(&simulator)
        .iter()
        .map(|one| one.status)
        .collect();
    assert_eq!(statuses, [Some(401), Some(200)]);
    assert_eq!(refreshes(&simulator).len(), 1);
    let bodies: Vec<_> = generations(&simulator)
        .iter()
        .map(|one| one.json())
        .collect();
    assert_eq!(bodies[0], bodies[1]);

    simulator.expire_access_tokens();
    let events = proxy.stream(&question("Hi")).rest();
    assert_eq!(events.last().unwrap(), "data: [DONE]");
    assert_eq!(refreshes(&simulator).len(), 2);
}

#[test]
fn a_second_401_is_passed_on() {
    let simulator = Simulator::start().unwrap();
    let proxy = home(&simulator, 60).serve();
    simulator
        .script(json!([{"error": "unauthenticated", "times": "always"}]))
        .unwrap();
    let error = proxy.chat(&question("Hi")).error(401);
    assert_eq!(error["type"], "authentication_error");
    assert_eq!(error["code"], "not_signed_in");
    assert!(
        error["message"]
            .as_str()
            .unwrap()
            .contains("gemini-proxy login")
    );
    assert_eq!(generations(&simulator).len(), 2);
    assert_eq!(refreshes(&simulator).len(), 1);
}

#[test]
fn a_token_is_renewed_five_minutes_early() {
    for (minutes_left, expected) in [(6, 0), (4, 1), (-1, 1)] {
        let simulator = Simulator::start().unwrap();
        let home = home(&simulator, minutes_left);
        let old = home.tokens();
        let proxy = home.serve();
        for _ in 0..3 {
            proxy.chat(&question("Hi")).success();
        }
        assert_eq!(refreshes(&simulator).len(), expected, "{minutes_left}");
        let is_new = home.tokens()["access_token"] != old["access_token"];
        assert_eq!(is_new, expected == 1);
        assert_eq!(
            home.tokens()["refresh_token"],
            old["refresh_token"],
            "it is kept"
        );
    }
}

#[test]
fn lesson_17_a_hundred_requests_cause_one_refresh() {
    let simulator = Simulator::start().unwrap();
    let home = home(&simulator, -1);
    let proxy = home.serve();
    simulator
        .script(json!({"token": [{"hold": "refresh"}]}))
        .unwrap();
    ask_at_once([&proxy, &proxy], 100, || {
        simulator.wait_until(|requests| requests.iter().any(is_refresh));
        simulator.release("refresh");
    });
    assert_eq!(refreshes(&simulator).len(), 1);
    assert_eq!(generations(&simulator).len(), 100);
}

#[test]
fn lesson_17_two_processes_cause_one_refresh() {
    let simulator = Simulator::start().unwrap();
    let home = home(&simulator, -1);
    let (first, second) = (home.serve(), home.serve());
    simulator
        .script(json!({"token": [{"hold": "refresh"}]}))
        .unwrap();
    ask_at_once([&first, &second], 8, || {
        simulator.wait_until(|requests| requests.iter().any(is_refresh));
        simulator.release("refresh");
    });
    assert_eq!(refreshes(&simulator).len(), 1);
}

#[test]
fn while_an_early_renewal_hangs_the_old_token_serves() {
    let simulator = Simulator::start().unwrap();
    let proxy = home(&simulator, 4).serve();
    simulator
        .script(json!({"token": [{"hold": "refresh"}]}))
        .unwrap();
    thread::scope(|scope| {
        let waiting = scope.spawn(|| proxy.chat(&question("I renew it")));
        simulator.wait_until(|requests| requests.iter().any(is_refresh));
        for _ in 0..3 {
            proxy.chat(&question("I do not wait")).success();
        }
        assert_eq!(proxy.get("/auth/status").success()["authenticated"], true);
        simulator.release("refresh");
        waiting.join().unwrap().success();
    });
    assert_eq!(refreshes(&simulator).len(), 1);
}

#[test]
fn what_goes_wrong_for_a_moment_costs_no_credentials() {
    for failure in [
        json!({"error": "internal"}),
        json!({"error": "bad_gateway"}),
        json!({"error": "rate_limit"}),
        json!({"raw_chunks": ["<html>"]}),
        json!({"json": {}}),
        json!({"json": {"access_token": "ya29.cut"}, "then": "truncate"}),
    ] {
        let simulator = Simulator::start().unwrap();
        let home = home(&simulator, -1);
        let proxy = home.serve();
        let old = home.tokens();
        simulator.script(json!({"token": [failure]})).unwrap();
        let error = proxy.chat(&question("Hi")).error(502);
        assert_eq!(error["code"], "upstream_error", "{failure}: {error}");
        assert_eq!(home.tokens(), old, "{failure}");
        assert_eq!(proxy.get("/auth/status").success()["authenticated"], true);
        proxy.chat(&question("Hi")).success();
    }
}

#[test]
fn a_renewal_that_fails_early_is_no_failure_yet() {
    let simulator = Simulator::start().unwrap();
    let proxy = home(&simulator, 4).serve();
    simulator
        .script(json!({"token": [{"error": "internal", "times": "always"}]}))
        .unwrap();
    for _ in 0..3 {
        proxy.chat(&question("Hi")).success();
    }
    assert_eq!(refreshes(&simulator).len(), 1, "not with each request");
}

#[test]
fn a_refresh_token_that_is_dead_means_to_sign_in_again() {
    let simulator = Simulator::start().unwrap();
    let home = home(&simulator, -1);
    let proxy = home.serve();
    simulator.revoke_refresh_tokens();
    for _ in 0..2 {
        let error = proxy.chat(&question("Hi")).error(401);
        assert_eq!(error["type"], "authentication_error");
        assert_eq!(error["code"], "not_signed_in");
        let message = error["message"].as_str().unwrap();
        assert!(message.contains("expired or revoked"), "{message}");
        assert!(message.contains(&proxy.url("/auth/login")), "{message}");
        assert!(message.contains("gemini-proxy login"), "{message}");
    }
    assert_eq!(
        refreshes(&simulator).len(),
        1,
        "a dead one is not tried again"
    );
    let tokens = home.tokens();
    assert_eq!(tokens.get("refresh_token"), None);
    assert!(
        tokens["sign_in_ended"]
            .as_str()
            .unwrap()
            .contains("revoked")
    );
    let status = proxy.get("/auth/status").success();
    assert_eq!(status["authenticated"], false);
    assert!(status["problem"].as_str().unwrap().contains("revoked"));
    // After a restart it is still known.
    let error = home.serve().chat(&question("Hi")).error(401);
    assert!(
        error["message"]
            .as_str()
            .unwrap()
            .contains("expired or revoked")
    );
    let finished = home.run(&["status"]);
    assert_eq!(finished.code, Some(1));
    assert!(finished.stdout.contains("revoked"), "{finished:?}");
}

#[test]
fn a_client_that_google_refuses_costs_no_credentials() {
    let simulator = Simulator::start().unwrap();
    let home = home(&simulator, -1);
    let proxy = home.serve();
    let old = home.tokens();
    simulator
        .script(json!({"token": [{"error": "invalid_client"}]}))
        .unwrap();
    let error = proxy.chat(&question("Hi")).error(401);
    assert!(
        error["message"]
            .as_str()
            .unwrap()
            .contains("GOOGLE_OAUTH_CLIENT_ID")
    );
    assert_eq!(home.tokens(), old);
}

#[test]
fn a_refresh_token_that_was_replaced_is_kept() {
    let simulator = Simulator::start().unwrap();
    simulator
        .set_state(json!({"rotate_refresh_tokens": true}))
        .unwrap();
    let home = home(&simulator, -1);
    let proxy = home.serve();
    let mut known = vec![home.tokens()["refresh_token"].clone()];
    for _ in 0..3 {
        proxy.chat(&question("Hi")).success();
        let now = home.tokens()["refresh_token"].clone();
        assert!(!known.contains(&now));
        known.push(now);
        simulator.expire_access_tokens();
    }
    home.serve().chat(&question("Hi")).success();
    assert_eq!(refreshes(&simulator).len(), 4);
}

#[test]
fn lesson_17_two_processes_share_refresh_tokens_that_are_replaced_each_time() {
    let simulator = Simulator::start().unwrap();
    let rotating = json!({"rotate_refresh_tokens": true});
    simulator.set_state(rotating).unwrap();
    let home = home(&simulator, 60);
    let (first, second) = (home.serve(), home.serve());
    for round in 1..=6 {
        simulator.expire_access_tokens();
        // Whoever comes first renews; the other one finds the dead token in his memory.
        let order = match round % 3 {
            0 => [&first, &second],
            1 => [&second, &first],
            _ => {
                ask_at_once([&first, &second], 8, || {});
                [&first, &second]
            }
        };
        for proxy in order {
            proxy.chat(&question("Hi")).success();
        }
        assert_eq!(refreshes(&simulator).len(), round);
    }
    for proxy in [first, second] {
        assert_eq!(proxy.get("/auth/status").success()["authenticated"], true);
        let log = proxy.stop();
        assert!(!log.contains("invalid_grant"), "{log}");
    }
}

/// A token that looks alive for years, as after the clock was set back, is renewed when
/// Google says that it is dead; one that looks dead, as after it was set forward, once.
#[test]
fn the_clock_may_jump_either_way() {
    const YEARS: i64 = 10 * 365 * 24 * 60;
    for (minutes_left, statuses) in [(YEARS, 2), (-YEARS, 1)] {
        let simulator = Simulator::start().unwrap();
        let home = home(&simulator, minutes_left);
        let proxy = home.serve();
        if minutes_left > 0 {
            simulator.expire_access_tokens();
        }
        for _ in 0..3 {
            proxy.chat(&question("Hi")).success();
        }
        assert_eq!(refreshes(&simulator).len(), 1);
        assert_eq!(generations(&simulator).len(), 2 + statuses);
        let now = jiff::Timestamp::now().as_millisecond();
        let left = home.tokens()["expiry_date"].as_i64().unwrap() - now;
        assert!((50 * MINUTE_MS..=60 * MINUTE_MS).contains(&left), "{left}");
    }
}

#[test]
fn a_token_file_that_is_not_ours_is_said_once_and_never_destroyed() {
    for content in ["not json", "{}", "[1]", "", "{\"refresh_token\": 7}"] {
        let simulator = Simulator::start().unwrap();
        let home = Home::new(&simulator).with_file("tokens.json", content);
        let proxy = home.serve();
        for _ in 0..3 {
            let error = proxy.chat(&question("Hi")).error(401);
            assert_eq!(error["code"], "not_signed_in", "{content}");
            let message = error["message"].as_str().unwrap();
            assert!(message.contains("tokens.json"), "{content}: {message}");
        }
        assert_eq!(
            std::fs::read_to_string(home.path("tokens.json")).unwrap(),
            content
        );

        let home = home.with_file("creds.json", &simulator.sign_in().to_string());
        let finished = home.run(&["login", "--import", "creds.json"]);
        assert_eq!(finished.code, Some(0), "{finished:?}");
        let aside: Vec<_> = home
            .files()
            .into_iter()
            .filter(|name| name.contains("set-aside"))
            .collect();
        assert_eq!(aside.len(), 1, "{content}: {:?}", home.files());
        assert_eq!(
            std::fs::read_to_string(home.path(&aside[0])).unwrap(),
            content
        );
        proxy.chat(&question("Hi")).success();
        let log = proxy.stop();
        assert_eq!(log.matches("nobody is signed in").count(), 1, "{log}");
    }
}

#[test]
fn what_other_processes_do_is_noticed_without_a_restart() {
    let simulator = Simulator::start().unwrap();
    let home = Home::new(&simulator).with_file("creds.json", &simulator.sign_in().to_string());
    let proxy = home.serve();
    proxy.chat(&question("Hi")).error(401);
    assert_eq!(home.run(&["login", "--import", "creds.json"]).code, Some(0));
    proxy.chat(&question("Hi")).success();
    assert_eq!(
        proxy.get("/auth/status").success()["email"],
        "ada@example.com"
    );
    assert_eq!(home.run(&["logout"]).code, Some(0));
    proxy.chat(&question("Hi")).error(401);
    assert_eq!(proxy.get("/auth/status").success()["authenticated"], false);
}

#[test]
fn who_never_signed_in_is_told_every_way_to() {
    let simulator = Simulator::start().unwrap();
    let proxy = Home::new(&simulator).serve();
    for stream in [false, true] {
        let mut request = question("Hi");
        request["stream"] = json!(stream);
        let error = proxy.chat(&request).error(401);
        assert_eq!(error["type"], "authentication_error");
        assert_eq!(error["code"], "not_signed_in");
        assert_eq!(error["param"], Value::Null);
        let message = error["message"].as_str().unwrap();
        assert!(message.contains(&proxy.url("/auth/login")), "{message}");
        assert!(message.contains("gemini-proxy login"), "{message}");
    }
    assert!(simulator.requests().is_empty());
    proxy.log().wait_for("not signed in to Google");
}

#[test]
fn a_key_of_the_gemini_api_that_google_refuses_is_named() {
    let simulator = Simulator::start().unwrap();
    let home = Road::GeminiApi.home(&simulator);
    let proxy = home.env("GEMINI_API_KEY", "wrong-key").serve();
    let error = proxy.chat(&question("Hi")).error(401);
    let message = error["message"].as_str().unwrap();
    assert!(message.contains("GEMINI_API_KEY"), "{message}");
    assert!(!message.contains("wrong-key"), "{message}");
}
