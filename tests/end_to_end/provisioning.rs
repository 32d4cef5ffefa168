//! Which project an account works in, or why it may not work at all.

use std::thread;

use gemini_proxy::simulator::Simulator;
use serde_json::{Value, json};

use crate::home::Home;
use crate::proxy::{Proxy, Road, generations, question, recorded};

/// The projects of the generation requests so far.
fn projects(simulator: &Simulator) -> Vec<Value> {
    generations(simulator)
        .iter()
        .map(|request| request.json()["project"].clone())
        .collect()
}

/// The message of a refusal of the account.
#[track_caller]
fn refused(proxy: &Proxy) -> String {
    let error = proxy.chat(&question("Hi")).error(403);
    assert_eq!(error["type"], "permission_error");
    assert_eq!(error["code"], "google_account_action_required");
    error["message"].as_str().unwrap().to_owned()
}

#[test]
fn googles_project_is_found_once_and_outlives_the_process() {
    let simulator = Simulator::start().unwrap();
    let home = Road::CodeAssist.home(&simulator);
    {
        let proxy = home.serve();
        proxy.chat(&question("Hi")).success();
        proxy.chat(&question("Hi")).success();
    }
    home.serve().chat(&question("Hi")).success();
    assert_eq!(projects(&simulator), vec![json!("stand-in-project"); 3]);
    let asked = recorded(&simulator, ":loadCodeAssist");
    assert_eq!(asked.len(), 1);
    let expected = json!({"metadata": {
        "ideType": "IDE_UNSPECIFIED",
        "platform": "PLATFORM_UNSPECIFIED",
        "pluginType": "GEMINI",
    }});
    assert_eq!(asked[0].json(), expected);
    assert!(recorded(&simulator, ":onboardUser").is_empty());
}

#[test]
fn many_first_requests_ask_once() {
    let simulator = Simulator::start().unwrap();
    let proxy = Proxy::start(&simulator);
    simulator
        .script(json!({"load_code_assist": [{"hold": "load"}]}))
        .unwrap();
    thread::scope(|scope| {
        let threads: Vec<_> = (0..16)
            .map(|_| scope.spawn(|| proxy.chat(&question("Hi"))))
            .collect();
        simulator.wait_for_requests(1);
        simulator.release("load");
        for thread in threads {
            thread.join().unwrap().success();
        }
    });
    assert_eq!(recorded(&simulator, ":loadCodeAssist").len(), 1);
}

#[test]
fn an_account_that_brings_its_own_project_must_name_it() {
    let simulator = Simulator::start().unwrap();
    simulator
        .set_state(json!({"tier": "standard-needs-project"}))
        .unwrap();
    let home = Road::CodeAssist.home(&simulator);
    let message = refused(&home.serve());
    assert!(message.contains("set GOOGLE_CLOUD_PROJECT"), "{message}");

    let home = home.env("GOOGLE_CLOUD_PROJECT", "my-own");
    home.serve().chat(&question("Hi")).success();
    assert_eq!(projects(&simulator), [json!("my-own")]);
    let asked = recorded(&simulator, ":loadCodeAssist")
        .pop()
        .unwrap()
        .json();
    assert_eq!(asked["cloudaicompanionProject"], "my-own");
    assert_eq!(asked["metadata"]["duetProject"], "my-own");

    // Another one is a reason to ask again.
    let home = home.env("GOOGLE_CLOUD_PROJECT", "my-other");
    home.serve().chat(&question("Hi")).success();
    assert_eq!(projects(&simulator)[1], "my-other");
}

#[test]
fn googles_project_wins_over_the_one_configured() {
    let simulator = Simulator::start().unwrap();
    let home = Road::CodeAssist.home(&simulator);
    let proxy = home.env("GOOGLE_CLOUD_PROJECT", "my-own").serve();
    proxy.chat(&question("Hi")).success();
    assert_eq!(projects(&simulator), [json!("stand-in-project")]);
}

#[test]
fn a_new_account_is_onboarded() {
    for by_get in [true, false] {
        let simulator = Simulator::start().unwrap();
        simulator
            .set_state(json!({"tier": "free-new", "operation_by_get": by_get}))
            .unwrap();
        let home = Road::CodeAssist.home(&simulator);
        home.serve().chat(&question("Hi")).success();
        assert_eq!(projects(&simulator), [json!("stand-in-project")]);
        let asked = recorded(&simulator, ":onboardUser");
        assert_eq!(asked.len(), if by_get { 1 } else { 2 });
        assert_eq!(asked[0].json()["tierId"], "free-tier");
        assert_eq!(asked[0].json().get("cloudaicompanionProject"), None);
        assert_eq!(recorded(&simulator, "/operations/").len(), 1);
        home.serve().chat(&question("Hi")).success();
        assert_eq!(recorded(&simulator, ":onboardUser").len(), asked.len());
    }
}

