//! Events on the wire: as server-sent events, as a JSON array, or as one whole.

use serde_json::Value;

use super::delivery::Spelling;
use super::http::{Answer, Framing, Step};
use super::reply::Event;
use super::whole::merged;

/// How the client asked for the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// `generateContent`
    Whole,
    /// `streamGenerateContent?alt=sse`
    EventStream,
    /// `streamGenerateContent`
    JsonArray,
}

/// A successful answer. `wrap` puts a response into its envelope.
pub(super) fn answer(
    events: Vec<Event>,
    mode: Mode,
    spelling: &Spelling,
    wrap: impl Fn(Value) -> Value,
) -> Answer {
    if mode == Mode::Whole {
        return whole(events, wrap);
    }
    let content_type = match mode {
        Mode::EventStream => "text/event-stream",
        _ => "application/json; charset=UTF-8",
    };
    let mut written = Written {
        spelling,
        line_ends: spelling.line_ends.iter().cycle(),
        events: 0,
    };
    let mut body = Vec::with_capacity(events.len());
    for event in events {
        body.push(match event {
            Event::Gate(gate) => Step::Gate(gate),
            Event::Pause(length) => Step::Pause(length),
            Event::Verbatim(text) => Step::Send(text.into_bytes()),
            Event::Response(response) => {
                let response = wrap(response);
                Step::Send(match mode {
                    Mode::EventStream => written.event(&response).into_bytes(),
                    _ => written.element(&response).into_bytes(),
                })
            }
        });
    }
    written.finish(&mut body, mode);
    Answer {
        body,
        framing: Framing::Chunked,
        ..Answer::whole(200, content_type, Vec::new())
    }
}

/// Gates and pauses come before the one write there is.
fn whole(events: Vec<Event>, wrap: impl Fn(Value) -> Value) -> Answer {
    let mut answer = Answer::json(200, &wrap(merged(&events)));
    let mut body: Vec<Step> = events
        .into_iter()
        .filter_map(|event| match event {
            Event::Gate(gate) => Some(Step::Gate(gate)),
            Event::Pause(length) => Some(Step::Pause(length)),
            Event::Response(_) | Event::Verbatim(_) => None,
        })
        .collect();
    body.append(&mut answer.body);
    answer.body = body;
    answer
}

/// Spells one event after the other.
struct Written<'a> {
    spelling: &'a Spelling,
    line_ends: std::iter::Cycle<std::slice::Iter<'a, &'static str>>,
    events: usize,
}

impl Written<'_> {
    fn event(&mut self, response: &Value) -> String {
        let mut text = String::new();
        if self.spelling.bom && self.events == 0 {
            text.push('\u{feff}');
        }
        self.events += 1;
        if self.spelling.comments {
            self.line(&mut text, ": ping");
        }
        if self.spelling.fields {
            self.line(&mut text, "event: message");
            self.line(&mut text, &format!("id: {}", self.events));
            self.line(&mut text, "retry: 1000");
        }
        let json = if self.spelling.multi_line {
            format!("{response:#}")
        } else {
            response.to_string()
        };
        for line in json.lines() {
            let space = if self.spelling.space { " " } else { "" };
            self.line(&mut text, &format!("data:{space}{line}"));
        }
        for _ in 0..=self.spelling.blank_lines {
            self.line(&mut text, "");
        }
        text
    }

    fn line(&mut self, text: &mut String, line: &str) {
        text.push_str(line);
        text.push_str(self.line_ends.next().unwrap_or(&"\r\n"));
    }

    fn element(&mut self, response: &Value) -> String {
        let before = if self.events == 0 { "[" } else { ",\r\n" };
        self.events += 1;
        format!("{before}{response:#}")
    }

    fn finish(&self, body: &mut Vec<Step>, mode: Mode) {
        if mode == Mode::JsonArray {
            let end = if self.events == 0 { "[]\n" } else { "\n]\n" };
            body.push(Step::Send(end.into()));
            return;
        }
        if self.spelling.unterminated
            && let Some(Step::Send(last)) = body.last_mut()
        {
            let kept = last.trim_ascii_end().len();
            last.truncate(kept);
        }
        if !self.spelling.tail.is_empty() {
            body.push(Step::Send(self.spelling.tail.clone().into_bytes()));
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn spelt(spelling: &Spelling, mode: Mode) -> String {
        let events = vec![
            Event::Response(json!({"a": 1})),
            Event::Response(json!({"b": 2})),
        ];
        let bytes = answer(events, mode, spelling, |response| response).bytes();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    #[test]
    fn events_end_in_crlf_unless_told_otherwise() {
        let as_google = spelt(&Spelling::default(), Mode::EventStream);
        assert_eq!(as_google, "data: {\"a\":1}\r\n\r\ndata: {\"b\":2}\r\n\r\n");
        let odd = Spelling {
            line_ends: &["\n", "\r\n", "\r"],
            space: false,
            unterminated: true,
            ..Spelling::default()
        };
        assert_eq!(
            spelt(&odd, Mode::EventStream),
            "data:{\"a\":1}\n\r\ndata:{\"b\":2}"
        );
    }

    #[test]
    fn without_alt_sse_the_events_are_an_array() {
        let text = spelt(&Spelling::default(), Mode::JsonArray);
        let array: Value = serde_json::from_str(&text).unwrap_or_default();
        assert_eq!(array, json!([{"a": 1}, {"b": 2}]));
    }
}
