//! How a scripted answer is delivered: everything that can go wrong, or merely
//! be spelt differently, between Google's socket and ours.
//!
//! | key | meaning |
//! |---|---|
//! | `headers` | `{name: value}`, set or replaced |
//! | `content_type` | shorthand for that header |
//! | `hold` | a gate to wait at before the first byte of the head |
//! | `write_size` | the body in pieces of at most this many bytes |
//! | `cut_at` | `[offset, …]`: the body cut there, too |
//! | `write_pause_ms` | a pause before each piece |
//! | `framing` | `chunked`, `chunked_with_extensions`, `content_length`, `until_close` |
//! | `gzip` | true (a flush after each piece), or `"truncated"` |
//! | `then` | `keep_alive`, `close` (complete, then closed), `truncate` (closed before the end), `reset` (TCP RST before the end), `stall` (silence before the end) |
//! | `sse` | how the events are spelt, see [`Spelling`] |
//!
//! `sse` is an object:
//!
//! | key | meaning |
//! |---|---|
//! | `line_end` | `crlf` (as Google), `lf`, `cr`, `mixed` |
//! | `space` | false: `data:` without the space |
//! | `fields` | true: `event:`, `id:` and `retry:` lines in each event |
//! | `comments` | true: a comment `: ping` before each event |
//! | `blank_lines` | this many empty lines more after each event |
//! | `multi_line` | true: the JSON on many `data` lines |
//! | `bom` | true: a byte order mark first |
//! | `unterminated` | true: nothing after the last event's JSON |
//! | `tail` | text after the last event, as it is, such as `data: [DONE]\r\n\r\n` |

use std::time::Duration;

use serde_json::Value;

use super::document::Document;
use super::gzip::{Deflation, gzip};
use super::http::{Answer, Ending, Framing, Step};

#[derive(Debug, Clone, Default)]
pub(super) struct Delivery {
    headers: Vec<(String, String)>,
    hold: Option<String>,
    write_size: Option<usize>,
    cut_at: Vec<usize>,
    write_pause: Option<Duration>,
    framing: Option<Framing>,
    deflation: Option<Deflation>,
    ending: Option<Ending>,
    pub(super) spelling: Spelling,
}

/// How an event stream is spelt (WHATWG HTML, "Server-sent events").
#[derive(Debug, Clone)]
pub(super) struct Spelling {
    /// Used in turn, one per line.
    pub(super) line_ends: &'static [&'static str],
    pub(super) space: bool,
    pub(super) fields: bool,
    pub(super) comments: bool,
    pub(super) blank_lines: usize,
    pub(super) multi_line: bool,
    pub(super) bom: bool,
    pub(super) unterminated: bool,
    pub(super) tail: String,
}

impl Default for Spelling {
    fn default() -> Self {
        Self {
            line_ends: &["\r\n"],
            space: true,
            fields: false,
            comments: false,
            blank_lines: 0,
            multi_line: false,
            bom: false,
            unterminated: false,
            tail: String::new(),
        }
    }
}

impl Delivery {
    /// Takes the keys of this file out of a script's item.
    pub(super) fn parse(item: &mut Document) -> Result<Self, String> {
        let cuts = item.list("cut_at")?.unwrap_or_default();
        let mut delivery = Self {
            headers: parse_headers(item)?,
            hold: item.text("hold")?,
            write_size: item.number("write_size")?.map(|size| as_size(size).max(1)),
            cut_at: cuts.iter().filter_map(Value::as_u64).map(as_size).collect(),
            write_pause: item.number("write_pause_ms")?.map(Duration::from_millis),
            framing: parse_framing(item)?,
            deflation: parse_gzip(item)?,
            ending: parse_ending(item)?,
            spelling: Spelling::default(),
        };
        if let Some(sse) = item.value("sse") {
            delivery.spelling = Spelling::parse(sse, item.place())?;
        }
        Ok(delivery)
    }

    pub(super) fn apply(&self, mut answer: Answer) -> Answer {
        for (name, value) in &self.headers {
            answer.set_header(name, value);
        }
        if let Some(deflation) = self.deflation {
            answer.set_header("Content-Encoding", "gzip");
            answer.body = gzip(answer.body, deflation);
        }
        answer.body = self.cut(answer.body);
        answer.hold = self.hold.clone();
        answer.framing = self.framing.unwrap_or(answer.framing);
        answer.ending = self.ending.unwrap_or(answer.ending);
        answer
    }

