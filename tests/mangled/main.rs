//! What comes from outside, mangled in every way: cut short anywhere, begun anywhere,
//! each byte replaced by each of those that mean something, and noise. No parser may
//! panic, and none may take half of a secret for the whole of it.
//!
//! Where else parsers are exhausted: the cookie in `server/sign_in_cookie.rs`, event
//! streams at each pair of cuts in `wire/sse.rs`, request heads in `tests/transport`,
//! bodies in gzip in `tests/end_to_end/surface.rs`, Google's answers in
//! `tests/translation/guards.rs`. There is none for JWTs, `Retry-After` and multipart:
//! nothing reads them.
#![allow(clippy::unwrap_used)]

use std::fs;

use gemini_proxy::oauth::import;
use gemini_proxy::oauth::pasted::{Pasted, parse_pasted};
use gemini_proxy::oauth::store::{CredentialStore, Stored};
use gemini_proxy::translate::{self, Fetched, Manner, NoSignatures};
use gemini_proxy::upstream::GoogleError;
use gemini_proxy::wire::gemini::GenerateContentResponse;
use gemini_proxy::wire::google_oauth::{TokenErrorResponse, TokenResponse};
use gemini_proxy::wire::openai::ChatRequest;
use gemini_proxy::wire::provisioning::{LoadCodeAssistResponse, Operation};
use gemini_proxy::wire::sse::{Decoder, Frame};
use serde_json::json;

/// Bytes that mean something to one parser or another, or to none.
const BYTES: &[u8] = b"\0\n \"%,.9:;=[]{}\\\xc3\xff";

/// Everything that may become of a text on its way, but the text itself.
fn mangled(text: &str) -> impl Iterator<Item = Vec<u8>> {
    let text = text.as_bytes();
    let cuts = (0..text.len()).flat_map(move |at| [text[..at].to_vec(), text[at + 1..].to_vec()]);
    let swaps = (0..text.len()).flat_map(move |at| {
        BYTES.iter().map(move |byte| {
            let mut swapped = text.to_vec();
            swapped[at] = *byte;
            swapped
        })
    });
    cuts.chain(swaps).chain(noise(text.len()))
}

/// The same at each run: xorshift (Marsaglia, 2003).
fn noise(length: usize) -> impl Iterator<Item = Vec<u8>> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[0]
    };
    (0..200).map(move |_| (0..length).map(|_| next()).collect())
}

fn as_text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn event_streams() {
    let stream =
        "\u{FEFF}: hello\r\n\r\ndata: {\"text\":\"Grüße\"}\r\nid: 1\n\ndata:a\rdata: b\r\r[1]";
    for bytes in mangled(stream) {
        let mut decoder = Decoder::default();
        let pieces = bytes.chunks(7).chain([&b""[..]]);
        let mut count = 0;
        for piece in pieces {
            let read = decoder.read_with(|buffer| {
                buffer[..piece.len()].copy_from_slice(piece);
                Ok::<_, ()>(piece.len())
            });
            read.unwrap();
            while decoder.advance() {
                count += match decoder.current() {
                    Frame::Data(data) | Frame::Bare(data) => data.len(),
                };
            }
        }
        assert!(count <= bytes.len(), "{}", as_text(&bytes));
    }
}

#[test]
fn errors_of_googles_and_the_delays_in_them() {
    let body = json!({"error": {"code": 429, "status": "RESOURCE_EXHAUSTED",
        "message": "You exceeded it. Please retry in 13h19m1.5s.", "details": [
            {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "41.2s"},
            {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [
                {"quotaId": "PerDay", "quotaValue": "0"}]},
            {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "R",
             "metadata": {"quotaResetDelay": "1m0.5s"}}]}});
    let body = body.to_string();
    for bytes in mangled(&body) {
        let error = GoogleError::parse(429, &bytes);
        assert_eq!(error.http_status, 429);
        // Whatever it says, something is made of it.
        let _ = (error.verdict(), error.to_string());
    }
}

