//! `doctor`: all is well, or exactly that line is wrong which must be.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::sync::Mutex;
use std::thread;

use gemini_proxy::simulator::Simulator;
use serde_json::{Value, json};

use crate::home::{Finished, Home};
use crate::proxy::{Proxy, Road};

const CATALOGUE: &str = include_str!("../../src/simulator/errors.json");

/// A fault: what is played, on which road, and which check must find it.
struct Fault {
    name: String,
    road: Road,
    state: Value,
    script: Value,
    wrong: &'static str,
    /// A part of what is said.
    says: &'static str,
}

impl Fault {
    fn scripted(name: impl Into<String>, script: Value, wrong: &'static str) -> Self {
        Self {
            name: name.into(),
            road: Road::CodeAssist,
            state: json!({}),
            script,
            wrong,
            says: "",
        }
    }

    fn of_state(state: Value, wrong: &'static str, says: &'static str) -> Self {
        Self {
            state,
            says,
            ..Self::scripted("state", json!({}), wrong)
        }
    }

    fn on(self, road: Road) -> Self {
        Self { road, ..self }
    }

    fn saying(self, says: &'static str) -> Self {
        Self { says, ..self }
    }

    fn check(&self) {
        let Self { name, wrong, .. } = self;
        let simulator = Simulator::start().unwrap();
        let home = home(self.road, &simulator);
        simulator.set_state(self.state.clone()).unwrap();
        simulator.script(self.script.clone()).unwrap();
        if self.script.get("token").is_some() {
            simulator.expire_access_tokens();
        }
        let (finished, checks) = examined(&home);
        let found = states(&checks, "wrong");
        assert_eq!(found, [*wrong], "{name} {} {finished:?}", self.state);
        let cause = checks[*wrong]["cause"].as_str().unwrap();
        assert!(cause.contains(self.says), "{name}: {cause}");
        assert_eq!(finished.code, Some(1));
    }
}

/// Where all is well, the mode of the token file, too.
fn home(road: Road, simulator: &Simulator) -> Home {
    let home = road.home(simulator);
    #[cfg(unix)]
    if road == Road::CodeAssist {
        set_mode(&home, 0o600);
    }
    home
}

#[cfg(unix)]
fn set_mode(home: &Home, mode: u32) {
    let mode = std::os::unix::fs::PermissionsExt::from_mode(mode);
    std::fs::set_permissions(home.path("tokens.json"), mode).unwrap();
}

/// What `doctor --json` says, by the names of the checks.
fn examined(home: &Home) -> (Finished, BTreeMap<String, Value>) {
    let finished = home.run(&["doctor", "--json"]);
    let document: Value = serde_json::from_str(&finished.stdout)
        .unwrap_or_else(|error| panic!("{error}: {finished:?}"));
    let checks = document["checks"].as_array().unwrap().iter();
    let checks = checks.map(|check| (check["name"].as_str().unwrap().to_owned(), check.clone()));
    let checks: BTreeMap<_, _> = checks.collect();
    assert_eq!(checks.len(), 12);
    let is_good = !checks.values().any(|check| check["state"] == "wrong");
    assert_eq!(document["good"], is_good);
    (finished, checks)
}

fn states<'a>(checks: &'a BTreeMap<String, Value>, state: &str) -> Vec<&'a str> {
    let checks = checks.iter().filter(|(_, check)| check["state"] == state);
    checks.map(|(name, _)| name.as_str()).collect()
}

/// Starts a few at a time.
fn check_all(faults: Vec<Fault>) {
    assert!(!faults.is_empty());
    let left = Mutex::new(faults.into_iter());
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                loop {
                    let next = left.lock().unwrap().next();
                    match next {
                        Some(fault) => fault.check(),
                        None => return,
                    }
                }
            });
        }
    });
}

