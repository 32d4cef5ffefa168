//! Flags and environment to [`Config`]: the only place that knows the names.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use log::LevelFilter;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use crate::cli::args::Flags;
use crate::config::{Config, Endpoints, OauthClient, Origins, Outbound, UpstreamKind};
use crate::http::Http;
use crate::secret::Secret;

pub const DEFAULT_PORT: u16 = 3000;

/// 24 MB of images in base64.
const DEFAULT_MAX_BODY_MB: u64 = 32;

/// Google takes far less; each body is held in memory.
const MOST_BODY_MB: u64 = 1024;

/// Each takes two threads, and Linux lets a process have 32,768 unless told otherwise.
const DEFAULT_MAX_REQUESTS: usize = 8192;
const MOST_REQUESTS: usize = 1_000_000;

/// As long as Kubernetes waits; `docker stop` waits 10 s, systemd 90.
const DEFAULT_SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(30);

/// One setting is wrong. Says which, what was expected, and never a secret.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name}: {problem}")]
pub struct BadSetting {
    name: String,
    problem: String,
}

impl BadSetting {
    fn new(name: &str, problem: impl Into<String>) -> Self {
        Self {
            name: name.to_owned(),
            problem: problem.into(),
        }
    }

    /// Without a key nobody but this machine may reach the proxy.
    pub(super) fn needs_api_key(address: SocketAddr) -> Self {
        let problem = format!(
            "{} can be reached from other machines, which needs a key: set PROXY_API_KEY; \
             `gemini-proxy key` makes one",
            address.ip()
        );
        Self::new("PROXY_HOST or --host", problem)
    }
}

/// The settings of `serve`, `login`, `logout` and `status`.
pub fn read(
    variables: impl Fn(&str) -> Option<OsString>,
    flags: &Flags,
) -> Result<Config, BadSetting> {
    let settings = Settings { variables };
    let gemini_api_key = settings.secret("GEMINI_API_KEY")?;
    Ok(Config {
        host: settings.host(flags)?,
        port: settings.port(flags)?,
        api_keys: settings.api_keys()?,
        cors_origins: settings.cors_origins()?,
        tolerate_missing_finish: settings.switch("PROXY_TOLERATE_MISSING_FINISH")?,
        max_body_bytes: settings.max_body_bytes()?,
        max_requests: settings.max_requests()?,
        shutdown_timeout: settings.shutdown_timeout()?,
        upstream: settings.upstream(flags, gemini_api_key.is_some())?,
        search_with_tools: settings.switch("PROXY_SEARCH_WITH_TOOLS")?,
        gemini_api_key,
        project: settings.project()?,
        token_store: settings.token_store()?,
        user_agent: settings.header("CODE_ASSIST_USER_AGENT")?,
        endpoints: settings.endpoints()?,
        oauth_client: settings.oauth_client()?,
        outbound: settings.outbound()?,
        is_demo: false,
    })
}

/// For whatever asks Google.
pub(super) fn require_key(config: &Config) -> Result<(), BadSetting> {
    if config.upstream == UpstreamKind::GeminiApi && config.gemini_api_key.is_none() {
        let problem = "gemini-api needs a key: set GEMINI_API_KEY";
        return Err(BadSetting::new("PROXY_UPSTREAM", problem));
    }
    Ok(())
}

/// Of `demo`: where to listen and which road to show. Everything of Google's is
/// the stand-in's.
pub fn for_demo(
    variables: impl Fn(&str) -> Option<OsString>,
    flags: &Flags,
) -> Result<Config, BadSetting> {
    let settings = Settings { variables };
    Ok(Config {
        host: settings.host(flags)?,
        port: settings.port(flags)?,
        api_keys: settings.api_keys()?,
        cors_origins: settings.cors_origins()?,
        tolerate_missing_finish: settings.switch("PROXY_TOLERATE_MISSING_FINISH")?,
        max_body_bytes: settings.max_body_bytes()?,
        max_requests: settings.max_requests()?,
        shutdown_timeout: settings.shutdown_timeout()?,
        upstream: settings.upstream(flags, false)?,
        search_with_tools: settings.switch("PROXY_SEARCH_WITH_TOOLS")?,
        gemini_api_key: None,
        project: None,
        token_store: "tokens.json".into(),
        user_agent: None,
        endpoints: Endpoints::google(),
        oauth_client: OauthClient::gemini_cli(),
        // Images by address are fetched in earnest.
        outbound: settings.outbound()?,
        is_demo: true,
    })
}

