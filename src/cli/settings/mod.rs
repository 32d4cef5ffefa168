//! Flags and environment to [`Config`]: the only place that knows the names.

mod network;
#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use log::LevelFilter;

use self::network::time_limit;
use crate::cli::args::Flags;
use crate::config::{Config, Endpoints, OauthClient, Origins, UpstreamKind};
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
        allowed_hosts: settings.allowed_hosts()?,
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
        allowed_hosts: settings.allowed_hosts()?,
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

/// The names of all settings.
pub(super) fn names() -> BTreeSet<String> {
    let names = RefCell::new(BTreeSet::new());
    let unset = |name: &str| {
        names.borrow_mut().insert(name.to_owned());
        None
    };
    // Whatever comes of it: each is looked up, since none is set.
    let _ = (read(unset, &Flags::default()), log_filter(unset));
    names.into_inner()
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
        // What is copied, or read from a file, brings a space or a line end with it.
        let value = self.text(name)?.map(|value| value.trim().to_owned());
        match value.filter(|value| !value.is_empty()) {
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
        Ok(self.header(name)?.map(Secret::new))
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

    /// As browsers spell them.
    fn allowed_hosts(&self) -> Result<Vec<String>, BadSetting> {
        let name = "PROXY_ALLOWED_HOSTS";
        let hosts = self.header(name)?.unwrap_or_default();
        let hosts = hosts
            .split(',')
            .map(str::trim)
            .filter(|host| !host.is_empty());
        let spelt = |host: &str| {
            let url = url::Url::parse(&format!("http://{host}/")).ok()?;
            let is_name_alone = !host.contains([':', '/', '@', '?', '#', '*']);
            let is_ipv6 = host.starts_with('[') && host.ends_with(']');
            (is_name_alone || is_ipv6).then(|| url.host_str().map(str::to_owned))?
        };
        hosts
            .map(|host| {
                spelt(host).ok_or_else(|| {
                    let message = format!(
                        "'{host}' is not the name of a host; expected proxy.example.com, without \
                         scheme, port and path, several separated by commas (for any name, set \
                         PROXY_API_KEY instead)"
                    );
                    BadSetting::new(name, message)
                })
            })
            .collect()
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
}
