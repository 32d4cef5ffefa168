//! Images, sound, video and documents, by what is in a URL (`data:`, RFC 2397) or
//! behind it.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use url::Url;

use super::{Fetched, Rejection, sniff};
use crate::wire::Text;
use crate::wire::gemini::{Blob, FileData, Part};

/// The part for a URL of any scheme, in a part of the type `kind`. `param` names
/// it in a refusal.
pub(super) fn by_url<'a>(
    kind: &str,
    url: &'a str,
    fetched: &'a Fetched,
    param: &str,
) -> Result<Part<'a>, Rejection> {
    if is_data_url(url) {
        return inline(url, param);
    }
    if is_for_google(kind, url) {
        return Ok(Part::file_data(file_data(kind, url)));
    }
    if let Some(medium) = fetched.get(url) {
        return Ok(Part::inline_data(medium.mime_type, &*medium.data));
    }
    let message = if must_be_fetched(kind, url) {
        "What this URL leads to was not fetched."
    } else {
        "Expected a URL that begins with https://, http://, gs:// or data:."
    };
    Err(Rejection::new(bad_url(kind), param, message))
}

/// Whether we fetch what is behind the URL; else it is here, or Google does.
pub(super) fn must_be_fetched(kind: &str, url: &str) -> bool {
    (has_scheme(url, "https:") || has_scheme(url, "http:")) && !is_for_google(kind, url)
}

/// OpenAI's word for a URL that is of no use.
pub(super) fn bad_url(kind: &str) -> &'static str {
    if kind == "image_url" {
        "invalid_image_url"
    } else {
        "invalid_value"
    }
}

/// Cloud Storage and YouTube are Google's own. Other videos are mostly too large
/// to be sent inline; Google fetches them, too.
fn is_for_google(kind: &str, url: &str) -> bool {
    let is_web = has_scheme(url, "https:") || has_scheme(url, "http:");
    has_scheme(url, "gs:") || is_web && (kind == "video_url" || is_youtube(url))
}

fn is_youtube(url: &str) -> bool {
    const HOSTS: [&str; 4] = [
        "youtube.com",
        "www.youtube.com",
        "m.youtube.com",
        "youtu.be",
    ];
    let url = Url::parse(url).ok();
    let host = url.as_ref().and_then(Url::host_str);
    host.is_some_and(|host| HOSTS.contains(&host))
}

fn file_data<'a>(kind: &str, url: &'a str) -> FileData<'a> {
    let path = url.split(['?', '#']).next().unwrap_or_default();
    let is_video = kind == "video_url" || is_youtube(url);
    let mime_type = type_of_name(path).or(is_video.then_some("video/mp4"));
    FileData {
        mime_type: mime_type.map(Text::from),
        file_uri: url.into(),
    }
}

/// The part for a `data:` URL. `param` names it in a refusal.
pub(super) fn inline<'a>(url: &'a str, param: &str) -> Result<Part<'a>, Rejection> {
    let Some((kind, payload)) = split(url) else {
        let message = "Invalid data URL. Expected data:<type>;base64,<data>.";
        return Err(Rejection::new("invalid_value", param, message));
    };
    let mut attributes = kind.split(';').map(str::trim);
    let mime_type = attributes.next().unwrap_or_default().to_ascii_lowercase();
    if mime_type.is_empty() {
        let message = "The data URL does not name its type. Expected data:<type>;base64,<data>.";
        return Err(Rejection::new("invalid_value", param, message));
    }
    let is_base64 = attributes.any(|attribute| attribute.eq_ignore_ascii_case("base64"));
    let data = if is_base64 {
        base64_payload(payload)
    } else {
        let bytes: Cow<'_, [u8]> = percent_encoding::percent_decode_str(payload).into();
        Some(Cow::Owned(STANDARD.encode(bytes)))
    };
    match data.filter(|data| !data.is_empty()) {
        Some(data) => Ok(Part::inline_data(canonical(mime_type), Text(data))),
        None => Err(Rejection::new(
            "invalid_value",
            param,
            "The data URL holds no valid base64.",
        )),
    }
}

/// The part for bare base64 of a known type.
pub(super) fn inline_base64<'a>(
    mime_type: String,
    data: &'a str,
    param: &str,
) -> Result<Part<'a>, Rejection> {
    match base64_payload(data).filter(|data| !data.is_empty()) {
        Some(data) => Ok(Part::inline_data(canonical(mime_type), Text(data))),
        None => Err(Rejection::new(
            "invalid_value",
            param,
            "The data is not valid base64.",
        )),
    }
}

/// The text that bytes are, if their type says that they are text.
pub(super) fn text(blob: &Blob<'_>) -> Option<String> {
    let mime_type = &*blob.mime_type;
    let is_text = mime_type.starts_with("text/")
        || matches!(
            mime_type,
            "application/json" | "application/xml" | "application/yaml" | "application/javascript"
        );
    let bytes = is_text.then(|| STANDARD.decode(&*blob.data).ok())??;
    String::from_utf8(bytes).ok()
}

/// Whether base64 holds nothing but text: source code has too many endings to know.
pub(super) fn is_text(base64: &str) -> bool {
    let bytes = base64_payload(base64).and_then(|data| STANDARD.decode(&*data).ok());
    bytes.is_some_and(|bytes| std::str::from_utf8(&bytes).is_ok_and(|text| !text.contains('\0')))
}

