//! One file, whatever is in it and whoever else has it.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::config::OauthClient;
use crate::oauth::AccessToken;
use crate::oauth::credentials::Assignment;
use crate::secret::Secret;

pub(in crate::oauth) fn credentials() -> Credentials {
    Credentials {
        access_token: AccessToken::new(Secret::new("ya29.old")),
        refresh_token: Secret::new("1//old"),
        expires_at_ms: 1_790_000_000_123,
        scope: Some("a b".into()),
        email: Some("me@example.com".into()),
        assignment: Some(Assignment {
            project: "acme-dev".into(),
            tier: Some("standard-tier".into()),
            configured: Some("acme".into()),
        }),
        client: Some(OauthClient {
            id: "id".into(),
            secret: Secret::new("secret"),
        }),
    }
}

fn store_in(folder: &tempfile::TempDir) -> CredentialStore {
    CredentialStore::new(folder.path().join("made/on/demand/tokens.json"))
}

fn unusable(content: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let store = CredentialStore::new(folder.path().join("tokens.json"));
    fs::write(store.path(), content).unwrap();
    match store.load().unwrap() {
        Stored::Unusable(why) => why,
        other => panic!("{content} was read as {other:?}"),
    }
}

#[test]
fn what_is_saved_is_loaded() {
    let folder = tempfile::tempdir().unwrap();
    let store = store_in(&folder);
    assert!(matches!(store.load().unwrap(), Stored::Nothing));
    store.save(&credentials()).unwrap();
    let Stored::Credentials(loaded) = store.load().unwrap() else {
        panic!("no credentials");
    };
    assert_eq!(format!("{loaded:?}"), format!("{:?}", credentials()));
    assert_eq!(loaded.refresh_token, credentials().refresh_token);
    assert_eq!(loaded.access_token, credentials().access_token);
}

#[cfg(unix)]
#[test]
fn only_the_owner_may_read_it() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let store = store_in(&folder);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    store.save(&credentials()).unwrap();
    assert_eq!(mode(store.path()), 0o600);
    assert_eq!(mode(store.path().parent().unwrap()), 0o700);
    fs::set_permissions(store.path(), fs::Permissions::from_mode(0o644)).unwrap();
    store.save(&credentials()).unwrap();
    assert_eq!(mode(store.path()), 0o600);
}

#[test]
fn lesson_17_it_is_replaced_whole_and_nothing_is_left_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    let store = store_in(&folder);
    let before = store.save_identified(&credentials()).unwrap();
    let reader = File::open(store.path()).unwrap();
    let mut renewed = credentials();
    renewed.refresh_token = Secret::new("1//new");
    let after = store.save_identified(&renewed).unwrap();
    let old = io::read_to_string(reader).unwrap();
    assert!(old.contains("1//old") && old.ends_with("}\n"));
    assert_ne!(before, after);
    assert_eq!(store.identity().unwrap(), after);
    let siblings = fs::read_dir(store.path().parent().unwrap()).unwrap();
    assert_eq!(siblings.count(), 1);
}

#[cfg(unix)]
#[test]
fn a_link_stays_a_link_and_what_it_leads_to_is_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let real = CredentialStore::new(folder.path().join("elsewhere/real.json"));
    let link = CredentialStore::new(folder.path().join("link.json"));
    std::os::unix::fs::symlink("elsewhere/real.json", link.path()).unwrap();
    let is_link = || fs::symlink_metadata(link.path()).unwrap().is_symlink();
    link.save(&credentials()).unwrap();
    assert!(is_link(), "it led nowhere yet");
    link.save_ended("over").unwrap();
    assert!(is_link());
    assert!(matches!(real.load().unwrap(), Stored::Ended(_)));
    let aside = link.set_aside().unwrap();
    assert_eq!(aside.parent(), real.path().parent());
    link.save(&credentials()).unwrap();
    link.remove().unwrap();
    assert!(is_link() && !real.path().exists());
}

#[test]
fn a_process_that_was_killed_while_it_saved_leaves_nothing_for_good() {
    let folder = tempfile::tempdir().unwrap();
    let store = CredentialStore::new(folder.path().join("tokens.json"));
    let names = || {
        let entries = fs::read_dir(folder.path()).unwrap();
        entries
            .map(|entry| entry.unwrap().file_name())
            .collect::<Vec<_>>()
    };
    let killed = || drop(store.create_new(NEW).unwrap());
    killed();
    store.save(&credentials()).unwrap();
    assert_eq!(names(), ["tokens.json"]);
    killed();
    store.remove().unwrap();
    assert!(names().is_empty());
}

#[test]
fn an_ended_sign_in_keeps_its_reason_and_no_token() {
    let folder = tempfile::tempdir().unwrap();
    let store = store_in(&folder);
    store.save(&credentials()).unwrap();
    store.save_ended("revoked").unwrap();
    assert!(matches!(store.load().unwrap(), Stored::Ended(why) if why == "revoked"));
    let content = fs::read_to_string(store.path()).unwrap();
    assert!(!content.contains("1//old") && !content.contains("ya29"));
}

#[test]
fn broken_and_foreign_files_are_told_without_quoting_them() {
    for content in [
        "",
        "{\"refresh_token\": \"1//secret",
        "not json 1//secret",
        "[\"1//secret\"]",
        "{\"refresh_token\": [\"1//secret\"]}",
        "{\"refresh_token\": 7, \"access_token\": \"1//secret\"}",
        "{\"refresh_token\": \"1//\\n secret\"}",
        "{\"access_token\": \"1//secret\"}",
        "{}",
    ] {
        assert!(!unusable(content).contains("secret"), "{content}");
    }
    assert!(unusable(&" ".repeat(100_000)).contains("broken"));
    // gcloud's, the Gemini CLI's
    for field in ["\"type\": \"authorized_user\"", "\"id_token\": \"eyJ\""] {
        let content = format!("{{\"refresh_token\": \"1//secret\", {field}}}");
        assert!(unusable(&content).contains("login --import"), "{content}");
    }
}

#[test]
fn a_folder_that_cannot_be_made_is_found_out_before_there_is_anything_to_save() {
    let folder = tempfile::tempdir().unwrap();
    let store = CredentialStore::new(folder.path().join("tokens.json"));
    store.check_writable().unwrap();
    assert!(!store.sibling(NEW).exists());
    fs::write(store.path(), "a file").unwrap();
    let below = CredentialStore::new(store.path().join("tokens.json"));
    let error = below.check_writable().unwrap_err().to_string();
    assert!(error.starts_with("cannot write the token file"), "{error}");
}

#[test]
fn an_unusable_file_is_set_aside_not_destroyed() {
    let folder = tempfile::tempdir().unwrap();
    let store = CredentialStore::new(folder.path().join("tokens.json"));
    fs::write(store.path(), "precious").unwrap();
    let aside = store.set_aside().unwrap();
    assert_eq!(fs::read_to_string(aside).unwrap(), "precious");
    assert!(matches!(store.load().unwrap(), Stored::Nothing));
}

#[test]
fn one_holds_the_lock_and_the_others_do_not_wait_for_ever() {
    let folder = tempfile::tempdir().unwrap();
    let store = store_in(&folder);
    let held = store.lock(Duration::ZERO, &Pulse::none());
    assert!(matches!(held, StoreLock::Held { .. }));
    assert!(matches!(
        store.lock(Duration::ZERO, &Pulse::none()),
        StoreLock::Busy
    ));
    drop(held);
    assert!(matches!(
        store.lock(Duration::ZERO, &Pulse::none()),
        StoreLock::Held { .. }
    ));
}
