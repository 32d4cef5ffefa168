//! The content of a message as Gemini's parts.

use super::{Fetched, Rejection, Remote, media};
use crate::wire::gemini::Part;
use crate::wire::openai::{ContentPart, Message, MessageContent};

/// The texts of a message that may hold nothing else, empty ones left out.
pub(super) fn texts<'a>(
    message: &'a Message<'a>,
    position: usize,
) -> Result<impl Iterator<Item = &'a str> + use<'a>, Rejection> {
    let mut texts = Vec::new();
    match &message.content {
        None => {}
        Some(MessageContent::Text(text)) => texts.push(&**text),
        Some(MessageContent::Parts(parts)) => {
            for (nth, part) in parts.iter().enumerate() {
                match text_of(part) {
                    Some(text) => texts.push(text),
                    None => return Err(unknown_part(part, position, nth)),
                }
            }
        }
    }
    Ok(texts.into_iter().filter(|text| !text.is_empty()))
}

fn text_of<'a>(part: &'a ContentPart<'a>) -> Option<&'a str> {
    match part.kind.as_deref() {
        Some("text" | "input_text" | "output_text" | "summary_text") => {
            Some(part.text.as_deref().unwrap_or(""))
        }
        Some("refusal") => Some(part.refusal.as_deref().unwrap_or("")),
        _ => None,
    }
}

pub(super) fn of_message<'a>(
    message: &'a Message<'a>,
    position: usize,
    fetched: &'a Fetched,
) -> Result<Vec<Part<'a>>, Rejection> {
    match &message.content {
        None => Ok(Vec::new()),
        Some(MessageContent::Text(text)) if text.is_empty() => Ok(Vec::new()),
        Some(MessageContent::Text(text)) => Ok(vec![Part::text(&**text)]),
        Some(MessageContent::Parts(parts)) => {
            let mut converted = Vec::new();
            for (nth, part) in parts.iter().enumerate() {
                match text_of(part) {
                    Some("") => {}
                    Some(text) => converted.push(Part::text(text)),
                    None => converted.push(media_part(part, position, nth, fetched)?),
                }
            }
            Ok(converted)
        }
    }
}

/// The parts of a message that are not here yet. Only users and tools may show media.
pub(super) fn remote<'a>(
    message: &'a Message<'a>,
    position: usize,
) -> impl Iterator<Item = Remote<'a>> {
    let parts = match (message.role.as_deref(), &message.content) {
        (Some("user" | "tool" | "function"), Some(MessageContent::Parts(parts))) => &parts[..],
        _ => &[],
    };
    parts.iter().enumerate().filter_map(move |(nth, part)| {
        let (kind, url) = named_by_url(part)?;
        media::must_be_fetched(kind, url).then(|| Remote {
            url,
            param: format!("messages[{position}].content[{nth}].{kind}"),
            code: media::bad_url(kind),
        })
    })
}

/// The type of a part that holds nothing but a URL, and the URL.
fn named_by_url<'a>(part: &'a ContentPart<'a>) -> Option<(&'static str, &'a str)> {
    let (kind, url) = match part.kind.as_deref()? {
        "image_url" | "input_image" => ("image_url", &part.image_url),
        "audio_url" => ("audio_url", &part.audio_url),
        "video_url" => ("video_url", &part.video_url),
        _ => return None,
    };
    url.as_ref().map(|url| (kind, &*url.url))
}

/// The parts of a message that is not a mere string.
pub(super) fn listed<'a>(message: &'a Message<'a>) -> &'a [ContentPart<'a>] {
    match &message.content {
        Some(MessageContent::Parts(parts)) => parts,
        _ => &[],
    }
}

/// Where images ask for a certain detail; `auto` asks for nothing.
pub(super) fn details<'a>(
    message: &'a Message<'a>,
    position: usize,
) -> impl Iterator<Item = String> {
    listed(message)
        .iter()
        .enumerate()
        .filter_map(move |(nth, part)| {
            let nested = part.image_url.as_ref()?.detail.as_deref();
            let detail = nested.or(part.detail.as_deref())?;
            (detail != "auto")
                .then(|| format!("messages[{position}].content[{nth}].image_url.detail"))
        })
}