/// All failures that the stand-in can play: those of OAuth, and those of the services.
fn catalogue() -> (Vec<String>, Vec<String>) {
    let catalogue: serde_json::Map<String, Value> = serde_json::from_str(CATALOGUE).unwrap();
    let is_of_oauth = |entry: &Value| entry["body"]["error"].is_string();
    let (oauth, services): (Vec<_>, Vec<_>) = catalogue
        .into_iter()
        .partition(|(_, entry)| is_of_oauth(entry));
    let names = |entries: Vec<(String, _)>| entries.into_iter().map(|(name, _)| name).collect();
    (names(oauth), names(services))
}

#[test]
fn where_all_is_well_it_says_so_by_both_roads() {
    for road in [Road::CodeAssist, Road::GeminiApi] {
        let simulator = Simulator::start().unwrap();
        let home = home(road, &simulator);
        let (finished, checks) = examined(&home);
        assert_eq!(finished.code, Some(0), "{finished:?}");
        let skipped = match road {
            Road::CodeAssist => vec![],
            Road::GeminiApi => vec!["tokens"],
        };
        assert_eq!(states(&checks, "skipped"), skipped);
        let finished = home.run(&["doctor"]);
        assert_eq!((finished.code, &*finished.stderr), (Some(0), ""));
        assert!(finished.stdout.ends_with("All is well.\n"));
        assert!(!finished.stdout.contains('\u{1b}'), "no colour in a pipe");
    }
}

#[test]
fn every_failure_of_a_generation_is_found_at_the_call() {
    let (_, services) = catalogue();
    let faults = services.into_iter().map(|name| {
        let script = json!({"generate": [{"error": name, "times": "always"}]});
        Fault::scripted(name, script, "call")
    });
    check_all(faults.collect());
}

#[test]
fn every_failure_of_the_account_or_the_key_is_found_there() {
    let (oauth, services) = catalogue();
    let mut faults = Vec::new();
    for name in services {
        let load = json!({"load_code_assist": [{"error": name, "times": "always"}]});
        faults.push(Fault::scripted(&name, load, "account"));
        let models = json!({"models": [{"error": name, "times": "always"}]});
        faults.push(Fault::scripted(name, models, "account").on(Road::GeminiApi));
    }
    for name in oauth
        .into_iter()
        .chain(["internal".into(), "bad_gateway".into()])
    {
        let token = json!({"token": [{"error": name, "times": "always"}]});
        faults.push(Fault::scripted(name, token, "account"));
    }
    check_all(faults);
}

#[test]
fn lesson_20_every_kind_of_account_that_may_not_work_is_told_what_to_do() {
    let tier = |name: &str| json!({"tier": name});
    check_all(vec![
        Fault::of_state(tier("free-refused"), "account", "GEMINI_API_KEY"),
        Fault::of_state(tier("ineligible"), "account", "UNSUPPORTED_LOCATION"),
        Fault::of_state(tier("validation-required"), "account", "open https://"),
        Fault::of_state(
            tier("standard-needs-project"),
            "account",
            "GOOGLE_CLOUD_PROJECT",
        ),
        Fault::of_state(json!({"api_key": "other"}), "account", "GEMINI_API_KEY")
            .on(Road::GeminiApi),
        Fault::of_state(
            json!({"clock_ahead_seconds": 600}),
            "clock",
            "behind Google's",
        ),
    ]);
    let simulator = Simulator::start().unwrap();
    simulator.set_state(tier("standard-needs-project")).unwrap();
    let (_, checks) = examined(&home(Road::CodeAssist, &simulator));
    let mend = checks["account"]["mend"].as_str().unwrap();
    assert!(mend.starts_with("export GOOGLE_CLOUD_PROJECT="), "{mend}");
    simulator.set_state(tier("free-new")).unwrap();
    let (finished, _) = examined(&home(Road::CodeAssist, &simulator));
    assert_eq!(
        finished.code,
        Some(0),
        "a new account is set up: {finished:?}"
    );
}

