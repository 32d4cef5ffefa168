//! Where Google is, who we are to it, and how the network is reached.

use std::ffi::OsString;
use std::time::Duration;

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use super::{BadSetting, Settings};
use crate::config::{Endpoints, OauthClient, Outbound};
use crate::http::Http;
use crate::secret::Secret;

impl<V: Fn(&str) -> Option<OsString>> Settings<V> {
    pub(super) fn endpoints(&self) -> Result<Endpoints, BadSetting> {
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

    pub(super) fn oauth_client(&self) -> Result<OauthClient, BadSetting> {
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

    pub(super) fn outbound(&self) -> Result<Outbound, BadSetting> {
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
pub(super) fn time_limit(seconds: &str) -> Result<Duration, String> {
    match seconds.trim().parse::<f64>() {
        Ok(limit) if (0.1..=3600.0).contains(&limit) => Ok(Duration::from_secs_f64(limit)),
        _ => Err(format!(
            "'{seconds}' is not a number of seconds from 0.1 to 3600"
        )),
    }
}