fn media_part<'a>(
    part: &'a ContentPart<'a>,
    position: usize,
    nth: usize,
    fetched: &'a Fetched,
) -> Result<Part<'a>, Rejection> {
    let param = format!("messages[{position}].content[{nth}]");
    if let Some((kind, url)) = named_by_url(part) {
        return media::by_url(kind, url, fetched, &format!("{param}.{kind}"));
    }
    match part.kind.as_deref() {
        Some(kind @ ("image_url" | "audio_url" | "video_url")) => {
            Err(Rejection::missing(format!("{param}.{kind}")))
        }
        Some("input_image") => Err(stored_elsewhere(part, &param, "image_url")
            .unwrap_or_else(|| Rejection::missing(format!("{param}.image_url")))),
        Some("input_audio") => {
            let audio = part.input_audio.as_ref();
            let param = format!("{param}.input_audio.data");
            let Some(data) = audio.and_then(|audio| audio.data.as_deref()) else {
                return Err(Rejection::missing(param));
            };
            if media::is_data_url(data) {
                return media::inline(data, &param);
            }
            let format = audio
                .and_then(|audio| audio.format.as_deref())
                .unwrap_or("wav");
            media::inline_base64(format!("audio/{format}"), data, &param)
        }
        Some("file") => {
            let file = part.file.as_ref();
            let data = file.and_then(|file| file.file_data.as_deref());
            let name = file.and_then(|file| file.filename.as_deref());
            let param = format!("{param}.file");
            if let (None, Some(_)) = (data, file.and_then(|file| file.file_id.as_ref())) {
                return Err(no_files_api(&param, "file_data"));
            }
            let part = file_part(data, name, &param)?;
            Ok(told(part, name))
        }
        Some("input_file") => {
            let (data, name) = (part.file_data.as_deref(), part.filename.as_deref());
            if let (None, Some(rejection)) = (data, stored_elsewhere(part, &param, "file_data")) {
                return Err(rejection);
            }
            Ok(told(file_part(data, name, &param)?, name))
        }
        _ => Err(unknown_part(part, position, nth)),
    }
}

/// Of a part without its data: what OpenAI would fetch or keep.
fn stored_elsewhere(part: &ContentPart<'_>, param: &str, instead: &str) -> Option<Rejection> {
    if part.file_id.is_some() {
        return Some(no_files_api(param, instead));
    }
    part.file_url.is_some().then(|| {
        let message = format!(
            "Files are not fetched by 'file_url' here; send the file itself as '{instead}', a \
             data URL."
        );
        Rejection::new("unsupported_value", format!("{param}.file_url"), message)
    })
}

/// `instead`: where the data belongs.
fn no_files_api(param: &str, instead: &str) -> Rejection {
    let message = format!(
        "There is no Files API here, so that a 'file_id' means nothing; send the data itself \
         as '{instead}', a data URL."
    );
    Rejection::new("unsupported_value", format!("{param}.file_id"), message)
}

/// A document, or anything else that has a type by its data URL or its name.
fn file_part<'a>(
    data: Option<&'a str>,
    name: Option<&str>,
    param: &str,
) -> Result<Part<'a>, Rejection> {
    let param = format!("{param}.file_data");
    let Some(data) = data else {
        return Err(Rejection::missing(param));
    };
    if media::is_data_url(data) {
        let part = media::inline(data, &param)?;
        return media::with_true_type(part, name.unwrap_or_default(), &param);
    }
    let known = media::type_of_name(name.unwrap_or_default());
    match known.or_else(|| media::is_text(data).then_some("text/plain")) {
        Some(mime_type) => media::inline_base64(mime_type.to_owned(), data, &param),
        None => {
            let message = "The type of the file is not known. Send it as a data URL, \
                           data:<type>;base64,<data>, or with a filename that tells it.";
            Err(Rejection::new("invalid_value", param, message))
        }
    }
}

/// What is text is told as text, under the name of its file.
fn told<'a>(part: Part<'a>, name: Option<&str>) -> Part<'a> {
    match part.inline_data.as_ref().and_then(media::text) {
        Some(text) => Part::text(format!("{}\n{text}", name.unwrap_or("file"))),
        None => part,
    }
}

/// Leaving out what the user said would be worse than refusing it.
fn unknown_part(part: &ContentPart<'_>, position: usize, nth: usize) -> Rejection {
    let param = format!("messages[{position}].content[{nth}].type");
    match part.kind.as_deref() {
        Some(kind) => {
            let message =
                format!("Invalid value: '{kind}'. This content type is not supported here.");
            Rejection::new("invalid_value", param, message)
        }
        None => Rejection::missing(param),
    }
}