/// What is to be logged, in env_logger's words.
pub fn log_filter(variables: impl Fn(&str) -> Option<OsString>) -> Result<String, BadSetting> {
    Settings { variables }.log_filter()
}

struct Settings<V> {
    variables: V,
}

impl<V: Fn(&str) -> Option<OsString>> Settings<V> {
    /// A variable that is set and not empty.
    fn text(&self, name: &str) -> Result<Option<String>, BadSetting> {
        match (self.variables)(name).filter(|value| !value.is_empty()) {
            None => Ok(None),
            Some(value) => match value.into_string() {
                Ok(value) => Ok(Some(value)),
                Err(_) => Err(BadSetting::new(name, "is not valid UTF-8")),
            },
        }
    }

    /// Off, unless it is turned on.
    fn switch(&self, name: &str) -> Result<bool, BadSetting> {
        match self.text(name)?.as_deref().map(str::trim) {
            None | Some("false" | "0") => Ok(false),
            Some("true" | "1") => Ok(true),
            Some(other) => Err(BadSetting::new(
                name,
                format!("'{other}' is not understood; expected true or false"),
            )),
        }
    }

    /// Text that can stand in an HTTP header.
    fn header(&self, name: &str) -> Result<Option<String>, BadSetting> {
        let value = self.text(name)?;
        match value {
            Some(value)
                if !value
                    .bytes()
                    .all(|byte| byte == b' ' || byte.is_ascii_graphic()) =>
            {
                Err(BadSetting::new(
                    name,
                    "may hold only visible ASCII characters",
                ))
            }
            value => Ok(value),
        }
    }

    fn secret(&self, name: &str) -> Result<Option<Secret>, BadSetting> {
        Ok(self.header(name)?.map(|value| Secret::new(value.trim())))
    }

    fn host(&self, flags: &Flags) -> Result<String, BadSetting> {
        let host = match &flags.host {
            Some(host) => Some(host.clone()),
            None => self.text("PROXY_HOST")?,
        };
        Ok(host.unwrap_or("127.0.0.1".into()))
    }

    fn port(&self, flags: &Flags) -> Result<u16, BadSetting> {
        match (flags.port, self.text("PROXY_PORT")?) {
            (Some(port), _) => Ok(port),
            (None, None) => Ok(DEFAULT_PORT),
            (None, Some(port)) => port.trim().parse().map_err(|_| {
                BadSetting::new(
                    "PROXY_PORT",
                    format!("'{port}' is not a port; expected 0 to 65535"),
                )
            }),
        }
    }

    fn api_keys(&self) -> Result<Vec<Secret>, BadSetting> {
        let keys = self.header("PROXY_API_KEY")?.unwrap_or_default();
        let keys = keys.split(',').map(str::trim).filter(|key| !key.is_empty());
        Ok(keys.map(Secret::new).collect())
    }

    fn cors_origins(&self) -> Result<Origins, BadSetting> {
        let name = "PROXY_CORS_ORIGINS";
        let origins = self.header(name)?.unwrap_or_default();
        let origins = origins.split(',').map(str::trim);
        let origins = origins.filter(|origin| !origin.is_empty());
        let origins: Vec<_> = origins.map(|one| one.trim_end_matches('/')).collect();
        if origins == ["*"] {
            return Ok(Origins::Any);
        }
        // `null`, which every local file has, is no origin to name.
        let is_origin = |one: &&&str| {
            let (scheme, host) = one.split_once("://").unwrap_or_default();
            !scheme.is_empty() && !host.is_empty() && !host.contains(['/', '*', '?', '#', ' '])
        };
        match origins.iter().find(|one| !is_origin(one)) {
            Some(wrong) => Err(BadSetting::new(
                name,
                format!(
                    "'{wrong}' is not an origin; expected https://chat.example.com, without a \
                     path, several separated by commas, or * alone for any"
                ),
            )),
            None => Ok(Origins::Listed(
                origins.into_iter().map(str::to_owned).collect(),
            )),
        }
    }

    fn max_body_bytes(&self) -> Result<u64, BadSetting> {
        let name = "PROXY_MAX_BODY_MB";
        let Some(size) = self.text(name)? else {
            return Ok(DEFAULT_MAX_BODY_MB << 20);
        };
        match size.trim().parse::<u64>() {
            Ok(size @ 1..=MOST_BODY_MB) => Ok(size << 20),
            _ => {
                let problem = format!("'{size}' is no size; expected 1 to {MOST_BODY_MB}, in MiB");
                Err(BadSetting::new(name, problem))
            }
        }
    }

