//! Settings that are understood, and those that are not.
#![allow(clippy::unwrap_used)]

use super::*;

fn with(pairs: &[(&str, &str)]) -> Result<Config, BadSetting> {
    let find = |name: &str| {
        pairs
            .iter()
            .find(|(key, _)| *key == name)
            .map(|(_, value)| OsString::from(value))
    };
    read(find, &Flags::default())
}

#[test]
fn lesson_21_without_any_setting_it_listens_on_loopback_and_asks_code_assist() {
    let config = with(&[]).unwrap();
    assert_eq!((config.host.as_str(), config.port), ("127.0.0.1", 3000));
    assert_eq!(config.upstream, UpstreamKind::CodeAssist);
    assert_eq!(config.max_body_bytes, 32 * 1024 * 1024);
    assert_eq!(config.max_requests, 8192);
    assert_eq!(config.max_requests, 8192);
    assert!(!config.tolerate_missing_finish);
    assert_eq!(config.shutdown_timeout, Duration::from_secs(30));
    assert_eq!(
        config.endpoints.code_assist,
        "https://cloudcode-pa.googleapis.com"
    );
}

#[test]
fn an_api_key_chooses_the_gemini_api_and_proxy_upstream_decides_outright() {
    let key = ("GEMINI_API_KEY", "k");
    assert_eq!(with(&[key]).unwrap().upstream, UpstreamKind::GeminiApi);
    let config = with(&[key, ("PROXY_UPSTREAM", "code-assist")]).unwrap();
    assert_eq!(config.upstream, UpstreamKind::CodeAssist);
}

#[test]
fn a_bad_value_is_one_line_that_names_its_setting() {
    for (name, value) in [
        ("PROXY_PORT", "70000"),
        ("PROXY_PORT", "-1"),
        ("PROXY_UPSTREAM", "vertex"),
        ("PROXY_TOLERATE_MISSING_FINISH", "perhaps"),
        ("PROXY_MAX_BODY_MB", "0"),
        ("PROXY_MAX_BODY_MB", "1025"),
        ("PROXY_MAX_BODY_MB", "1.5"),
        ("PROXY_MAX_REQUESTS", "0"),
        ("PROXY_MAX_REQUESTS", "many"),
        ("PROXY_SEARCH_WITH_TOOLS", "yes"),
        ("PROXY_CORS_ORIGINS", "example.com"),
        ("PROXY_CORS_ORIGINS", "https://a.example,*"),
        ("PROXY_CORS_ORIGINS", "https://a.example/chat"),
        ("PROXY_CORS_ORIGINS", "null"),
        ("PROXY_ALLOWED_HOSTS", "*"),
        ("PROXY_ALLOWED_HOSTS", "*.example.com"),
        ("PROXY_ALLOWED_HOSTS", "proxy.example.com:3000"),
        ("PROXY_ALLOWED_HOSTS", "http://proxy.example.com"),
        ("PROXY_ALLOWED_HOSTS", "a b"),
        ("PROXY_ALLOWED_HOSTS", "me@proxy.example.com"),
        ("GOOGLE_CLOUD_PROJECT", "123456"),
        ("CODE_ASSIST_ENDPOINT", "cloudcode-pa.googleapis.com"),
        ("GOOGLE_OAUTH_TOKEN_URL", "ftp://x"),
        ("GEMINI_API_KEY", "a\nb"),
        ("CODE_ASSIST_USER_AGENT", "ü"),
        ("GOOGLE_OAUTH_CLIENT_ID", "alone"),
        ("SSL_CERT_FILE", "/nowhere/at/all.pem"),
        ("CODE_ASSIST_ENDPOINT", "https://example.com/?a=b"),
        ("GOOGLE_OAUTH_AUTH_URL", "https://example.com/#auth"),
        ("HTTPS_PROXY", "not a proxy"),
        ("all_proxy", "not a proxy"),
        ("PROXY_CONNECT_TIMEOUT", "0"),
        ("PROXY_FIRST_BYTE_TIMEOUT", "inf"),
        ("PROXY_IDLE_TIMEOUT", "5m"),
        ("PROXY_SHUTDOWN_TIMEOUT", "-1"),
        ("PROXY_SHUTDOWN_TIMEOUT", "never"),
        ("TOKEN_STORE_PATH", "/"),
        ("TOKEN_STORE_PATH", "new-folder/"),
        ("TOKEN_STORE_PATH", "~/tokens.json"),
    ] {
        let message = with(&[(name, value)]).unwrap_err().to_string();
        assert!(
            message.starts_with(name) && !message.contains('\n'),
            "{message}"
        );
    }
}

