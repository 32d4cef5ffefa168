//! Which path leads where.

use std::borrow::Cow;

/// Where clients' base URLs may end; each route is served under all of them.
const PREFIXES: [&str; 3] = ["/v1beta/openai", "/openai/v1", "/v1"];

/// Parts of OpenAI's API that Gemini has no equal for, or that are not built here.
const UNSUPPORTED: [&str; 12] = [
    "embeddings",
    "images",
    "audio",
    "files",
    "batches",
    "moderations",
    "assistants",
    "threads",
    "fine_tuning",
    "realtime",
    "vector_stores",
    "uploads",
];

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Route {
    ChatCompletions,
    Completions,
    Responses,
    /// How long the input of one is.
    ResponseInputTokens,
    /// An answer that is kept.
    Response(String),
    Models,
    Model(String),
    Health,
    Metrics,
    /// The page that a person opens.
    Welcome,
    /// What that page shows, as JSON.
    Status,
    AuthLogin,
    AuthCallback,
    AuthStatus,
    AuthLogout,
    /// OpenAI has it, we don't.
    Unsupported,
    Unknown,
}

/// Who may come a way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Guard {
    Open,
    /// Whoever has one of the proxy's keys, if it has any.
    Key,
    /// The same, and whoever sits at this machine.
    KeyOrHere,
}

impl Route {
    /// `path` is percent-encoded and without a query.
    pub(super) fn of(path: &str) -> Self {
        let path = tidy(path);
        match &*path {
            "/" => return Self::Welcome,
            "/health" => return Self::Health,
            "/metrics" => return Self::Metrics,
            "/status" => return Self::Status,
            "/auth/login" => return Self::AuthLogin,
            "/auth/callback" => return Self::AuthCallback,
            "/auth/status" => return Self::AuthStatus,
            "/auth/logout" => return Self::AuthLogout,
            _ => {}
        }
        let stripped = PREFIXES.iter().find_map(|prefix| path.strip_prefix(prefix));
        let api_path = stripped
            .filter(|rest| rest.starts_with('/'))
            .unwrap_or(&path);
        match api_path {
            "/chat/completions" => return Self::ChatCompletions,
            "/completions" => return Self::Completions,
            "/responses" => return Self::Responses,
            "/responses/input_tokens" => return Self::ResponseInputTokens,
            "/models" => return Self::Models,
            _ => {}
        }
        if let Some(id) = api_path.strip_prefix("/responses/") {
            // `/input_items`, `/cancel`, `/compact`
            let is_id = !id.contains('/') && id != "compact";
            return if is_id {
                Self::Response(id.to_owned())
            } else {
                Self::Unsupported
            };
        }
        if let Some(id) = api_path.strip_prefix("/models/") {
            let id = percent_encoding::percent_decode_str(id).decode_utf8_lossy();
            return Self::Model(id.into_owned());
        }
        let first = api_path
            .trim_start_matches('/')
            .split('/')
            .next()
            .unwrap_or_default();
        if UNSUPPORTED.contains(&first) {
            Self::Unsupported
        } else {
            Self::Unknown
        }
    }

    /// As `GET /metrics` calls it.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::ChatCompletions => "chat_completions",
            Self::Completions => "completions",
            Self::Responses => "responses",
            Self::Response(_) | Self::ResponseInputTokens => "response",
            Self::Models => "models",
            Self::Model(_) => "model",
            Self::Health => "health",
            Self::Metrics => "metrics",
            Self::Welcome => "welcome",
            Self::Status => "status",
            Self::AuthLogin | Self::AuthCallback | Self::AuthStatus | Self::AuthLogout => "auth",
            Self::Unsupported => "unsupported",
            Self::Unknown => "other",
        }
    }

    /// Whether an answer of the model's is asked for.
    pub(super) fn asks_google(&self) -> bool {
        matches!(
            self,
            Self::ChatCompletions | Self::Completions | Self::Responses
        )
    }

    /// For the `Allow` header.
    pub(super) fn methods(&self) -> &'static str {
        match self {
            Self::ChatCompletions
            | Self::Completions
            | Self::Responses
            | Self::ResponseInputTokens
            | Self::AuthLogout => "POST",
            Self::Response(_) => "GET, HEAD, DELETE",
            // These change something, which HEAD must not.
            Self::AuthLogin | Self::AuthCallback => "GET",
            Self::Unsupported | Self::Unknown => "",
            _ => "GET, HEAD",
        }
    }

    pub(super) fn allows(&self, method: &str) -> bool {
        let methods = self.methods();
        methods.is_empty() || methods.split(", ").any(|allowed| allowed == method)
    }

    /// Who may come this way.
    pub(super) fn guard(&self) -> Guard {
        match self {
            // The welcome shows nothing of the account to whoever has no key. The state that
            // comes with the callback was given to whoever passed at the login.
            Self::Health | Self::Welcome | Self::AuthStatus | Self::AuthCallback => Guard::Open,
            Self::AuthLogin | Self::AuthLogout => Guard::KeyOrHere,
            _ => Guard::Key,
        }
    }
}

/// One slash between segments and none at the end.
fn tidy(path: &str) -> Cow<'_, str> {
    if !path.contains("//") && (path.len() == 1 || !path.ends_with('/')) {
        return Cow::Borrowed(path);
    }
    let segments = path.split('/').filter(|segment| !segment.is_empty());
    let mut tidy = String::new();
    for segment in segments {
        tidy.push('/');
        tidy.push_str(segment);
    }
    if tidy.is_empty() {
        tidy.push('/');
    }
    Cow::Owned(tidy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_prefix_and_spelling_leads_to_the_same_route() {
        for path in [
            "/v1/chat/completions",
            "/chat/completions",
            "//v1//chat/completions/",
            "/openai/v1/chat/completions",
            "/v1beta/openai/chat/completions",
        ] {
            assert_eq!(Route::of(path), Route::ChatCompletions, "{path}");
        }
        assert_eq!(
            Route::of("/v1/models/models%2Fx"),
            Route::Model("models/x".into())
        );
        assert_eq!(Route::of("/v1/embeddings"), Route::Unsupported);
        assert_eq!(Route::of("/v1chat/completions"), Route::Unknown);
        assert_eq!(Route::of(""), Route::Unknown);
    }
}
