//! Credentials that another program obtained: the Gemini CLI's file, and the
//! shapes of some other tools that sign in at the same client.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::config::OauthClient;
use crate::oauth::AccessToken;
use crate::oauth::credentials::{Assignment, Credentials, is_token};
use crate::oauth::token_endpoint::TokenEndpointError;
use crate::secret::Secret;

/// Such files have about 2 KiB.
const MAX_FILE_BYTES: u64 = 1024 * 1024;

/// The Gemini CLI's encrypted storage, beside its plain file.
const ENCRYPTED_FILE: &str = "gemini-credentials.json";

/// Nothing that could be imported.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ImportError {
    #[error(
        "there is no file {}; sign in with `gemini-proxy login` instead (the Gemini CLI may keep \
         its tokens in the system's keychain)", .0.display()
    )]
    NotFound(PathBuf),
    #[error(
        "the Gemini CLI keeps its tokens encrypted ({}); sign in with `gemini-proxy login` \
         instead", .0.display()
    )]
    Encrypted(PathBuf),
    #[error("cannot read {}: {detail}", path.display())]
    Unreadable { path: PathBuf, detail: String },
    #[error(
        "{} is not a file of credentials in JSON (line {line}, column {column}); is it complete?",
        path.display()
    )]
    NotJson {
        path: PathBuf,
        line: usize,
        column: usize,
    },
    #[error(
        "{} is the key of a service account; Code Assist serves people only: sign in with \
         `gemini-proxy login`", .0.display()
    )]
    ServiceAccount(PathBuf),
    #[error(
        "{} holds no refresh token, without which a sign-in ends within the hour; start the \
         program that wrote it once more, or sign in with `gemini-proxy login`", .0.display()
    )]
    NoRefreshToken(PathBuf),
    /// The file looks well, but Google gave no token for it.
    #[error(
        "{} was not taken over, and nothing has changed here, since its token could not be \
         renewed: {error}; or sign in with `gemini-proxy login`", path.display()
    )]
    NotRenewed {
        path: PathBuf,
        error: TokenEndpointError,
    },
}

/// Where the Gemini CLI keeps its tokens. `home` is `GEMINI_CLI_HOME`, else the
/// user's home.
pub fn gemini_cli_file(home: &Path) -> PathBuf {
    home.join(".gemini").join("oauth_creds.json")
}

/// Reads the Gemini CLI's `oauth_creds.json`, gcloud's
/// `application_default_credentials.json`, or the file of geminicli2api,
/// gcli2api or CLIProxyAPI. An access token whose end is not in milliseconds
/// counts as expired.
pub fn read(path: &Path) -> Result<Credentials, ImportError> {
    let content = match read_bounded(path) {
        Ok(content) => content,
        Err(error) if error.kind() == ErrorKind::NotFound => return Err(missing(path)),
        Err(error) => {
            return Err(ImportError::Unreadable {
                path: path.to_owned(),
                detail: error.to_string(),
            });
        }
    };
    if is_encrypted(&content) {
        return Err(ImportError::Encrypted(path.to_owned()));
    }
    let file: Value = serde_json::from_slice(&content).map_err(|error| ImportError::NotJson {
        path: path.to_owned(),
        line: error.line(),
        column: error.column(),
    })?;
    if text(&file, "type") == Some("service_account") {
        return Err(ImportError::ServiceAccount(path.to_owned()));
    }
    credentials(&file).ok_or_else(|| ImportError::NoRefreshToken(path.to_owned()))
}

fn read_bounded(path: &Path) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    File::open(path)?
        .take(MAX_FILE_BYTES)
        .read_to_end(&mut content)?;
    Ok(content)
}

fn missing(path: &Path) -> ImportError {
    let encrypted = path.with_file_name(ENCRYPTED_FILE);
    if encrypted.is_file() {
        ImportError::Encrypted(encrypted)
    } else {
        ImportError::NotFound(path.to_owned())
    }
}

/// `iv:tag:ciphertext`, each in hexadecimal.
fn is_encrypted(content: &[u8]) -> bool {
    let content = content.trim_ascii();
    content.iter().filter(|byte| **byte == b':').count() == 2
        && content
            .iter()
            .all(|byte| byte.is_ascii_hexdigit() || *byte == b':')
}

fn credentials(file: &Value) -> Option<Credentials> {
    // CLIProxyAPI wraps the tokens; the others do not, but may have a `token`
    // that is the access token itself.
    let tokens = file
        .get("token")
        .filter(|token| token.is_object())
        .unwrap_or(file);
    let access_token = secret(tokens, "access_token").or_else(|| secret(tokens, "token"));
    let expiry_date = tokens.get("expiry_date").and_then(Value::as_f64);
    let client = match (text(tokens, "client_id"), secret(tokens, "client_secret")) {
        (Some(id), Some(secret)) => Some(OauthClient {
            id: id.to_owned(),
            secret,
        }),
        _ => None,
    };
    Some(Credentials {
        refresh_token: secret(tokens, "refresh_token")?,
        expires_at_ms: match (&access_token, expiry_date) {
            (Some(_), Some(expiry)) => expiry as u64,
            _ => 0,
        },
        access_token: AccessToken::new(access_token.unwrap_or_else(|| Secret::new(""))),
        scope: text(tokens, "scope").map(str::to_owned),
        email: text(file, "email").map(str::to_owned),
        assignment: text(file, "project_id").map(|project| Assignment {
            project: project.to_owned(),
            tier: None,
            configured: None,
        }),
        client,
    })
}