#[test]
fn a_sign_in_that_has_ended_is_found_at_the_account_and_from_then_on_at_the_tokens() {
    let simulator = Simulator::start().unwrap();
    let home = home(Road::CodeAssist, &simulator);
    simulator.expire_access_tokens();
    simulator.revoke_refresh_tokens();
    for wrong in ["account", "tokens"] {
        let (_, checks) = examined(&home);
        assert_eq!(states(&checks, "wrong"), [wrong]);
        assert_eq!(checks[wrong]["mend"], "gemini-proxy login");
        let cause = checks[wrong]["cause"].as_str().unwrap();
        assert!(cause.contains("the sign-in has ended"), "{cause}");
    }
}

#[test]
fn tools_and_streams_that_fail_are_found_by_themselves() {
    let tool = |mut item: Value| {
        item["contains"] = json!("report_state");
        item["times"] = json!("always");
        json!({"generate": [item]})
    };
    let stream = |mut item: Value| {
        item["contains"] = json!("Count from one");
        json!({"generate": [item]})
    };
    let refused = json!({"error": "invalid_argument"});
    let words = json!({"text": "I will not."});
    let no_end = json!({"text": "one two", "finish": null});
    let reset = json!({"text": "one two", "finish": null, "then": "truncate"});
    let late = json!({"responses": [
        {"candidates": [{"content": {"role": "model", "parts": [{"text": "one"}]}}]},
        {"error": {"code": 500, "message": "Gone.", "status": "INTERNAL"}},
    ]});
    check_all(vec![
        Fault::scripted("refused", tool(refused.clone()), "tools"),
        Fault::scripted("words", tool(words), "tools").saying("call a function"),
        Fault::scripted("refused", stream(refused), "stream"),
        Fault::scripted("no end", stream(no_end), "stream"),
        Fault::scripted("reset", stream(reset), "stream"),
        Fault::scripted("late", stream(late), "stream").saying("Gone."),
    ]);
}

#[test]
fn the_way_to_google_is_looked_at_from_near_to_far() {
    let simulator = Simulator::start().unwrap();
    let closed = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let secure = simulator.address().replace("http:", "https:");
    for (endpoint, wrong, skipped) in [
        ("http://gemini-proxy.invalid".to_owned(), "name", 6),
        (format!("http://{closed}"), "connection", 5),
        (secure, "connection", 5),
    ] {
        let home = home(Road::CodeAssist, &simulator).env("CODE_ASSIST_ENDPOINT", &endpoint);
        let (_, checks) = examined(&home);
        assert_eq!(states(&checks, "wrong"), [wrong], "{endpoint}");
        assert_eq!(states(&checks, "skipped").len(), skipped, "{endpoint}");
    }
    let proxied = home(Road::CodeAssist, &simulator)
        .env("CODE_ASSIST_ENDPOINT", "http://google.invalid")
        .env("HTTPS_PROXY", &format!("http://ada:pass@{closed}"));
    let (finished, checks) = examined(&proxied);
    assert_eq!(states(&checks, "wrong"), ["connection"]);
    let found = checks["proxy"]["found"].as_str().unwrap();
    assert!(found.starts_with(&format!("http://{closed}, ")), "{found}");
    assert!(!finished.stdout.contains("pass"), "{}", finished.stdout);
}

#[test]
fn the_port_is_free_or_ours_or_another_programs() {
    let simulator = Simulator::start().unwrap();
    let at = |port: &str| home(Road::CodeAssist, &simulator).env("PROXY_PORT", port);
    let running = Proxy::start(&simulator);
    let port = running.host.rsplit(':').next().unwrap();
    let (finished, checks) = examined(&at(port));
    assert_eq!(finished.code, Some(0), "{finished:?}");
    let found = checks["port"]["found"].as_str().unwrap();
    assert!(found.contains("running there already"), "{found}");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let (_, checks) = examined(&at(&port));
    assert_eq!(states(&checks, "wrong"), ["port"]);
    let open = home(Road::CodeAssist, &simulator).env("PROXY_HOST", "0.0.0.0");
    let (_, checks) = examined(&open);
    assert_eq!(states(&checks, "wrong"), ["port"]);
    assert!(
        checks["port"]["cause"]
            .as_str()
            .unwrap()
            .contains("PROXY_API_KEY")
    );
}

