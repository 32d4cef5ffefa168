//! One account, one file, several threads and processes.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use super::*;
use crate::http::GaveUp;
use crate::oauth::store::tests::credentials;
use crate::oauth::testing::{Answer, FakeGoogle};
use crate::oauth::{SignedOut, now_ms};
use crate::secret::Secret;

const RENEWED: &str = r#"{"access_token":"ya29.new","expires_in":3599,"token_type":"Bearer"}"#;
const REVOKED: &str =
    r#"{"error":"invalid_grant","error_description":"Token has been expired or revoked."}"#;

/// One account in one file, and a Google that says what it is told.
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

    fn file(&self) -> PathBuf {
        self.folder.path().join("tokens.json")
    }

    /// As another process would: nothing is shared but the file.
    fn process(&self) -> TokenSource {
        let mut config = self.google.config();
        config.token_store = self.file();
        TokenSource::new(self.google.http(), &config)
    }

    /// The account `1//old` with a token that ends so much later than now.
    fn signed_in(&self, lifetime_ms: u64) -> TokenSource {
        let mut account = credentials();
        account.expires_at_ms = now_ms() + lifetime_ms;
        let process = self.process();
        process.adopt(account).unwrap();
        process
    }

    fn on_disk(&self) -> String {
        fs::read_to_string(self.file()).unwrap()
    }
}

const HOUR_MS: u64 = 3_600_000;
const MINUTE_MS: u64 = 60_000;

fn token(tokens: &TokenSource) -> String {
    tokens
        .access_token(&Pulse::none())
        .unwrap()
        .reveal()
        .to_owned()
}

#[test]
fn a_fresh_token_is_given_without_asking_google() {
    let scene = Scene::new(vec![]);
    let tokens = scene.signed_in(HOUR_MS);
    assert_eq!(token(&tokens), "ya29.old");
    assert!(scene.google.requests().is_empty());
}

#[test]
fn many_threads_cause_one_refresh() {
    let scene = Scene::new(vec![Answer::json(200, RENEWED)]);
    let tokens = scene.signed_in(0);
    thread::scope(|scope| {
        let threads: Vec<_> = (0..32).map(|_| scope.spawn(|| token(&tokens))).collect();
        for thread in threads {
            assert_eq!(thread.join().unwrap(), "ya29.new");
        }
    });
    assert_eq!(scene.google.requests().len(), 1);
    assert!(
        scene.on_disk().contains("1//old"),
        "the refresh token is kept"
    );
}

#[test]
fn two_processes_cause_one_refresh() {
    let scene = Scene::new(vec![Answer::json(200, RENEWED)]);
    let one = scene.signed_in(0);
    let other = scene.process();
    thread::scope(|scope| {
        let threads: Vec<_> = [&one, &other]
            .into_iter()
            .cycle()
            .take(16)
            .map(|process| scope.spawn(|| token(process)))
            .collect();
        for thread in threads {
            assert_eq!(thread.join().unwrap(), "ya29.new");
        }
    });
    assert_eq!(scene.google.requests().len(), 1);
}

/// A client of whom each beat tells, and finds that he has left.
fn leaver() -> (impl Fn() -> Pulse + Send, Receiver<()>) {
    let (beats, beaten) = channel();
    let pulse = move || {
        let beats = beats.clone();
        Pulse::new(move || {
            beats.send(()).unwrap();
            Err(GaveUp::Left)
        })
    };
    (pulse, beaten)
}

#[test]
fn a_renewal_beats_and_is_not_given_up_when_its_client_leaves() {
    let (renewal, release) = Answer::json(200, RENEWED).held();
    let scene = Scene::new(vec![renewal]);
    let tokens = scene.signed_in(0);
    let (pulse, beaten) = leaver();
    thread::scope(|scope| {
        let first = scope.spawn(|| tokens.access_token(&pulse()));
        scene.google.wait_for_request();
        let waits = scope.spawn(|| token(&tokens));
        beaten.recv().unwrap();
        drop(release);
        assert_eq!(first.join().unwrap().unwrap().reveal(), "ya29.new");
        assert_eq!(waits.join().unwrap(), "ya29.new");
    });
    assert_eq!(scene.google.requests().len(), 1);
    assert!(scene.on_disk().contains("ya29.new"));
}

