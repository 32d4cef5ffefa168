//! One account, from the sign-in to the project, with a Google that says what it is told.

#![allow(clippy::unwrap_used)]

use std::thread;

use super::*;
use crate::oauth::testing::{Answer, FakeGoogle};

const LICENSED: &str = r#"{"currentTier":{"id":"standard-tier"},"cloudaicompanionProject":"acme"}"#;
const NEW_ACCOUNT: &str = r#"{"allowedTiers":[{"id":"free-tier","isDefault":true}]}"#;
const INELIGIBLE: &str = r#"{"ineligibleTiers":[
    {"reasonCode":"UNSUPPORTED_CLIENT","reasonMessage":"Gone."}]}"#;
const TOKENS: &str = r#"{"access_token":"ya29.a","expires_in":3599,"refresh_token":"1//r"}"#;

struct Scene {
    google: FakeGoogle,
    folder: tempfile::TempDir,
}

impl Scene {
    fn new(answers: Vec<Answer>) -> Self {
        Self {
            google: FakeGoogle::start(answers),
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn process(&self, project: Option<&str>) -> Account {
        let mut config = self.google.config();
        config.token_store = self.folder.path().join("tokens.json");
        config.project = project.map(str::to_owned);
        Account::new(self.google.http(), &config)
    }

    fn sign_in(&self, account: &Account) -> Result<SignedIn, AccountError> {
        let started = account.begin_sign_in("http://127.0.0.1:1".into()).unwrap();
        account.finish_sign_in("code", started.state.reveal())
    }
}

/// The answers to a sign-in, up to the project.
fn signing_in() -> Vec<Answer> {
    vec![
        Answer::json(200, TOKENS),
        Answer::json(200, r#"{"email":"me@example.com"}"#),
    ]
}

#[test]
fn a_sign_in_leads_to_a_project_that_outlives_the_process() {
    let mut answers = signing_in();
    answers.push(Answer::json(200, LICENSED));
    let scene = Scene::new(answers);
    let account = scene.process(None);
    let signed_in = scene.sign_in(&account).unwrap();
    assert_eq!(signed_in.email.as_deref(), Some("me@example.com"));
    assert_eq!(signed_in.project, "acme");
    for process in [&account, &scene.process(None)] {
        assert_eq!(process.ready(&Pulse::none()).unwrap().project, "acme");
        let status = process.status();
        assert!(status.signed_in && status.problem.is_none());
        assert_eq!(status.tier.as_deref(), Some("standard-tier"));
    }
    assert_eq!(scene.google.requests().len(), 3);
}

#[test]
fn another_configured_project_is_a_reason_to_ask_again() {
    let mut answers = signing_in();
    answers.push(Answer::json(200, LICENSED));
    answers.push(Answer::json(
        200,
        r#"{"currentTier":{"id":"standard-tier"}}"#,
    ));
    let scene = Scene::new(answers);
    scene.sign_in(&scene.process(None)).unwrap();
    let other = scene.process(Some("other"));
    assert_eq!(other.status().project, None);
    assert_eq!(other.ready(&Pulse::none()).unwrap().project, "other");
    assert_eq!(other.ready(&Pulse::none()).unwrap().project, "other");
    assert_eq!(scene.google.requests().len(), 4);
}

#[test]
fn lesson_01_a_refusal_keeps_the_credentials_and_is_not_asked_for_again_at_once() {
    let mut answers = signing_in();
    answers.push(Answer::json(200, INELIGIBLE));
    let scene = Scene::new(answers);
    let account = scene.process(None);
    let refused = scene.sign_in(&account).unwrap_err();
    assert!(matches!(refused, AccountError::Refused(_)), "{refused}");
    let again = account.ready(&Pulse::none()).unwrap_err();
    assert_eq!(again.to_string(), refused.to_string());
    assert_eq!(scene.google.requests().len(), 3);
    let status = account.status();
    assert!(status.signed_in);
    assert_eq!(status.problem.unwrap().to_string(), refused.to_string());
}

#[test]
fn many_who_wait_cause_one_question() {
    let mut answers = signing_in();
    answers.push(Answer::json(503, "{}"));
    answers.push(Answer::json(200, LICENSED));
    let scene = Scene::new(answers);
    let account = scene.process(None);
    let busy = scene.sign_in(&account).unwrap_err();
    assert!(matches!(busy, AccountError::Unavailable(_)), "{busy}");
    thread::scope(|scope| {
        let threads: Vec<_> = (0..16)
            .map(|_| scope.spawn(|| account.ready(&Pulse::none())))
            .collect();
        for thread in threads {
            assert_eq!(thread.join().unwrap().unwrap().project, "acme");
        }
    });
    assert_eq!(scene.google.requests().len(), 4);
}

#[test]
fn when_the_one_who_asks_leaves_the_next_one_takes_over() {
    let unfinished = r#"{"name":"operations/on-1","done":false}"#;
    let done = r#"{"done":true,"response":{"cloudaicompanionProject":{"id":"made"}}}"#;
    let mut answers = signing_in();
    // The sign-in itself comes to no project.
    answers.push(Answer::json(503, "{}"));
    answers.push(Answer::json(200, NEW_ACCOUNT));
    let (enrolment, release) = Answer::json(200, unfinished).held();
    answers.push(enrolment);
    answers.push(Answer::json(200, NEW_ACCOUNT));
    answers.push(Answer::json(200, done));
    let scene = Scene::new(answers);
    let account = scene.process(None);
    scene.sign_in(&account).unwrap_err();
    thread::scope(|scope| {
        let leaves = scope.spawn(|| account.ready(&Pulse::new(|| Err(GaveUp::Left))));
        for _ in 0..5 {
            scene.google.wait_for_request();
        }
        let stays = scope.spawn(|| account.ready(&Pulse::none()));
        drop(release);
        let left = leaves.join().unwrap().unwrap_err();
        assert!(matches!(left, AccountError::GaveUp(GaveUp::Left)), "{left}");
        assert_eq!(stays.join().unwrap().unwrap().project, "made");
    });
    assert_eq!(scene.google.requests().len(), 7);
}

#[test]
fn a_401_costs_one_refresh_and_one_retry() {
    let renewed = r#"{"access_token":"ya29.b","expires_in":3599}"#;
    let mut answers = signing_in();
    answers.push(Answer::json(401, "{}"));
    answers.push(Answer::json(200, renewed));
    answers.push(Answer::json(200, LICENSED));
    let scene = Scene::new(answers);
    let account = scene.process(None);
    assert_eq!(scene.sign_in(&account).unwrap().project, "acme");
    assert_eq!(
        account.ready(&Pulse::none()).unwrap().token.reveal(),
        "ya29.b"
    );
    assert_eq!(scene.google.requests().len(), 5);

    let mut answers = signing_in();
    answers.push(Answer::json(401, "{}"));
    answers.push(Answer::json(200, renewed));
    answers.push(Answer::json(401, "{}"));
    let scene = Scene::new(answers);
    let error = scene.sign_in(&scene.process(None)).unwrap_err();
    assert!(matches!(error, AccountError::Unauthenticated { .. }));
    assert_eq!(scene.google.requests().len(), 5);
}

#[test]
fn an_import_brings_its_project_along() {
    let scene = Scene::new(vec![
        Answer::json(200, r#"{"access_token":"ya29.b","expires_in":3599}"#),
        Answer::json(200, r#"{"email":"me@example.com"}"#),
    ]);
    let file = scene.folder.path().join("peer.json");
    std::fs::write(&file, r#"{"refresh_token":"1//p","project_id":"peers"}"#).unwrap();
    let imported = scene.process(None).import(&file).unwrap();
    assert_eq!(imported.project, "peers");
    assert_eq!(imported.email.as_deref(), Some("me@example.com"));
    assert_eq!(scene.google.requests().len(), 2);
}

#[test]
fn an_import_that_cannot_be_renewed_leaves_the_sign_in_that_was_there() {
    let dead = r#"{"error":"invalid_grant"}"#;
    for (status, answer) in [(400, dead), (503, "<html>")] {
        let mut answers = signing_in();
        answers.push(Answer::json(200, LICENSED));
        answers.push(Answer::json(status, answer));
        let scene = Scene::new(answers);
        let account = scene.process(None);
        scene.sign_in(&account).unwrap();
        let file = scene.folder.path().join("peer.json");
        std::fs::write(&file, r#"{"refresh_token":"1//dead"}"#).unwrap();
        let error = account.import(&file).unwrap_err();
        assert!(error.to_string().contains("nothing has changed"), "{error}");
        let status = scene.process(None).status();
        assert_eq!(status.email.as_deref(), Some("me@example.com"));
    }
}

#[test]
fn a_project_that_google_refuses_later_is_looked_for_again_but_not_at_once() {
    let mut answers = signing_in();
    answers.push(Answer::json(200, LICENSED));
    answers.push(Answer::json(200, LICENSED));
    let scene = Scene::new(answers);
    let account = scene.process(None);
    scene.sign_in(&account).unwrap();
    account.forget_project("acme", &Pulse::none());
    assert_eq!(account.status().project.as_deref(), Some("acme"));
    // A process that has not just asked.
    let other = scene.process(None);
    other.forget_project("another", &Pulse::none());
    assert_eq!(other.status().project.as_deref(), Some("acme"));
    other.forget_project("acme", &Pulse::none());
    assert_eq!(other.status().project, None);
    assert_eq!(other.ready(&Pulse::none()).unwrap().project, "acme");
    assert_eq!(scene.google.requests().len(), 4);
}