#[test]
fn the_free_tier_is_asked_for_without_a_project() {
    let simulator = Simulator::start().unwrap();
    simulator.set_state(json!({"tier": "free-new"})).unwrap();
    let home = Road::CodeAssist.home(&simulator);
    let proxy = home.env("GOOGLE_CLOUD_PROJECT", "my-own").serve();
    proxy.chat(&question("Hi")).success();
    assert_eq!(projects(&simulator), [json!("stand-in-project")]);
}

#[test]
fn an_onboarding_that_fails_says_why() {
    let simulator = Simulator::start().unwrap();
    simulator.set_state(json!({"tier": "free-new"})).unwrap();
    let failed = json!({"name": "operations/x", "done": true,
        "error": {"code": 7, "message": "The caller does not have permission"}});
    simulator
        .script(json!({"onboard": [{"json": failed}]}))
        .unwrap();
    let message = refused(&Proxy::start(&simulator));
    assert!(
        message.contains("The caller does not have permission"),
        "{message}"
    );
}

#[test]
fn lesson_01_a_personal_account_learns_of_the_way_out() {
    let simulator = Simulator::start().unwrap();
    simulator
        .set_state(json!({"tier": "free-refused"}))
        .unwrap();
    let proxy = Proxy::start(&simulator);
    let message = refused(&proxy);
    for words in [
        "This client is no longer supported for Gemini Code Assist for individuals.",
        "18 June 2026",
        "GEMINI_API_KEY",
        "https://aistudio.google.com/apikey",
    ] {
        assert!(message.contains(words), "{message}");
    }
    // Google is not asked again at once, and the account stays signed in.
    assert_eq!(refused(&proxy), message);
    assert_eq!(recorded(&simulator, ":loadCodeAssist").len(), 1);
    let status = proxy.get("/auth/status").success();
    assert_eq!(status["authenticated"], true);
    assert!(
        status["problem"]
            .as_str()
            .unwrap()
            .contains("GEMINI_API_KEY")
    );
    assert!(generations(&simulator).is_empty());
}

#[test]
fn lesson_19_an_account_to_be_verified_gets_the_link() {
    let simulator = Simulator::start().unwrap();
    simulator
        .set_state(json!({"tier": "validation-required", "validation_calls": 1}))
        .unwrap();
    let home = Road::CodeAssist.home(&simulator);
    let message = refused(&home.serve());
    for words in [
        "Verify your account to continue.",
        "https://accounts.google.com/signin/continue?plt=stand-in",
        "https://support.google.com/accounts?p=al_alert",
    ] {
        assert!(message.contains(words), "{message}");
    }
    // The user has opened it.
    home.serve().chat(&question("Hi")).success();
}

#[test]
fn every_reason_google_gives_is_passed_on() {
    let simulator = Simulator::start().unwrap();
    let reason = |code: &str, message: &str| json!({"reasonCode": code, "reasonMessage": message, "tierId": "free-tier"});
    let tiers = [
        reason("UNSUPPORTED_LOCATION", "Not in your country."),
        reason("SOMETHING_NEW", "The moon is full."),
    ];
    simulator
        .set_state(json!({"tier": "ineligible", "ineligible_tiers": tiers}))
        .unwrap();
    let message = refused(&Proxy::start(&simulator));
    for words in [
        "\"Not in your country.\"",
        "UNSUPPORTED_LOCATION",
        "\"The moon is full.\"",
        "SOMETHING_NEW",
        "GEMINI_API_KEY",
    ] {
        assert!(message.contains(words), "{message}");
    }
}