#[test]
fn who_waits_for_anothers_renewal_beats_and_may_leave() {
    let (renewal, release) = Answer::json(200, RENEWED).held();
    let scene = Scene::new(vec![renewal]);
    let tokens = scene.signed_in(0);
    let (pulse, beaten) = leaver();
    thread::scope(|scope| {
        let first = scope.spawn(|| token(&tokens));
        scene.google.wait_for_request();
        let leaves = scope.spawn(|| tokens.access_token(&pulse()));
        assert!(matches!(
            leaves.join().unwrap(),
            Err(AuthError::GaveUp(GaveUp::Left))
        ));
        drop(release);
        assert_eq!(first.join().unwrap(), "ya29.new");
    });
    assert_eq!(beaten.try_iter().count(), 1);
    assert_eq!(scene.google.requests().len(), 1);
    assert!(tokens.status().problem.is_none());
}

#[test]
fn who_waits_for_another_process_beats_and_may_leave() {
    let scene = Scene::new(vec![Answer::json(200, RENEWED)]);
    let tokens = scene.signed_in(0);
    let other = scene.process();
    let lock = other.store.lock(Duration::ZERO, &Pulse::none());
    let (pulse, _beaten) = leaver();
    let left = tokens.access_token(&pulse());
    assert!(matches!(left, Err(AuthError::GaveUp(GaveUp::Left))));
    drop(lock);
    assert_eq!(token(&tokens), "ya29.new");
    assert_eq!(scene.google.requests().len(), 1);
}

#[test]
fn those_who_waited_for_a_failure_share_it() {
    let (failure, release) = Answer::json(503, "{}").held();
    let scene = Scene::new(vec![failure]);
    let tokens = scene.signed_in(0);
    let asked_at = Instant::now();
    thread::scope(|scope| {
        let first = scope.spawn(|| tokens.access_token(&Pulse::none()));
        scene.google.wait_for_request();
        drop(release);
        assert!(first.join().unwrap().is_err());
    });
    let stale = tokens.state().credentials().unwrap().clone();
    let shared = tokens.renew(&stale, asked_at, Urgency::Due, &Pulse::none());
    assert!(matches!(
        shared,
        Err(AuthError::Unavailable { status: 503 })
    ));
    assert_eq!(scene.google.requests().len(), 1);
}

#[test]
fn a_rotated_refresh_token_replaces_the_old_one() {
    let rotated = r#"{"access_token":"ya29.new","expires_in":3599,"refresh_token":"1//new"}"#;
    let scene = Scene::new(vec![Answer::json(200, rotated)]);
    assert_eq!(token(&scene.signed_in(0)), "ya29.new");
    assert!(scene.on_disk().contains("1//new") && !scene.on_disk().contains("1//old"));
}

#[test]
fn an_empty_refresh_token_does_not_replace_a_good_one() {
    let answer = r#"{"access_token":"ya29.new","expires_in":"3599","refresh_token":""}"#;
    let scene = Scene::new(vec![Answer::json(200, answer)]);
    let tokens = scene.signed_in(0);
    assert_eq!(token(&tokens), "ya29.new");
    assert!(scene.on_disk().contains("1//old"));
    assert!(tokens.status().expires_at_ms.unwrap() > now_ms() + HOUR_MS / 2);
}

#[test]
fn a_revoked_sign_in_is_forgotten_and_every_process_knows_why() {
    let scene = Scene::new(vec![Answer::json(400, REVOKED)]);
    let tokens = scene.signed_in(0);
    for process in [&tokens, &scene.process(), &tokens] {
        let error = process.access_token(&Pulse::none()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "not signed in to Google: the sign-in has ended (invalid_grant: Token has been \
             expired or revoked)"
        );
    }
    assert_eq!(scene.google.requests().len(), 1);
    assert!(!scene.on_disk().contains("1//old"));
}

#[test]
fn a_sign_in_by_another_process_outlives_the_old_ones_death() {
    let (dead, release) = Answer::json(400, REVOKED).held();
    let scene = Scene::new(vec![dead, Answer::json(200, RENEWED)]);
    let tokens = scene.signed_in(0);
    thread::scope(|scope| {
        let waiting = scope.spawn(|| token(&tokens));
        scene.google.wait_for_request();
        // One that knows nothing of our lock.
        let mut replaced = credentials();
        replaced.refresh_token = Secret::new("1//replaced");
        replaced.expires_at_ms = 0;
        CredentialStore::new(scene.file()).save(&replaced).unwrap();
        drop(release);
        assert_eq!(waiting.join().unwrap(), "ya29.new");
    });
    assert!(scene.google.requests()[1].contains("1%2F%2Freplaced"));
    assert!(scene.on_disk().contains("1//replaced"));
}

