//! What `scripts/` holds for those who leave the program running, a service of systemd
//! and a container image, held to what the program knows.
#![allow(clippy::unwrap_used)]

use std::process::Command;

const SERVICE: &str = include_str!("../scripts/systemd/gemini-proxy.service");
const CONTAINERFILE: &str = include_str!("../scripts/container/Containerfile");
const EXAMPLE_ENV: &str = include_str!("../.env.example");

/// Of a line `Name=value`.
fn directive(name: &str) -> &'static str {
    let mut lines = SERVICE.lines();
    let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
    value.unwrap_or_else(|| panic!("the service says no {name}"))
}

/// As `.env.example` has it, which the tests of README compare with the program.
fn default(setting: &str) -> u32 {
    let mut lines = EXAMPLE_ENV.lines();
    let value = lines.find_map(|line| line.strip_prefix(&format!("#{setting}=")));
    value.unwrap().parse().unwrap()
}

/// `NAME=value` of the image.
fn image_settings() -> impl Iterator<Item = (&'static str, &'static str)> {
    let line = CONTAINERFILE
        .lines()
        .find_map(|line| line.strip_prefix("ENV "));
    let pairs = line.unwrap().split(' ');
    pairs.map(|pair| pair.split_once('=').unwrap())
}

#[test]
fn systemd_waits_longer_for_the_end_than_requests_may_go_on() {
    let seconds: u32 = directive("TimeoutStopSec").parse().unwrap();
    assert!(seconds > default("PROXY_SHUTDOWN_TIMEOUT"), "{seconds}");
}

#[test]
fn systemd_allows_what_the_most_requests_take() {
    let most = default("PROXY_MAX_REQUESTS");
    let descriptors: u32 = directive("LimitNOFILE").parse().unwrap();
    let threads: u32 = directive("TasksMax").parse().unwrap();
    assert!(descriptors >= 3 * most + 200, "{descriptors}");
    assert!(threads > 2 * most, "{threads}");
}

/// The rest of the disk is read-only to it.
#[test]
fn the_service_keeps_its_tokens_in_its_own_folder() {
    let folder = format!("%S/{}", directive("StateDirectory"));
    let tokens = format!("TOKEN_STORE_PATH={folder}/tokens.json");
    assert_eq!(directive("Environment"), tokens);
    assert_eq!(directive("WorkingDirectory"), folder);
}

/// 20 of systemd's 100 points of exposure; a service that says nothing has 96.
#[cfg(target_os = "linux")]
#[test]
fn systemd_understands_the_service_and_finds_it_closed() {
    let folder = tempfile::tempdir().unwrap();
    let unit = folder.path().join("gemini-proxy.service");
    // Verified is also that the program is there.
    let built = env!("CARGO_BIN_EXE_gemini-proxy");
    let service = SERVICE.replace("/usr/local/bin/gemini-proxy", built);
    std::fs::write(&unit, service).unwrap();
    for arguments in [
        &["verify", "--man=no"][..],
        &["security", "--offline=true", "--threshold=20"],
    ] {
        let mut analyze = Command::new("systemd-analyze");
        analyze.args(arguments).arg(&unit);
        match analyze.output() {
            Ok(output) => {
                let stderr = String::from_utf8(output.stderr).unwrap();
                assert!(output.status.success() && stderr.is_empty(), "{stderr}");
            }
            // `.ci/run` has it; other machines may not.
            Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::NotFound),
        }
    }
}

#[test]
fn the_image_names_settings_and_starts_with_a_key_only() {
    let folder = tempfile::tempdir().unwrap();
    let mut serve = Command::new(env!("CARGO_BIN_EXE_gemini-proxy"));
    serve.arg("serve").current_dir(&folder);
    serve.env_remove("PROXY_API_KEY").env("PROXY_PORT", "0");
    for (name, value) in image_settings() {
        assert!(EXAMPLE_ENV.contains(&format!("#{name}=")), "{name}");
        serve.env(name, value);
    }
    let output = serve.output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("0.0.0.0 can be reached from other machines, which needs a key"));
}
