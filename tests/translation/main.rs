//! Translation, case by case: each folder of `cases/` is one, named for what it
//! shows, with files named for what they are:
//!
//! - `openai_request.json` becomes `gemini_request.json` (with `ignored.txt`, if
//!   fields had less effect than asked: each with the reason) or `rejection.json`;
//!   `fetched.json` holds what was found behind its URLs, as base64
//! - `responses_request.json` in its place is one to the Responses API
//! - `gemini_response.json` becomes `openai_response.json` or `unfinished.txt`
//! - `gemini_events.sse` becomes `openai_chunks.sse`; `unfinished.txt` if it
//!   ends without an end
//!
//! In a case of the Responses, `openai_chunks.sse` holds its events.
//!
//! A new case needs no Rust: write what goes in, run
//! `UPDATE_GOLDEN=1 cargo test --test translation`, and read what came out.

mod guards;
mod response_guards;

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use gemini_proxy::translate::said::Reader;
use gemini_proxy::translate::{
    self, Fetched, Form, Manner, NoSignatures, Note, Rejection, ResponseTranslator, Seal, Stamp,
    StreamTranslator, Told,
};
use gemini_proxy::wire::gemini::GenerateContentResponse;
use gemini_proxy::wire::openai::{ChatCompletionChunk, ChatRequest};
use gemini_proxy::wire::responses::ResponseEvent;
use gemini_proxy::wire::sse::{Decoder, Frame};
use serde::Serialize;
use serde_json::json;

/// Of cases that name no model.
const MODEL: &str = "gemini-3.5-flash";

const NOW: u64 = 1_795_332_000;

/// Of a stream, so many bytes come at once where it does not matter.
const PIECE: usize = 4096;

/// The clock and the dice of every case.
fn stamp(model: &str) -> Stamp {
    Stamp::new(NOW, model.to_owned(), [7; 16])
}

struct Case {
    folder: PathBuf,
}

impl Case {
    fn input(&self, name: &str) -> Option<String> {
        fs::read_to_string(self.folder.join(name)).ok()
    }

    /// Whether a file is an input, or comes out of one that is here.
    fn accounts_for(&self, name: &str) -> bool {
        let has = |input| self.folder.join(input).exists();
        match name {
            "openai_request.json" | "responses_request.json" => true,
            "gemini_response.json" | "gemini_events.sse" => true,
            "gemini_request.json" | "rejection.json" | "ignored.txt" | "fetched.json" => {
                has("openai_request.json") || has("responses_request.json")
            }
            "openai_response.json" => has("gemini_response.json"),
            "openai_chunks.sse" => has("gemini_events.sse"),
            "unfinished.txt" => has("gemini_response.json") || has("gemini_events.sse"),
            _ => false,
        }
    }

    /// Compares with the file of this name; none is expected where `actual` is none.
    fn expect(&self, name: &str, actual: Option<&str>) {
        let path = self.folder.join(name);
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            match actual {
                Some(actual) => fs::write(&path, actual).expect("a case can be written"),
                None => drop(fs::remove_file(&path)),
            }
            return;
        }
        let expected = fs::read_to_string(&path).ok();
        assert_eq!(actual, expected.as_deref(), "{}", path.display());
    }

    /// What the server does, without the network.
    fn fetch(&self, chat: &ChatRequest<'_>, fetched: &mut Fetched) -> Result<(), Rejection> {
        let found = self.input("fetched.json").unwrap_or("{}".to_owned());
        let mut found: HashMap<String, String> = serde_json::from_str(&found).expect("a map");
        for remote in translate::remote_media(chat) {
            if let Some(base64) = found.remove(remote.url) {
                let bytes = STANDARD.decode(base64).expect("base64");
                fetched.add(&remote, &bytes)?;
            }
        }
        assert!(found.is_empty(), "not asked for: {:?}", found.keys());
        Ok(())
    }

    fn run(&self) {
        let responses = self.input("responses_request.json");
        let request = self.input("openai_request.json").or(responses.clone());
        let response = self.input("gemini_response.json");
        let events = self.input("gemini_events.sse");
        assert!(
            request.is_some() || response.is_some() || events.is_some(),
            "nothing goes in"
        );
        let mut asked = Request::default();
        if let Some(request) = &request {
            asked = self.run_request(request, responses.is_some());
        }
        let stamp = stamp(&asked.model);
        let reader = || Reader::new(stamp.clone(), asked.form.clone(), Arc::new(NoSignatures));
        if let Some(response) = &response {
            let answer = serde_json::from_str(response).expect("an answer");
            let mut reader = reader();
            let outcome = match &asked.told {
                Some(told) => translator(reader, told)
                    .whole(answer, NOW)
                    .map(|whole| pretty(&whole)),
                None => translate::response(answer, &mut reader).map(|whole| pretty(&whole)),
            };
            let unfinished = outcome.as_ref().err().map(|error| format!("{error}\n"));
            self.expect("openai_response.json", outcome.ok().as_deref());
            self.expect("unfinished.txt", unfinished.as_deref());
        }
        if let Some(events) = &events {
            let (chunks, unfinished) = match &asked.told {
                Some(told) => response_events(events.as_bytes(), PIECE, translator(reader(), told)),
                None => {
                    let translator = StreamTranslator::new(reader(), asked.include_usage);
                    chunks(events.as_bytes(), translator)
                }
            };
            self.expect("openai_chunks.sse", Some(&chunks));
            self.expect(
                "unfinished.txt",
                unfinished.map(|words| words + "\n").as_deref(),
            );
        }
    }

    /// What the request becomes, and what its answer has to know of it.
    fn run_request(&self, text: &str, is_responses: bool) -> Request {
        let mut chat: ChatRequest<'_> = serde_json::from_str(text).expect("a request");
        let mut told = Ok(None);
        if is_responses || (chat.messages.is_none() && chat.input.is_some()) {
            let given = serde_json::from_str(text).expect("a request");
            told = translate::as_chat(given, &mut chat, &seal(), 0).map(Some);
        }
        let model = chat.model.as_deref().unwrap_or(MODEL).to_owned();
        let options = chat.stream_options.as_ref();
        let include_usage = options.and_then(|options| options.include_usage) == Some(true);
        let mut fetched = Fetched::default();
        let fields = told.iter().flatten().map(|told| told.fields.clone()).next();
        let original = |field: &str| match &fields {
            Some(fields) => fields.original(field).into_owned(),
            None => field.to_owned(),
        };
        let found = told.and_then(|told| self.fetch(&chat, &mut fetched).map(|()| told));
        let translated = found.and_then(|told| {
            let translated =
                translate::request(&chat, &model, &NoSignatures, &fetched, Manner::default())?;
            Ok((translated, told))
        });
        let mut request = Request {
            model: model.clone(),
            include_usage,
            ..Request::default()
        };
        let (gemini, ignored, rejection) = match translated {
            Ok((translated, told)) => {
                request.form = translated.form;
                let own = told.iter().flat_map(|told| told.notes.iter()).cloned();
                let notes = translated.notes.iter().cloned().map(|note| Note {
                    field: original(&note.field).into(),
                    ..note
                });
                let ignored: String = own
                    .chain(notes)
                    .map(|note| format!("{}: {}\n", note.field, note.reason))
                    .collect();
                let ignored = (!ignored.is_empty()).then_some(ignored);
                let gemini = pretty(&translated.request);
                request.told = told.filter(|_| is_responses);
                (Some(gemini), ignored, None)
            }
            Err(rejection) => {
                let param = rejection.param.as_deref().map(original);
                let rejection =
                    json!({"code": rejection.code, "param": param, "message": rejection.message});
                (None, None, Some(pretty(&rejection)))
            }
        };
        self.expect("gemini_request.json", gemini.as_deref());
        self.expect("ignored.txt", ignored.as_deref());
        self.expect("rejection.json", rejection.as_deref());
        request
    }
}