/// Names of Google's refusals, some of its words, and the next step.
const REFUSALS: [(&str, &str, &str); 9] = [
    (
        "account_validation_required",
        "Verify your account",
        "https://accounts.google.com/signin/continue?plt=stand-in",
    ),
    (
        "tos_violation",
        "violation of Terms of Service",
        "https://forms.gle/stand-in-appeal",
    ),
    (
        "subscription_required",
        "lack a Gemini Code Assist license",
        "https://cloud.google.com/gemini/docs/codeassist/request-license",
    ),
    (
        "named_user_required",
        "You must be a named user",
        "ask the administrator to assign it a licence",
    ),
    (
        "service_disabled",
        "has not been used in project 123456789012",
        "https://console.developers.google.com/apis/api/cloudaicompanion.googleapis.com",
    ),
    (
        "consumer_invalid",
        "Permission denied on resource project",
        "set GOOGLE_CLOUD_PROJECT",
    ),
    (
        "iam_permission_denied",
        "cloudaicompanion.companions.generateChat",
        "roles/cloudaicompanion.user",
    ),
    (
        "scope_insufficient",
        "insufficient authentication scopes",
        "sign in again",
    ),
    (
        "account_not_eligible",
        "not eligible for Gemini Code Assist for individuals",
        "GEMINI_API_KEY",
    ),
];

#[test]
fn lesson_20_each_refusal_of_the_account_has_googles_words_and_a_next_step() {
    for (name, said, next_step) in REFUSALS {
        let simulator = Simulator::start().unwrap();
        simulator
            .script(json!({"load_code_assist": [{"error": name}]}))
            .unwrap();
        let message = refused(&Proxy::start(&simulator));
        assert!(message.contains(said), "{name}: {message}");
        assert!(message.contains(next_step), "{name}: {message}");
    }
}

#[test]
fn so_has_each_refusal_of_a_request() {
    let simulator = Simulator::start().unwrap();
    let proxy = Proxy::start(&simulator);
    for (name, said, next_step) in REFUSALS {
        simulator
            .script(json!([{"error": name, "times": 2}]))
            .unwrap();
        let message = refused(&proxy);
        assert!(message.contains(said), "{name}: {message}");
        assert!(message.contains(next_step), "{name}: {message}");
        let mut request = question("Hi");
        request["stream"] = json!(true);
        let error = proxy.chat(&request).error(403);
        assert_eq!(error["message"], message);
        assert_eq!(
            generations(&simulator).len(),
            2,
            "{name} is not tried again"
        );
        simulator.reset();
    }
}

#[test]
fn a_project_that_google_refuses_later_is_asked_for_again() {
    let simulator = Simulator::start().unwrap();
    let mut credentials = simulator.sign_in();
    credentials["project_id"] = json!("former-project");
    let home = Home::new(&simulator).with_tokens(&credentials);
    let proxy = home.serve();
    let message = refused(&proxy);
    assert!(message.contains("former-project"), "{message}");
    assert!(recorded(&simulator, ":loadCodeAssist").is_empty());
    proxy.chat(&question("Hi")).success();
    assert_eq!(recorded(&simulator, ":loadCodeAssist").len(), 1);
    assert_eq!(home.tokens()["project_id"], "stand-in-project");
}

#[test]
fn behind_vpc_service_controls_the_configured_project_serves() {
    let simulator = Simulator::start().unwrap();
    simulator
        .set_state(json!({"tier": "standard-needs-project"}))
        .unwrap();
    simulator
        .script(
            json!({"load_code_assist": [{"error": "security_policy_violated", "times": "always"}]}),
        )
        .unwrap();
    let home = Road::CodeAssist.home(&simulator);
    let message = refused(&home.serve());
    assert!(message.contains("GOOGLE_CLOUD_PROJECT"), "{message}");
    let proxy = home.env("GOOGLE_CLOUD_PROJECT", "walled").serve();
    proxy.chat(&question("Hi")).success();
    assert_eq!(projects(&simulator), [json!("walled")]);
}

#[test]
fn what_goes_wrong_for_a_moment_is_no_refusal() {
    for failure in ["internal", "bad_gateway", "overloaded", "no_details"] {
        let simulator = Simulator::start().unwrap();
        let proxy = Proxy::start(&simulator);
        simulator
            .script(json!({"load_code_assist": [{"error": failure}]}))
            .unwrap();
        let error = proxy.chat(&question("Hi")).error(502);
        assert_eq!(error["code"], "upstream_error", "{failure}");
        proxy.chat(&question("Hi")).success();
    }
}

#[test]
fn a_token_that_died_meanwhile_costs_one_refresh() {
    let simulator = Simulator::start().unwrap();
    let proxy = Proxy::start(&simulator);
    simulator.expire_access_tokens();
    proxy.chat(&question("Hi")).success();
    assert_eq!(recorded(&simulator, ":loadCodeAssist").len(), 2);
    assert_eq!(recorded(&simulator, "/token").len(), 1);
    assert_eq!(generations(&simulator).len(), 1);
}
