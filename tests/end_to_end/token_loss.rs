//! A process that is killed while it writes, a disk that is full, a folder that lets
//! nothing be written for a while: there is always a refresh token that Google accepts.

use std::hint::black_box;

use gemini_proxy::simulator::Simulator;
use serde_json::{Value, json};

use crate::client::Client;
use crate::home::Home;
use crate::proxy::{question, recorded};

/// Signed in, with an access token that has to be renewed at once.
fn stale(simulator: &Simulator) -> Home {
    let mut credentials = simulator.sign_in();
    credentials["expiry_date"] = json!(1);
    credentials["project_id"] = json!("stand-in-project");
    Home::new(simulator).with_tokens(&credentials)
}

/// Of `times` processes each is killed at another moment of a renewal and its saving.
#[test]
fn lesson_16_whenever_it_is_killed_the_file_holds_a_good_refresh_token() {
    let simulator = Simulator::start().unwrap();
    let home = stale(&simulator);
    let refresh_token = home.tokens()["refresh_token"].clone();
    for turn in 0..100_u32 {
        let mut tokens: Value = home.tokens();
        assert_eq!(tokens["refresh_token"], refresh_token, "{turn}");
        tokens["expiry_date"] = json!(1);
        std::fs::write(home.path("tokens.json"), tokens.to_string()).unwrap();
        let proxy = home.serve();
        let asked = recorded(&simulator, "/token").len();
        let mut client = Client::connect(&proxy.host);
        let body = question("Hi").to_string();
        client.send("POST", "/v1/chat/completions", &[], body.as_bytes());
        simulator.wait_until(|requests| {
            let renewals = requests.iter().filter(|one| one.path == "/token");
            renewals.count() > asked
        });
        // From the renewal's beginning to long after its end, by a little more each time.
        for step in 0..turn * 20_000 {
            black_box(step);
        }
        proxy.stop();
    }
    home.serve().chat(&question("Hi")).success();
}

#[cfg(target_os = "linux")]
#[test]
fn where_nothing_can_be_written_the_old_tokens_stay_and_the_new_one_serves() {
    let simulator = Simulator::start().unwrap();
    let home = stale(&simulator);
    let before = home.tokens();
    // No file may grow beyond nothing; the log is a pipe.
    let proxy = home.serve_with_file_size(0);
    proxy.chat(&question("Hi")).success();
    proxy.chat(&question("Hi")).success();
    assert_eq!(home.tokens(), before);
    assert_eq!(recorded(&simulator, "/token").len(), 1);
    proxy.log().wait_for("will not survive a restart");
}

/// A folder stands where the new file would be written: even for root, nothing can be
/// written beside the token file.
#[cfg(unix)]
#[test]
fn what_could_not_be_written_is_written_before_the_end() {
    let simulator = Simulator::start().unwrap();
    let rotating = json!({"rotate_refresh_tokens": true});
    simulator.set_state(rotating).unwrap();
    let home = stale(&simulator);
    let dead = home.tokens();
    let obstacle = home.path("tokens.json.new");
    std::fs::create_dir(&obstacle).unwrap();
    let proxy = home.serve();
    proxy.chat(&question("Hi")).success();
    proxy.chat(&question("Hi")).success();
    assert_eq!(home.tokens(), dead);
    let log = proxy.log();
    log.wait_for("Google has replaced the refresh token, and the new one ends with this process");
    log.wait_for("tokens.json");
    std::fs::remove_dir(&obstacle).unwrap();
    proxy.signal(rustix::process::Signal::TERM);
    assert_eq!(proxy.end().0, Some(0));
    assert_ne!(home.tokens()["refresh_token"], dead["refresh_token"]);
    simulator.expire_access_tokens();
    home.serve().chat(&question("Hi")).success();
    assert_eq!(recorded(&simulator, "/token").len(), 2);
}