/// Bytes of no particular type, as some clients send every file: what its name or its
/// beginning tells, else text.
pub(super) fn with_true_type<'a>(
    mut part: Part<'a>,
    name: &str,
    param: &str,
) -> Result<Part<'a>, Rejection> {
    let Some(blob) = part.inline_data.as_mut() else {
        return Ok(part);
    };
    if !matches!(
        &*blob.mime_type,
        "application/octet-stream" | "binary/octet-stream"
    ) {
        return Ok(part);
    }
    let by_bytes = || sniff::mime_type(&STANDARD.decode(&*blob.data).ok()?);
    let known = type_of_name(name).or_else(by_bytes);
    match known.or_else(|| is_text(&blob.data).then_some("text/plain")) {
        Some(mime_type) => blob.mime_type = mime_type.into(),
        None => {
            let message = "The type of the file is not known: it says application/octet-stream. \
                           Send its own type, or a filename that tells it.";
            return Err(Rejection::new("invalid_value", param, message));
        }
    }
    Ok(part)
}

/// The type that the ending of a file's name tells, of those that Gemini reads.
pub(super) fn type_of_name(name: &str) -> Option<&'static str> {
    let (_, ending) = name.rsplit_once('.')?;
    Some(match ending.to_ascii_lowercase().as_str() {
        "pdf" => "application/pdf",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "webp" => "image/webp",
        "gif" => "image/gif",
        "heic" => "image/heic",
        "heif" => "image/heif",
        "wav" => "audio/wav",
        "mp3" => "audio/mp3",
        "aiff" => "audio/aiff",
        "aac" => "audio/aac",
        "ogg" => "audio/ogg",
        "flac" => "audio/flac",
        "mp4" => "video/mp4",
        "mpeg" | "mpg" => "video/mpeg",
        "mov" => "video/mov",
        "avi" => "video/avi",
        "webm" => "video/webm",
        "txt" | "md" => "text/plain",
        "html" => "text/html",
        "css" => "text/css",
        "csv" => "text/csv",
        "xml" => "text/xml",
        _ => return None,
    })
}

pub(super) fn is_data_url(url: &str) -> bool {
    has_scheme(url, "data:")
}

/// `scheme` ends in its colon.
fn has_scheme(url: &str, scheme: &str) -> bool {
    let start = url.get(..scheme.len());
    start.is_some_and(|start| start.eq_ignore_ascii_case(scheme))
}

/// `data:` + kind + `,` + payload
fn split(url: &str) -> Option<(&str, &str)> {
    if !is_data_url(url) {
        return None;
    }
    url[5..].split_once(',')
}

/// Standard base64 with padding, as Gemini takes it. What is so already, as
/// nearly all is, is passed on without a copy.
fn base64_payload(payload: &str) -> Option<Cow<'_, str>> {
    let digits = payload.trim_end_matches('=');
    let padding = payload.len() - digits.len();
    if payload.len().is_multiple_of(4) && padding <= 2 && is_standard(digits.as_bytes()) {
        return Some(Cow::Borrowed(payload));
    }
    // Percent-encoded, url-safe, broken into lines or without padding.
    let decoded = percent_encoding::percent_decode_str(payload)
        .decode_utf8()
        .ok()?;
    let mut plain: String = decoded
        .chars()
        .filter(|c| !c.is_ascii_whitespace() && *c != '=')
        .map(|c| match c {
            '-' => '+',
            '_' => '/',
            c => c,
        })
        .collect();
    while !plain.len().is_multiple_of(4) {
        plain.push('=');
    }
    STANDARD.decode(&plain).ok()?;
    Some(Cow::Owned(plain))
}

/// Whether these are all digits of base64. Block by block without a way out, which
/// compilers make fast: an image has millions.
fn is_standard(digits: &[u8]) -> bool {
    let is_digit = |byte: &u8| byte.is_ascii_alphanumeric() | (*byte == b'+') | (*byte == b'/');
    digits
        .chunks(256)
        .all(|block| block.iter().fold(true, |all, byte| all & is_digit(byte)))
}

/// Names that clients use and Gemini doesn't know.
fn canonical(mime_type: String) -> Text<'static> {
    match mime_type.as_str() {
        "image/jpg" => "image/jpeg".into(),
        "audio/x-wav" | "audio/wave" => "audio/wav".into(),
        _ => mime_type.into(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn data_of(url: &str) -> (String, String) {
        let blob = inline(url, "p").unwrap().inline_data.unwrap();
        (blob.mime_type.to_string(), blob.data.to_string())
    }

    #[test]
    fn data_urls_are_read_in_every_form() {
        let expected = ("image/jpeg".to_owned(), "+/8=".to_owned());
        for url in [
            "data:image/jpg;base64,+/8=",
            "DATA:image/JPEG;charset=x;BASE64,-_8",
            "data:image/jpeg;base64,%2B%2F8%3D",
            "data:image/jpeg;base64,+/\r\n8=",
        ] {
            assert_eq!(data_of(url), expected, "{url}");
        }
        assert_eq!(data_of("data:text/plain,a%20b").1, "YSBi");
    }

    #[test]
    fn a_data_url_without_data_is_refused() {
        for url in [
            "data:image/png;base64,",
            "data:image/png",
            "data:image/png;base64,***",
        ] {
            assert_eq!(
                inline(url, "p").unwrap_err().param.as_deref(),
                Some("p"),
                "{url}"
            );
        }
    }

    #[test]
    fn lesson_25_plain_base64_is_not_copied() {
        let part = inline("data:image/png;base64,AAAA", "p").unwrap();
        assert!(matches!(
            part.inline_data.unwrap().data,
            Text(Cow::Borrowed("AAAA"))
        ));
    }
}