/// What a case's answer has to know of its request.
struct Request {
    model: String,
    form: Form,
    include_usage: bool,
    /// Of one to the Responses.
    told: Option<Told>,
}

impl Default for Request {
    fn default() -> Self {
        Self {
            model: MODEL.to_owned(),
            form: Form::default(),
            include_usage: false,
            told: None,
        }
    }
}

fn seal() -> Seal {
    Seal::new("gemini-api", [])
}

fn translator(reader: Reader, told: &Told) -> ResponseTranslator {
    ResponseTranslator::new(reader, told.namespaces.clone(), seal(), told.asked.clone())
}

/// The same, in the Responses' events; `events` come in pieces of this many bytes.
fn response_events(
    events: &[u8],
    piece: usize,
    mut translator: ResponseTranslator,
) -> (String, Option<String>) {
    let mut out = String::new();
    each_event(events, piece, |event| {
        translator.push(event, |event| out.push_str(&named(event)));
    });
    let end = translator.finish(NOW, |event| out.push_str(&named(event)));
    (out, end.err().map(|error| error.to_string()))
}

fn named(event: &ResponseEvent<'_>) -> String {
    let json = serde_json::to_string(event).expect("an event");
    format!("event: {}\ndata: {json}\n\n", event.kind)
}

fn pretty(value: &impl Serialize) -> String {
    serde_json::to_string_pretty(value).expect("a value") + "\n"
}

/// The chunks of a stream of Google's, and why it is no good end.
fn chunks(events: &[u8], mut translator: StreamTranslator) -> (String, Option<String>) {
    let mut out = String::new();
    each_event(events, PIECE, |event| {
        translator.push(event, |chunk| out.push_str(&sse(chunk)));
    });
    let end = translator.finish(|chunk| out.push_str(&sse(chunk)));
    (out, end.err().map(|error| error.to_string()))
}

fn sse(chunk: &ChatCompletionChunk<'_>) -> String {
    format!(
        "data: {}\n\n",
        serde_json::to_string(chunk).expect("a chunk")
    )
}

fn each_event(stream: &[u8], piece: usize, mut take: impl FnMut(GenerateContentResponse<'_>)) {
    let mut decoder = Decoder::default();
    for piece in stream.chunks(piece).chain([b"".as_slice()]) {
        let read = |buffer: &mut [u8]| {
            buffer[..piece.len()].copy_from_slice(piece);
            Ok::<_, ()>(piece.len())
        };
        decoder.read_with(read).expect("a slice can be read");
        while decoder.advance() {
            match decoder.current() {
                Frame::Data(data) => take(serde_json::from_slice(data).expect("an event")),
                Frame::Bare(_) => panic!("a case holds events only"),
            }
        }
    }
}

fn cases() -> Vec<Case> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/translation/cases");
    let entries = fs::read_dir(folder).expect("there are cases");
    let mut folders: Vec<_> = entries.map(|entry| entry.expect("a case").path()).collect();
    folders.sort();
    folders.into_iter().map(|folder| Case { folder }).collect()
}

#[test]
fn every_case_comes_out_as_its_folder_says() {
    let cases = cases();
    assert!(cases.len() >= 80, "the cases were not found");
    for case in cases {
        eprintln!("case {}", case.folder.display());
        case.run();
        for file in fs::read_dir(&case.folder).expect("a case") {
            let name = file.expect("a file").file_name();
            let name = name.to_string_lossy();
            assert!(
                case.accounts_for(&name),
                "{name} is made from nothing in its folder"
            );
        }
    }
}
