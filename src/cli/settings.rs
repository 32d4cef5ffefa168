//! Flags and environment to [`Config`]: the only place that knows the names.

use std::ffi::OsString;
use std::net::{IpAddr, ToSocketAddrs};
use std::path::Path;

use crate::cli::args::Flags;
use crate::config::{Config, Endpoints, OauthClient, Origins, Outbound, UpstreamKind};
use crate::secret::Secret;

pub const DEFAULT_PORT: u16 = 3000;

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

    pub(super) fn no_gemini_api_key() -> Self {
        Self::new(
            "PROXY_UPSTREAM",
            "gemini-api needs a key: set GEMINI_API_KEY",
        )
    }
}

/// The settings of `serve`, `login`, `logout` and `status`.
pub fn read(
    variables: impl Fn(&str) -> Option<OsString>,
    flags: &Flags,
) -> Result<Config, BadSetting> {
    let settings = Settings { variables };
    let gemini_api_key = settings.secret("GEMINI_API_KEY")?;
    let config = Config {
        host: settings.host(flags)?,
        port: settings.port(flags)?,
        api_keys: settings.api_keys()?,
        cors_origins: settings.cors_origins()?,
        upstream: settings.upstream(flags, gemini_api_key.is_some())?,
        gemini_api_key,
        project: settings.project()?,
        token_store: settings
            .text("TOKEN_STORE_PATH")?
            .unwrap_or("./tokens.json".into())
            .into(),
        user_agent: settings.header("CODE_ASSIST_USER_AGENT")?,
        endpoints: settings.endpoints()?,
        oauth_client: settings.oauth_client()?,
        outbound: settings.outbound()?,
    };
    guard(&config)?;
    Ok(config)
}

/// Of `demo`: where to listen and which road to show. Everything of Google's is
/// the stand-in's.
pub fn for_demo(
    variables: impl Fn(&str) -> Option<OsString>,
    flags: &Flags,
) -> Result<Config, BadSetting> {
    let settings = Settings { variables };
    let config = Config {
        host: settings.host(flags)?,
        port: settings.port(flags)?,
        api_keys: settings.api_keys()?,
        cors_origins: settings.cors_origins()?,
        upstream: settings.upstream(flags, false)?,
        gemini_api_key: None,
        project: None,
        token_store: "tokens.json".into(),
        user_agent: None,
        endpoints: Endpoints::google(),
        oauth_client: OauthClient::gemini_cli(),
        // Images by address are fetched in earnest.
        outbound: settings.outbound()?,
    };
    guard(&config)?;
    Ok(config)
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
                let problem = "must be the project's id, such as my-project-123, not its number";
                Err(BadSetting::new(name, problem))
            }
            project => Ok(project),
        }
    }

    fn endpoints(&self) -> Result<Endpoints, BadSetting> {
        let google = Endpoints::google();
        Ok(Endpoints {
            authorization: self.address("GOOGLE_OAUTH_AUTH_URL", google.authorization)?,
            token: self.address("GOOGLE_OAUTH_TOKEN_URL", google.token)?,
            revoke: self.address("GOOGLE_REVOKE_URL", google.revoke)?,
            userinfo: self.address("GOOGLE_USERINFO_URL", google.userinfo)?,
            code_assist: self.address("CODE_ASSIST_ENDPOINT", google.code_assist)?,
            gemini_api: self.address("GEMINI_API_ENDPOINT", google.gemini_api)?,
        })
    }

    fn address(&self, name: &str, default: String) -> Result<String, BadSetting> {
        let Some(address) = self.text(name)? else {
            return Ok(default);
        };
        let is_web = |url: &url::Url| matches!(url.scheme(), "http" | "https") && url.has_host();
        match url::Url::parse(&address) {
            Ok(url) if is_web(&url) => Ok(address.trim_end_matches('/').to_owned()),
            _ => Err(BadSetting::new(
                name,
                format!("'{address}' is not an http(s) address"),
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
        let mut proxy = None;
        for name in ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
            proxy = proxy.or(self.text(name)?);
        }
        let no_proxy = match self.text("NO_PROXY")? {
            Some(hosts) => Some(hosts),
            None => self.text("no_proxy")?,
        };
        Ok(Outbound {
            proxy: proxy.map(Secret::new),
            no_proxy: no_proxy.unwrap_or_default(),
            system_roots: self.certificates()?,
            ..Outbound::default()
        })
    }

    /// Whether `SSL_CERT_FILE` names certificates to trust; the TLS library reads it itself.
    fn certificates(&self) -> Result<bool, BadSetting> {
        let name = "SSL_CERT_FILE";
        let Some(path) = self.text(name)? else {
            return Ok(false);
        };
        match std::fs::read(Path::new(&path)) {
            Err(error) => Err(BadSetting::new(
                name,
                format!("cannot read {path}: {error}"),
            )),
            Ok(pem) if !pem.windows(17).any(|window| window == b"BEGIN CERTIFICATE") => Err(
                BadSetting::new(name, format!("{path} holds no PEM certificate")),
            ),
            Ok(_) => Ok(true),
        }
    }
}

/// What would be unsafe, or could never work.
fn guard(config: &Config) -> Result<(), BadSetting> {
    if config.api_keys.is_empty() && !is_loopback(&config.host) {
        let problem = format!(
            "'{}' can be reached from other machines, which needs a key: set PROXY_API_KEY",
            config.host
        );
        return Err(BadSetting::new("PROXY_HOST", problem));
    }
    Ok(())
}

fn is_loopback(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    if let Ok(address) = host.parse::<IpAddr>() {
        return address.is_loopback();
    }
    match (host, 0).to_socket_addrs() {
        Ok(mut addresses) => addresses.all(|address| address.ip().is_loopback()),
        // Binding to it will fail, and say so.
        Err(_) => true,
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
    fn without_any_setting_it_listens_on_loopback_and_asks_code_assist() {
        let config = with(&[]).unwrap();
        assert_eq!((config.host.as_str(), config.port), ("127.0.0.1", 3000));
        assert_eq!(config.upstream, UpstreamKind::CodeAssist);
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
            ("PROXY_HOST", "0.0.0.0"),
            ("PROXY_HOST", "::"),
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
        ] {
            let message = with(&[(name, value)]).unwrap_err().to_string();
            assert!(
                message.starts_with(name) && !message.contains('\n'),
                "{message}"
            );
        }
    }

    #[test]
    fn beyond_loopback_a_key_is_demanded() {
        assert!(with(&[("PROXY_HOST", "0.0.0.0"), ("PROXY_API_KEY", "k")]).is_ok());
        assert!(with(&[("PROXY_HOST", "0.0.0.0"), ("PROXY_API_KEY", " , ")]).is_err());
        for host in ["localhost", "127.0.0.2", "::1", "[::1]"] {
            assert!(with(&[("PROXY_HOST", host)]).is_ok(), "{host}");
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