#[test]
fn a_file_of_certificates_holds_certificates() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let wrapped = |inside: &str| {
        let name = "CERTIFICATE";
        let pem = format!("# a root\n-----BEGIN {name}-----\n{inside}\n-----END {name}-----\n");
        std::fs::write(file.path(), pem).unwrap();
        with(&[("SSL_CERT_FILE", file.path().to_str().unwrap())])
    };
    assert!(wrapped("MIIB").unwrap().outbound.system_roots);
    let message = wrapped("not base64!").unwrap_err().to_string();
    assert!(message.contains("broken PEM certificate"), "{message}");
    std::fs::write(file.path(), "no certificate").unwrap();
    assert!(with(&[("SSL_CERT_FILE", file.path().to_str().unwrap())]).is_err());
}

#[test]
fn search_gives_way_to_functions_unless_it_is_told_not_to() {
    let searches = |pairs: &[_]| with(pairs).unwrap().search_with_tools;
    assert!(!searches(&[]) && !searches(&[("PROXY_SEARCH_WITH_TOOLS", "false")]));
    assert!(searches(&[("PROXY_SEARCH_WITH_TOOLS", "true")]));
}

#[test]
fn a_key_may_have_space_and_line_ends_around_it() {
    let config = with(&[("GEMINI_API_KEY", " k \r\n"), ("PROXY_API_KEY", "a\n")]).unwrap();
    assert_eq!(config.gemini_api_key, Some(Secret::new("k")));
    assert_eq!(config.api_keys, [Secret::new("a")]);
    let blank = with(&[("GEMINI_API_KEY", " \n")]).unwrap();
    assert_eq!(blank.gemini_api_key, None);
    assert_eq!(blank.upstream, UpstreamKind::CodeAssist);
}

#[test]
fn all_names_are_known_whatever_is_set() {
    let names = names();
    for name in ["PROXY_PORT", "RUST_LOG", "all_proxy", "GOOGLE_REVOKE_URL"] {
        assert!(names.contains(name), "{name}");
    }
}

#[test]
fn an_address_may_have_space_around_it() {
    let config = with(&[("CODE_ASSIST_ENDPOINT", " https://example.com/ ")]).unwrap();
    assert_eq!(config.endpoints.code_assist, "https://example.com");
}

#[test]
fn the_version_is_no_part_of_a_base_address() {
    let problem = with(&[("GEMINI_API_ENDPOINT", "https://example.com/x/v1beta/")]);
    let problem = problem.unwrap_err().to_string();
    assert!(
        problem.ends_with("leave out /v1beta: https://example.com/x"),
        "{problem}"
    );
}

#[test]
fn a_level_that_does_not_exist_does_not_silence_the_log() {
    let filter = |value: &str| log_filter(|_| Some(OsString::from(value)));
    for value in ["debug", "WARN", "gemini_proxy=debug,warn", "info/word", ""] {
        assert!(filter(value).is_ok(), "{value}");
    }
    for value in ["verbose", "info,gemini_proxy", "gemini_proxy=loud"] {
        let message = filter(value).unwrap_err().to_string();
        assert!(message.starts_with("RUST_LOG: "), "{message}");
    }
}

#[test]
fn origins_are_named_one_by_one_or_all_of_them() {
    let origins = |value| with(&[("PROXY_CORS_ORIGINS", value)]).unwrap().cors_origins;
    let listed = ["https://a.example", "app://obsidian.md"].map(str::to_owned);
    assert_eq!(
        origins("https://a.example/, app://obsidian.md"),
        Origins::Listed(listed.to_vec())
    );
    assert_eq!(origins(" * "), Origins::Any);
    assert!(origins("").is_empty());
}

#[test]
fn hosts_are_spelt_as_browsers_spell_them() {
    let hosts = |value| {
        with(&[("PROXY_ALLOWED_HOSTS", value)])
            .unwrap()
            .allowed_hosts
    };
    assert_eq!(
        hosts("Proxy.Example.com, 10.0.0.7,[FD00::1],"),
        ["proxy.example.com", "10.0.0.7", "[fd00::1]"]
    );
    assert!(hosts("").is_empty());
}

#[test]
fn several_keys_are_separated_by_commas_and_empty_settings_are_absent() {
    let config = with(&[("PROXY_API_KEY", "a, b,"), ("PROXY_PORT", "")]).unwrap();
    assert_eq!(config.api_keys, [Secret::new("a"), Secret::new("b")]);
    assert_eq!(config.port, 3000);
}