    fn max_requests(&self) -> Result<usize, BadSetting> {
        let name = "PROXY_MAX_REQUESTS";
        let Some(count) = self.text(name)? else {
            return Ok(DEFAULT_MAX_REQUESTS);
        };
        match count.trim().parse::<usize>() {
            Ok(count @ 1..=MOST_REQUESTS) => Ok(count),
            _ => {
                let problem =
                    format!("'{count}' is no number of requests; expected 1 to {MOST_REQUESTS}");
                Err(BadSetting::new(name, problem))
            }
        }
    }

    fn shutdown_timeout(&self) -> Result<Duration, BadSetting> {
        let name = "PROXY_SHUTDOWN_TIMEOUT";
        match self.text(name)?.as_deref().map(str::trim) {
            None => Ok(DEFAULT_SHUTDOWN_TIMEOUT),
            Some("0") => Ok(Duration::ZERO),
            Some(seconds) => time_limit(seconds)
                .map_err(|problem| BadSetting::new(name, format!("{problem}, nor 0"))),
        }
    }

    fn upstream(&self, flags: &Flags, has_key: bool) -> Result<UpstreamKind, BadSetting> {
        let (name, value) = match &flags.upstream {
            Some(value) => ("--upstream", Some(value.clone())),
            None => ("PROXY_UPSTREAM", self.text("PROXY_UPSTREAM")?),
        };
        match value.as_deref() {
            None if has_key => Ok(UpstreamKind::GeminiApi),
            None | Some("code-assist") => Ok(UpstreamKind::CodeAssist),
            Some("gemini-api") => Ok(UpstreamKind::GeminiApi),
            Some(other) => {
                let problem = format!("'{other}' is unknown; expected code-assist or gemini-api");
                Err(BadSetting::new(name, problem))
            }
        }
    }

    fn project(&self) -> Result<Option<String>, BadSetting> {
        let name = "GOOGLE_CLOUD_PROJECT";
        let project = self.text(name)?;
        match project {
            Some(project) if project.bytes().all(|byte| byte.is_ascii_digit()) => {
                let problem = "must be the project's id, such as my-project-123, not its number; \
                               `gcloud projects list` shows it";
                Err(BadSetting::new(name, problem))
            }
            project => Ok(project),
        }
    }

    fn token_store(&self) -> Result<PathBuf, BadSetting> {
        let name = "TOKEN_STORE_PATH";
        let path = self.text(name)?.unwrap_or("./tokens.json".into());
        if path.starts_with('~') {
            let problem = format!("'{path}': only a shell knows what ~ is; write the whole path");
            return Err(BadSetting::new(name, problem));
        }
        if path.ends_with('/') || Path::new(&path).is_dir() {
            let problem = format!("'{path}' is a folder; name a file in it");
            return Err(BadSetting::new(name, problem));
        }
        Ok(path.into())
    }

    fn endpoints(&self) -> Result<Endpoints, BadSetting> {
        let google = Endpoints::google();
        Ok(Endpoints {
            authorization: self.address("GOOGLE_OAUTH_AUTH_URL", google.authorization)?,
            token: self.address("GOOGLE_OAUTH_TOKEN_URL", google.token)?,
            revoke: self.address("GOOGLE_REVOKE_URL", google.revoke)?,
            userinfo: self.address("GOOGLE_USERINFO_URL", google.userinfo)?,
            code_assist: self.address("CODE_ASSIST_ENDPOINT", google.code_assist)?,
            gemini_api: self.gemini_api(google.gemini_api)?,
        })
    }

    /// The version is the program's part of the address, though many add it.
    fn gemini_api(&self, default: String) -> Result<String, BadSetting> {
        let name = "GEMINI_API_ENDPOINT";
        let address = self.address(name, default)?;
        match address.strip_suffix("/v1beta") {
            Some(base) => Err(BadSetting::new(name, format!("leave out /v1beta: {base}"))),
            None => Ok(address),
        }
    }

    fn address(&self, name: &str, default: String) -> Result<String, BadSetting> {
        let Some(address) = self.text(name)? else {
            return Ok(default);
        };
        let address = address.trim();
        let is_base = |url: &url::Url| {
            matches!(url.scheme(), "http" | "https")
                && url.has_host()
                && url.query().is_none()
                && url.fragment().is_none()
        };
        match url::Url::parse(address) {
            Ok(url) if is_base(&url) => Ok(address.trim_end_matches('/').to_owned()),
            _ => Err(BadSetting::new(
                name,
                format!(
                    "'{address}' is no base address; expected http://host or https://host, \
                     perhaps with a port and a path"
                ),
            )),
        }
    }