#[test]
fn failures_that_say_nothing_about_the_credentials_leave_them_alone() {
    for (status, body) in [
        (500, "{}"),
        (429, "{}"),
        (502, "<html>Bad Gateway</html>"),
        (401, r#"{"error":"invalid_client"}"#),
        (403, r#"{"error":"admin_policy_enforced"}"#),
    ] {
        let scene = Scene::new(vec![Answer::json(status, body), Answer::json(200, RENEWED)]);
        let tokens = scene.signed_in(0);
        let before = scene.on_disk();
        let error = tokens.access_token(&Pulse::none()).unwrap_err();
        assert!(
            !matches!(error, AuthError::SignInRequired { .. }),
            "{error}"
        );
        assert_eq!(scene.on_disk(), before);
        assert!(tokens.status().signed_in && tokens.status().problem.is_some());
        assert_eq!(token(&tokens), "ya29.new");
        assert!(tokens.status().problem.is_none());
    }
}

#[test]
fn nobody_at_the_token_endpoint_is_not_a_reason_to_sign_in() {
    let scene = Scene::new(vec![]);
    scene.signed_in(0);
    let mut config = scene.google.config();
    config.token_store = scene.file();
    // The discard port, which nobody serves.
    config.endpoints = Endpoints::at("http://127.0.0.1:9");
    let error = TokenSource::new(scene.google.http(), &config).access_token(&Pulse::none());
    assert!(matches!(error, Err(AuthError::Unreachable(_))));
    assert!(scene.on_disk().contains("1//old"));
}

#[test]
fn while_the_old_token_lives_a_failed_refresh_is_no_error() {
    let scene = Scene::new(vec![Answer::json(500, "{}")]);
    let tokens = scene.signed_in(MINUTE_MS);
    assert_eq!(token(&tokens), "ya29.old");
    assert_eq!(token(&tokens), "ya29.old");
    assert_eq!(
        scene.google.requests().len(),
        1,
        "and is not repeated at once"
    );
}

#[test]
fn a_hanging_refresh_delays_neither_the_status_nor_those_whose_token_lives() {
    let (renewed, release) = Answer::json(200, RENEWED).held();
    let scene = Scene::new(vec![renewed]);
    let tokens = scene.signed_in(MINUTE_MS);
    thread::scope(|scope| {
        let renewing = scope.spawn(|| token(&tokens));
        scene.google.wait_for_request();
        assert!(tokens.status().signed_in);
        assert_eq!(token(&tokens), "ya29.old");
        assert_eq!(token(&scene.process()), "ya29.old");
        drop(release);
        assert_eq!(renewing.join().unwrap(), "ya29.new");
    });
    assert_eq!(scene.google.requests().len(), 1);
}

#[test]
fn a_token_google_refused_is_replaced_once() {
    let scene = Scene::new(vec![Answer::json(200, RENEWED)]);
    let tokens = scene.signed_in(HOUR_MS);
    let refused = tokens.access_token(&Pulse::none()).unwrap();
    tokens.discard(&refused);
    assert_eq!(token(&tokens), "ya29.new");
    tokens.discard(&refused);
    assert_eq!(token(&tokens), "ya29.new");
    assert_eq!(scene.google.requests().len(), 1);
}

#[test]
fn sign_in_and_sign_out_by_other_processes_are_noticed() {
    let scene = Scene::new(vec![Answer::json(200, "{}")]);
    let tokens = scene.process();
    let never = tokens.access_token(&Pulse::none()).unwrap_err();
    assert!(matches!(
        never,
        AuthError::SignInRequired {
            why: SignedOut::Nobody
        }
    ));
    let other = scene.signed_in(HOUR_MS);
    assert_eq!(token(&tokens), "ya29.old");
    assert_eq!(other.sign_out().unwrap(), SignOut::Revoked);
    assert!(!tokens.status().signed_in);
    assert!(tokens.access_token(&Pulse::none()).is_err());
    assert!(scene.google.requests()[0].contains("token=1%2F%2Fold"));
}

#[test]
fn a_sign_out_forgets_even_if_google_cannot_be_told() {
    let scene = Scene::new(vec![Answer::json(503, "{}")]);
    let tokens = scene.signed_in(HOUR_MS);
    assert_eq!(tokens.sign_out().unwrap(), SignOut::Forgotten);
    assert!(!scene.file().exists());
    assert_eq!(tokens.sign_out().unwrap(), SignOut::WasNotSignedIn);
}

#[test]
fn a_sign_out_where_nobody_is_signed_in_leaves_no_trace() {
    let scene = Scene::new(vec![]);
    let outcome = scene.process().sign_out().unwrap();
    assert_eq!(outcome, SignOut::WasNotSignedIn);
    assert_eq!(fs::read_dir(scene.folder.path()).unwrap().count(), 0);
}

#[test]
fn only_a_dead_token_counts_as_revoked_when_google_refuses_to_revoke_it() {
    for (error, outcome) in [
        ("invalid_token", SignOut::Revoked),
        ("invalid_request", SignOut::Forgotten),
    ] {
        let scene = Scene::new(vec![Answer::json(400, format!(r#"{{"error":"{error}"}}"#))]);
        let tokens = scene.signed_in(HOUR_MS);
        assert_eq!(tokens.sign_out().unwrap(), outcome, "{error}");
    }
}

#[test]
fn a_file_that_is_not_ours_is_set_aside_by_a_new_sign_in() {
    let scene = Scene::new(vec![]);
    fs::write(scene.file(), "precious").unwrap();
    let error = scene.process().access_token(&Pulse::none()).unwrap_err();
    let AuthError::SignInRequired {
        why: SignedOut::Unusable(_),
    } = error
    else {
        panic!("{error}");
    };
    assert_eq!(scene.on_disk(), "precious");
    assert_eq!(token(&scene.signed_in(HOUR_MS)), "ya29.old");
    let kept = fs::read_dir(scene.folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .any(|path| fs::read_to_string(path).unwrap() == "precious");
    assert!(kept);
}

#[test]
fn imported_tokens_are_renewed_with_the_client_they_belong_to() {
    let scene = Scene::new(vec![Answer::json(200, RENEWED)]);
    let mut foreign = credentials();
    foreign.expires_at_ms = 0;
    foreign.client = Some(OauthClient {
        id: "foreign-client".into(),
        secret: Secret::new("foreign-secret"),
    });
    let tokens = scene.process();
    tokens.adopt(foreign).unwrap();
    assert_eq!(token(&tokens), "ya29.new");
    let asked = &scene.google.requests()[0];
    assert!(asked.contains("client_id=foreign-client&client_secret=foreign-secret"));
    assert!(scene.on_disk().contains("foreign-client"));
}

#[test]
fn the_project_is_remembered_for_its_own_account_only() {
    let scene = Scene::new(vec![]);
    let tokens = scene.signed_in(HOUR_MS);
    let owner = tokens.credentials(&Pulse::none()).unwrap();
    let assignment = Assignment {
        project: "acme-prod".into(),
        tier: None,
        configured: None,
    };
    tokens
        .remember_project(&owner, Some(assignment.clone()), &Pulse::none())
        .unwrap();
    assert_eq!(
        scene.process().status().assignment,
        Some(assignment.clone())
    );
    let mut stranger = owner;
    stranger.refresh_token = Secret::new("1//stranger");
    tokens
        .remember_project(&stranger, None, &Pulse::none())
        .unwrap();
    assert_eq!(scene.process().status().assignment, Some(assignment));
}

#[test]
fn what_could_not_be_written_is_written_as_soon_as_it_can_be() {
    let rotated = r#"{"access_token":"ya29.new","expires_in":3599,"refresh_token":"1//new"}"#;
    let scene = Scene::new(vec![Answer::json(200, rotated)]);
    let tokens = scene.signed_in(0);
    let obstacle = scene.folder.path().join("tokens.json.new");
    fs::create_dir(&obstacle).unwrap();
    assert_eq!(token(&tokens), "ya29.new");
    assert!(scene.on_disk().contains("1//old"));
    fs::remove_dir(&obstacle).unwrap();
    assert_eq!(token(&tokens), "ya29.new");
    assert!(scene.on_disk().contains("1//old"), "not with each request");
    tokens.state().save_again_at = Some(Instant::now());
    assert_eq!(token(&tokens), "ya29.new");
    assert!(scene.on_disk().contains("1//new") && scene.on_disk().contains("ya29.new"));
    assert_eq!(tokens.state().save_again_at, None);
}

#[test]
fn what_another_process_has_written_since_is_not_written_over() {
    let scene = Scene::new(vec![Answer::json(200, RENEWED)]);
    let tokens = scene.signed_in(0);
    let obstacle = scene.folder.path().join("tokens.json.new");
    fs::create_dir(&obstacle).unwrap();
    assert_eq!(token(&tokens), "ya29.new");
    fs::remove_dir(&obstacle).unwrap();
    let mut newer = credentials();
    newer.refresh_token = Secret::new("1//newer");
    newer.expires_at_ms = now_ms() + HOUR_MS;
    scene.process().adopt(newer).unwrap();
    tokens.wait_for_turn();
    assert!(scene.on_disk().contains("1//newer"));
}