    fn cut(&self, body: Vec<Step>) -> Vec<Step> {
        let mut steps = Vec::with_capacity(body.len());
        let mut start = 0;
        for step in body {
            let Step::Send(bytes) = step else {
                steps.push(step);
                continue;
            };
            let mut cuts: Vec<usize> = self
                .cut_at
                .iter()
                .filter_map(|cut| cut.checked_sub(start))
                .filter(|cut| (1..bytes.len()).contains(cut))
                .collect();
            if let Some(size) = self.write_size {
                cuts.extend((size..bytes.len()).step_by(size));
            }
            cuts.push(bytes.len());
            cuts.sort_unstable();
            cuts.dedup();
            let mut from = 0;
            for to in cuts {
                steps.extend(self.write_pause.map(Step::Pause));
                steps.push(Step::Send(bytes[from..to].to_vec()));
                from = to;
            }
            start += bytes.len();
        }
        steps
    }
}

fn as_size(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

fn parse_headers(item: &mut Document) -> Result<Vec<(String, String)>, String> {
    let mut headers = Vec::new();
    match item.value("headers") {
        None => {}
        Some(Value::Object(scripted)) => {
            for (name, value) in scripted {
                let value = value
                    .as_str()
                    .map_or_else(|| value.to_string(), str::to_owned);
                headers.push((name, value));
            }
        }
        Some(other) => {
            return Err(format!(
                "{}.headers: expected an object, not {other}",
                item.place()
            ));
        }
    }
    if let Some(content_type) = item.text("content_type")? {
        headers.push(("Content-Type".into(), content_type));
    }
    Ok(headers)
}

fn parse_framing(item: &mut Document) -> Result<Option<Framing>, String> {
    Ok(match item.text("framing")?.as_deref() {
        None => None,
        Some("chunked") => Some(Framing::Chunked),
        Some("chunked_with_extensions") => Some(Framing::ChunkedWithExtensions),
        Some("content_length") => Some(Framing::ContentLength),
        Some("until_close") => Some(Framing::UntilClose),
        Some(other) => return Err(format!("{}.framing: there is no {other:?}", item.place())),
    })
}

fn parse_gzip(item: &mut Document) -> Result<Option<Deflation>, String> {
    Ok(match item.value("gzip") {
        None | Some(Value::Bool(false)) => None,
        Some(Value::Bool(true)) => Some(Deflation::Complete),
        Some(Value::String(word)) if word == "truncated" => Some(Deflation::Truncated),
        Some(other) => return Err(format!("{}.gzip: cannot be {other}", item.place())),
    })
}

fn parse_ending(item: &mut Document) -> Result<Option<Ending>, String> {
    Ok(match item.text("then")?.as_deref() {
        None => None,
        Some("keep_alive") => Some(Ending::KeepAlive),
        Some("close") => Some(Ending::Close),
        Some("truncate") => Some(Ending::Truncate),
        Some("reset") => Some(Ending::Reset),
        Some("stall") => Some(Ending::Stall),
        Some(other) => return Err(format!("{}.then: there is no {other:?}", item.place())),
    })
}

impl Spelling {
    fn parse(sse: Value, place: &str) -> Result<Self, String> {
        let mut sse = Document::new(sse, format!("{place}.sse"))?;
        let spelling = Self {
            line_ends: match sse.text("line_end")?.as_deref() {
                None | Some("crlf") => &["\r\n"],
                Some("lf") => &["\n"],
                Some("cr") => &["\r"],
                Some("mixed") => &["\n", "\r\n", "\r"],
                Some(other) => {
                    return Err(format!("{}.line_end: there is no {other:?}", sse.place()));
                }
            },
            space: sse.flag("space")?.unwrap_or(true),
            fields: sse.flag("fields")?.unwrap_or_default(),
            comments: sse.flag("comments")?.unwrap_or_default(),
            blank_lines: as_size(sse.number("blank_lines")?.unwrap_or_default()),
            multi_line: sse.flag("multi_line")?.unwrap_or_default(),
            bom: sse.flag("bom")?.unwrap_or_default(),
            unterminated: sse.flag("unterminated")?.unwrap_or_default(),
            tail: sse.text("tail")?.unwrap_or_default(),
        };
        sse.finish()?;
        Ok(spelling)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_cut_where_the_script_says_and_loses_nothing() {
        let delivery = Delivery {
            cut_at: vec![1, 5],
            write_size: Some(3),
            ..Delivery::default()
        };
        let body = vec![
            Step::Send(b"abcd".to_vec()),
            Step::Gate("g".into()),
            Step::Send(b"efg".to_vec()),
        ];
        let cut = delivery.cut(body);
        let pieces: Vec<&[u8]> = cut
            .iter()
            .filter_map(|step| match step {
                Step::Send(bytes) => Some(bytes.as_slice()),
                _ => None,
            })
            .collect();
        assert_eq!(pieces, [&b"a"[..], b"bc", b"d", b"e", b"fg"]);
        assert_eq!(cut[3], Step::Gate("g".into()));
    }
}