    fn oauth_client(&self) -> Result<OauthClient, BadSetting> {
        let own = OauthClient::gemini_cli();
        let id = self.header("GOOGLE_OAUTH_CLIENT_ID")?;
        let secret = self.secret("GOOGLE_OAUTH_CLIENT_SECRET")?;
        if id.is_some() != secret.is_some() {
            let problem =
                "set both GOOGLE_OAUTH_CLIENT_ID and GOOGLE_OAUTH_CLIENT_SECRET, or neither";
            return Err(BadSetting::new("GOOGLE_OAUTH_CLIENT_ID", problem));
        }
        Ok(OauthClient {
            id: id.unwrap_or(own.id),
            secret: secret.unwrap_or(own.secret),
        })
    }

    fn outbound(&self) -> Result<Outbound, BadSetting> {
        let no_proxy = match self.text("NO_PROXY")? {
            Some(hosts) => Some(hosts),
            None => self.text("no_proxy")?,
        };
        let mut outbound = Outbound {
            no_proxy: no_proxy.unwrap_or_default(),
            system_roots: self.certificates()?,
            ..Outbound::default()
        };
        for (name, limit) in [
            ("PROXY_CONNECT_TIMEOUT", &mut outbound.connect_timeout),
            ("PROXY_FIRST_BYTE_TIMEOUT", &mut outbound.first_byte_timeout),
            ("PROXY_IDLE_TIMEOUT", &mut outbound.idle_timeout),
        ] {
            if let Some(seconds) = self.text(name)? {
                *limit = time_limit(&seconds).map_err(|problem| BadSetting::new(name, problem))?;
            }
        }
        for name in ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
            if let Some(proxy) = self.text(name)? {
                outbound.proxy = Some(Secret::new(proxy));
                // Only what will use it can tell what it understands.
                Http::new(&outbound).map_err(|bad| BadSetting::new(name, bad.to_string()))?;
                break;
            }
        }
        Ok(outbound)
    }

    /// `info`, unless `RUST_LOG` says otherwise. env_logger would take a word that it
    /// does not know for the name of a module, and log nothing but that.
    fn log_filter(&self) -> Result<String, BadSetting> {
        let name = "RUST_LOG";
        let filter = self.text(name)?.unwrap_or("info".into());
        let directives = filter.split('/').next().unwrap_or_default().split(',');
        for directive in directives.map(str::trim).filter(|text| !text.is_empty()) {
            let level = directive.rsplit('=').next().unwrap_or_default();
            if level.parse::<LevelFilter>().is_err() {
                let problem = format!(
                    "'{directive}' is not understood; expected off, error, warn, info, debug or \
                     trace, or one of them for a module, such as gemini_proxy=debug"
                );
                return Err(BadSetting::new(name, problem));
            }
        }
        Ok(filter)
    }

    /// Whether `SSL_CERT_FILE` names certificates to trust. The TLS library reads it
    /// itself; on macOS and Windows it asks the system instead.
    fn certificates(&self) -> Result<bool, BadSetting> {
        let name = "SSL_CERT_FILE";
        let Some(path) = self.text(name)? else {
            return Ok(false);
        };
        let pem = std::fs::read(&path)
            .map_err(|error| BadSetting::new(name, format!("cannot read {path}: {error}")))?;
        let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
        match certificates {
            Ok(certificates) if !certificates.is_empty() => Ok(true),
            Ok(_) => Err(BadSetting::new(
                name,
                format!("{path} holds no PEM certificate"),
            )),
            Err(error) => Err(BadSetting::new(
                name,
                format!("{path} holds a broken PEM certificate: {error}"),
            )),
        }
    }
}

/// Finite, and long enough for a packet.
fn time_limit(seconds: &str) -> Result<Duration, String> {
    match seconds.trim().parse::<f64>() {
        Ok(limit) if (0.1..=3600.0).contains(&limit) => Ok(Duration::from_secs_f64(limit)),
        _ => Err(format!(
            "'{seconds}' is not a number of seconds from 0.1 to 3600"
        )),
    }
}

#[cfg(test)]
mod tests {
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
    fn several_keys_are_separated_by_commas_and_empty_settings_are_absent() {
        let config = with(&[("PROXY_API_KEY", "a, b,"), ("PROXY_PORT", "")]).unwrap();
        assert_eq!(config.api_keys, [Secret::new("a"), Secret::new("b")]);
        assert_eq!(config.port, 3000);
    }
}