fn secret(object: &Value, name: &str) -> Option<Secret> {
    text(object, name).map(Secret::new).filter(is_token)
}

fn text<'a>(object: &'a Value, name: &str) -> Option<&'a str> {
    object
        .get(name)
        .and_then(Value::as_str)
        .filter(|text| !text.is_empty())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn imported(content: &str) -> Result<Credentials, ImportError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("creds.json");
        std::fs::write(&path, content).unwrap();
        read(&path)
    }

    #[test]
    fn the_gemini_clis_file_is_taken_whole() {
        let credentials = imported(
            r#"{"access_token":"ya29.a","refresh_token":"1//r","scope":"a b","token_type":"Bearer",
                "id_token":"eyJ","expiry_date":1790000000123}"#,
        )
        .unwrap();
        assert_eq!(credentials.access_token.reveal(), "ya29.a");
        assert_eq!(credentials.refresh_token.reveal(), "1//r");
        assert_eq!(credentials.expires_at_ms, 1_790_000_000_123);
        assert_eq!(credentials.scope.as_deref(), Some("a b"));
        assert!(credentials.client.is_none());
    }

    #[test]
    fn an_expiry_with_a_fraction_is_understood() {
        let credentials =
            imported(r#"{"access_token":"a","refresh_token":"r","expiry_date":1790000000123.75}"#);
        assert_eq!(credentials.unwrap().expires_at_ms, 1_790_000_000_123);
    }

    #[test]
    fn a_refresh_token_alone_is_enough() {
        let credentials = imported(r#"{"refresh_token":"r","expiry_date":1790000000123}"#).unwrap();
        assert_eq!(credentials.access_token.reveal(), "");
        assert_eq!(credentials.expires_at_ms, 0);
    }

    #[test]
    fn the_files_of_other_tools_bring_their_own_client() {
        for content in [
            // geminicli2api
            r#"{"client_id":"c","client_secret":"s","token":"a","refresh_token":"r","scopes":["x"],
                "token_uri":"u","expiry":"2026-09-01T10:00:00Z","project_id":"p"}"#,
            // gcli2api
            r#"{"access_token":"a","refresh_token":"r","client_id":"c","client_secret":"s",
                "project_id":"p","expiry":"2026-09-01T10:00:00Z"}"#,
            // CLIProxyAPI
            r#"{"token":{"access_token":"a","refresh_token":"r","expiry":"2026","client_id":"c",
                "client_secret":"s"},"project_id":"p","email":"e","auto":false,"type":"gemini"}"#,
        ] {
            let credentials = imported(content).unwrap();
            assert_eq!(credentials.access_token.reveal(), "a");
            assert_eq!(credentials.refresh_token.reveal(), "r");
            assert_eq!(
                credentials.expires_at_ms, 0,
                "an end in words counts as past"
            );
            assert_eq!(credentials.assignment.unwrap().project, "p");
            let client = credentials.client.unwrap();
            assert_eq!((client.id.as_str(), client.secret.reveal()), ("c", "s"));
        }
    }

    #[test]
    fn gclouds_file_is_understood() {
        let credentials = imported(
            r#"{"type":"authorized_user","client_id":"c","client_secret":"s","refresh_token":"r",
                "quota_project_id":"q"}"#,
        )
        .unwrap();
        assert_eq!(credentials.refresh_token.reveal(), "r");
        assert_eq!(credentials.client.unwrap().id, "c");
        assert!(credentials.assignment.is_none());
    }

    #[test]
    fn what_cannot_be_imported_says_why() {
        let fails = |content: &str| imported(content).unwrap_err();
        let truncated = fails(r#"{"refresh_token":"1//secret","expi"#);
        assert!(matches!(truncated, ImportError::NotJson { .. }));
        assert!(!truncated.to_string().contains("secret"));
        let no_refresh = fails(r#"{"access_token":"a","expiry_date":1790000000123}"#);
        assert!(matches!(no_refresh, ImportError::NoRefreshToken(_)));
        assert!(matches!(fails("[]"), ImportError::NoRefreshToken(_)));
        let service = fails(r#"{"type":"service_account","private_key":"k"}"#);
        assert!(matches!(service, ImportError::ServiceAccount(_)));
        assert!(matches!(fails("0a1b:2c3d:4e5f"), ImportError::Encrypted(_)));
    }

    #[test]
    fn the_encrypted_storage_is_recognised_beside_the_missing_file() {
        let home = tempfile::tempdir().unwrap();
        let plain = gemini_cli_file(home.path());
        std::fs::create_dir_all(plain.parent().unwrap()).unwrap();
        assert!(matches!(read(&plain), Err(ImportError::NotFound(_))));
        std::fs::write(plain.with_file_name(ENCRYPTED_FILE), "0a:1b:2c").unwrap();
        assert!(matches!(read(&plain), Err(ImportError::Encrypted(_))));
    }
}
