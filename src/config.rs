//! Every setting, one documented field each, and where Google is.
//!
//! Only `cli/settings/` reads flags and the environment; everyone else
//! receives these values.

use std::path::PathBuf;
use std::time::Duration;

use crate::secret::Secret;

/// Everything a user may set.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where clients reach us: `PROXY_HOST`, an IP address or a host name.
    pub host: String,
    /// `PROXY_PORT`; 0 lets the system choose.
    pub port: u16,
    /// `PROXY_API_KEY`: the keys that open `/v1/*`. Empty: everyone may ask.
    pub api_keys: Vec<Secret>,
    /// `PROXY_CORS_ORIGINS`: whose web pages may ask from a browser.
    pub cors_origins: Origins,
    /// `PROXY_TOLERATE_MISSING_FINISH`: a stream that ends cleanly, though Google has not
    /// said why it stopped, counts as finished.
    pub tolerate_missing_finish: bool,
    /// `PROXY_MAX_BODY_MB`, in bytes.
    pub max_body_bytes: u64,
    /// `PROXY_SHUTDOWN_TIMEOUT`: how long requests may go on when we are to stop.
    pub shutdown_timeout: Duration,
    /// `PROXY_UPSTREAM`, or what `GEMINI_API_KEY` implies.
    pub upstream: UpstreamKind,
    /// `PROXY_SEARCH_WITH_TOOLS`: Google Search beside functions, from Gemini 3 on.
    pub search_with_tools: bool,
    /// `GEMINI_API_KEY`, sent to the Gemini API only.
    pub gemini_api_key: Option<Secret>,
    /// `GOOGLE_CLOUD_PROJECT`: the project to work in, where Google gives none.
    pub project: Option<String>,
    /// `TOKEN_STORE_PATH`: the file of the Google account's tokens.
    pub token_store: PathBuf,
    /// `CODE_ASSIST_USER_AGENT`; `None` for the default of `upstream/code_assist.rs`.
    pub user_agent: Option<String>,
    pub endpoints: Endpoints,
    pub oauth_client: OauthClient,
    pub outbound: Outbound,
    /// Google is the stand-in, and `gemini-proxy login` would go to the real one.
    pub is_demo: bool,
}

/// Origins of web pages (RFC 6454), such as `https://chat.example.com`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origins {
    Any,
    /// None, usually: then CORS is off.
    Listed(Vec<String>),
}

impl Origins {
    pub fn is_empty(&self) -> bool {
        matches!(self, Self::Listed(listed) if listed.is_empty())
    }
}

/// Which of Google's two services carries the requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UpstreamKind {
    /// Cloud Code Assist, with the Google account that signed in.
    CodeAssist,
    /// The official Gemini API, with `GEMINI_API_KEY`.
    GeminiApi,
}

impl UpstreamKind {
    /// As `PROXY_UPSTREAM` has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::CodeAssist => "code-assist",
            Self::GeminiApi => "gemini-api",
        }
    }
}

/// Google's addresses. Bases carry no trailing slash.
#[derive(Debug, Clone)]
pub struct Endpoints {
    /// `GOOGLE_OAUTH_AUTH_URL`: where the user's browser gives consent.
    pub authorization: String,
    /// `GOOGLE_OAUTH_TOKEN_URL`
    pub token: String,
    /// `GOOGLE_REVOKE_URL`
    pub revoke: String,
    /// `GOOGLE_USERINFO_URL`
    pub userinfo: String,
    /// `CODE_ASSIST_ENDPOINT`, without the version.
    pub code_assist: String,
    /// `GEMINI_API_ENDPOINT`, without the version.
    pub gemini_api: String,
}

impl Endpoints {
    /// Google itself.
    pub fn google() -> Self {
        Self {
            authorization: "https://accounts.google.com/o/oauth2/v2/auth".into(),
            token: "https://oauth2.googleapis.com/token".into(),
            revoke: "https://oauth2.googleapis.com/revoke".into(),
            userinfo: "https://www.googleapis.com/oauth2/v2/userinfo".into(),
            code_assist: "https://cloudcode-pa.googleapis.com".into(),
            gemini_api: "https://generativelanguage.googleapis.com".into(),
        }
    }

    /// One server that plays all of Google, as `simulator/` does.
    pub fn at(base: &str) -> Self {
        Self {
            authorization: format!("{base}/o/oauth2/v2/auth"),
            token: format!("{base}/token"),
            revoke: format!("{base}/revoke"),
            userinfo: format!("{base}/oauth2/v2/userinfo"),
            code_assist: base.into(),
            gemini_api: base.into(),
        }
    }
}

/// Who asks Google for tokens: an installed application (RFC 8252).
#[derive(Debug, Clone)]
pub struct OauthClient {
    /// `GOOGLE_OAUTH_CLIENT_ID`
    pub id: String,
    /// `GOOGLE_OAUTH_CLIENT_SECRET`
    pub secret: Secret,
}

impl OauthClient {
    /// The Gemini CLI's client. Its secret is public, as for every installed
    /// application (RFC 8252, section 8.5): Google prints it in the CLI's source
    /// and demands it at the token endpoint all the same.
    pub fn gemini_cli() -> Self {
        Self {
            id: "681255809395-oo8ft2oprdrnp9e3aqf6av3hmdib135j.apps.googleusercontent.com".into(),
            secret: Secret::new("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"),
        }
    }
}

/// How we reach the network.
#[derive(Debug, Clone)]
pub struct Outbound {
    /// `HTTPS_PROXY` or `ALL_PROXY`, with the password it may carry. Never used for
    /// loopback addresses.
    pub proxy: Option<Secret>,
    /// `NO_PROXY`: hosts that are reached directly, separated by commas.
    pub no_proxy: String,
    /// `SSL_CERT_FILE` is set: trust what it names (on macOS and Windows: what the
    /// system trusts) instead of the built-in roots.
    pub system_roots: bool,
    /// `PROXY_CONNECT_TIMEOUT`
    pub connect_timeout: Duration,
    /// `PROXY_FIRST_BYTE_TIMEOUT`: from the request's last byte to the answer's first. Gemini 3 Pro may
    /// think for more than a minute before it says anything.
    pub first_byte_timeout: Duration,
    /// `PROXY_IDLE_TIMEOUT`: between two pieces of an answer. No limit bounds the whole.
    pub idle_timeout: Duration,
}

impl Default for Outbound {
    fn default() -> Self {
        Self {
            proxy: None,
            no_proxy: String::new(),
            system_roots: false,
            connect_timeout: Duration::from_secs(10),
            first_byte_timeout: Duration::from_secs(300),
            idle_timeout: Duration::from_secs(300),
        }
    }
}