#[test]
fn what_is_wrong_on_this_machine_is_named() {
    let simulator = Simulator::start().unwrap();
    let good = || home(Road::CodeAssist, &simulator);
    let (_, checks) = examined(&Home::new(&simulator));
    assert_eq!(states(&checks, "wrong"), ["tokens"]);
    assert_eq!(checks["tokens"]["mend"], "gemini-proxy login");
    assert_eq!(
        states(&checks, "skipped"),
        ["account", "call", "stream", "tools"]
    );
    for (home, wrong, says) in [
        (good().env("PROXY_PORT", "many"), "settings", "PROXY_PORT"),
        (good().env("PROXY_APIKEY", "x"), "settings", "PROXY_API_KEY"),
        (good().with_file(".env", "A B"), "settings", "line 1"),
        (
            good().with_file(".env", "PROXY_COLOUR=1"),
            "settings",
            "PROXY_COLOUR",
        ),
        (
            good().with_file(".env", "GEMINI_API_KYE=1"),
            "settings",
            "GEMINI_API_KEY?",
        ),
        (
            good().with_file("tokens.json", "{\"a\""),
            "tokens",
            "broken",
        ),
    ] {
        let (_, checks) = examined(&home);
        assert_eq!(states(&checks, "wrong"), [wrong], "{says}");
        let cause = checks[wrong]["cause"].as_str().unwrap();
        assert!(cause.contains(says), "{cause}");
    }
    let misspelt = good().env("PROXY_UPSTREAM", "gemini-api");
    let (_, checks) = examined(&misspelt.env("GEMINI_API_KYE", "k"));
    let cause = checks["settings"]["cause"].as_str().unwrap();
    assert!(cause.contains("did you mean GEMINI_API_KEY?"), "{cause}");
    // Of another program, for all that can be told.
    let others = good().env("GEMINI_SANDBOX", "true");
    let others = others.env("PROXY_API_KEY", "k").env("PROXY_API_KEYS", "k");
    let (finished, _) = examined(&others);
    assert_eq!(finished.code, Some(0), "{finished:?}");
}

#[cfg(unix)]
#[test]
fn tokens_that_others_may_read_are_found_and_the_rest_is_checked_all_the_same() {
    let simulator = Simulator::start().unwrap();
    let home = home(Road::CodeAssist, &simulator);
    set_mode(&home, 0o644);
    let (_, checks) = examined(&home);
    assert_eq!(states(&checks, "wrong"), ["tokens"]);
    assert!(states(&checks, "skipped").is_empty());
    let mend = checks["tokens"]["mend"].as_str().unwrap();
    assert_eq!(mend, "chmod 600 '~/tokens.json'");
}

#[test]
fn lesson_22_a_report_for_strangers_holds_no_secret_and_no_name() {
    let simulator = Simulator::start().unwrap();
    let home = home(Road::CodeAssist, &simulator)
        .env("PROXY_API_KEY", "sk-mine")
        .env("GEMINI_API_KEY", "demo-key")
        .env("PROXY_UPSTREAM", "code-assist");
    let tokens = home.tokens();
    for arguments in [&["doctor", "--json"][..], &["doctor"]] {
        let said = home.run(arguments);
        let said = format!("{}{}", said.stdout, said.stderr);
        for name in ["access_token", "refresh_token"] {
            assert!(!said.contains(tokens[name].as_str().unwrap()), "{name}");
        }
        assert!(
            !said.contains("sk-mine") && !said.contains("demo-key"),
            "{said}"
        );
        assert_eq!(said.contains("ada@"), arguments.len() == 1, "{said}");
        assert!(said.contains("@example.com"), "{said}");
    }
}

#[test]
fn whoever_serves_is_warned_of_a_setting_that_nobody_reads() {
    let simulator = Simulator::start().unwrap();
    let home = Home::new(&simulator).with_file(".env", "PROXY_APIKEY=never-read\n");
    let proxy = home.serve();
    let warning = "PROXY_APIKEY is unknown; did you mean PROXY_API_KEY?";
    proxy.log().wait_for(warning);
    assert!(!proxy.log().text().contains("never-read"));
}