#[test]
fn answers_of_googles() {
    let event = json!({"candidates": [{"content": {"role": "model", "parts": [
        {"text": "Grüße", "thought": true, "thoughtSignature": "c2ln"},
        {"functionCall": {"name": "f", "args": {"x": [1e3, null]}}}]},
        "finishReason": "STOP"}], "usageMetadata": {"promptTokenCount": 3}});
    let account = r#"{"currentTier":{"id":"standard-tier"},"cloudaicompanionProject":"acme",
        "allowedTiers":[{"id":"free-tier","isDefault":true}],"ineligibleTiers":[{"reasonCode":"X"}]}"#;
    let operation = r#"{"name":"operations/1","done":true,"response":
        {"cloudaicompanionProject":{"id":"acme"}},"error":{"code":7}}"#;
    let mut understood = 0;
    for bytes in mangled(&event.to_string()) {
        understood +=
            usize::from(serde_json::from_slice::<GenerateContentResponse<'_>>(&bytes).is_ok());
    }
    for bytes in mangled(account) {
        understood += usize::from(serde_json::from_slice::<LoadCodeAssistResponse>(&bytes).is_ok());
    }
    for bytes in mangled(operation) {
        understood += usize::from(serde_json::from_slice::<Operation>(&bytes).is_ok());
    }
    assert!(understood > 0, "a letter of a text may be another one");
}

#[test]
fn answers_of_the_token_endpoint() {
    let tokens = r#"{"access_token":"ya29.a","expires_in":3599,"refresh_token":"1//r"}"#;
    for bytes in mangled(tokens) {
        if let Ok(answer) = serde_json::from_slice::<TokenResponse>(&bytes) {
            let text = as_text(&bytes);
            assert!(text.starts_with('{') && text.ends_with('}'), "{text}");
            assert!(text.contains(answer.access_token.reveal()), "{text}");
        }
    }
    for bytes in mangled(r#"{"error":"invalid_grant","error_description":"No."}"#) {
        let _ = serde_json::from_slice::<TokenErrorResponse>(&bytes);
    }
}

#[test]
fn token_files_and_files_to_import() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokens.json");
    let file = r#"{"access_token":"ya29.a","refresh_token":"1//r","expiry_date":1790000000123,
        "token_type":"Bearer","scope":"s","email":"a@b","project_id":"p"}"#;
    for bytes in mangled(file) {
        fs::write(&path, &bytes).unwrap();
        let text = as_text(&bytes);
        let is_whole = text.starts_with('{') && text.trim_end().ends_with('}');
        let stored = CredentialStore::new(path.clone()).load().unwrap();
        assert!(is_whole || matches!(stored, Stored::Unusable(_)), "{text}");
        match import::read(&path) {
            Ok(_) => assert!(is_whole, "{text}"),
            Err(error) => assert!(!error.to_string().contains("1//r"), "{error}"),
        }
        assert_eq!(fs::read(&path).unwrap(), bytes, "it is left as it is");
    }
}

#[test]
fn what_is_pasted() {
    let address = "http://127.0.0.1:3000/auth/callback?state=abc&code=4%2F0Af&scope=a+b#x";
    for bytes in mangled(address) {
        if let Pasted::Redirect { code, .. } = parse_pasted(&as_text(&bytes)) {
            assert!(!code.reveal().is_empty());
        }
    }
    for bytes in mangled("error=access_denied&error_description=No%21&state=abc") {
        let _ = parse_pasted(&as_text(&bytes));
    }
}

#[test]
fn data_urls() {
    for url in [
        "data:image/png;name=a.png;base64,iVBORw0KGgo=",
        "data:,a%20b%C3%A9",
    ] {
        for bytes in mangled(url) {
            let body = json!({"model": "gemini-2.5-flash", "messages": [{"role": "user", "content": [
                {"type": "text", "text": "What is it?"},
                {"type": "image_url", "image_url": {"url": as_text(&bytes)}},
                {"type": "file", "file": {"filename": "a.png", "file_data": as_text(&bytes)}}]}]});
            let body = body.to_string();
            let chat: ChatRequest<'_> = serde_json::from_str(&body).unwrap();
            let (model, fetched) = ("gemini-2.5-flash", Fetched::default());
            let manner = Manner::default();
            if let Ok(translated) =
                translate::request(&chat, model, &NoSignatures, &fetched, manner)
            {
                serde_json::to_vec(&translated.request).unwrap();
            }
        }
    }
}
