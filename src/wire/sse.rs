//! Server-sent events: bytes to events
//! (<https://html.spec.whatwg.org/multipage/server-sent-events.html>).

use std::ops::Range;

/// How much is asked of the network at once.
const PIECE: usize = 8 * 1024;

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// Bytes in, the data of whole events out. Works on complete lines of bytes, so
/// that no character is ever cut in two.
#[derive(Default)]
pub struct Decoder {
    buffer: Vec<u8>,
    /// Everything before this has been handed over.
    start: usize,
    /// Where the unfinished line begins, and how far no end of it was found.
    unfinished: Range<usize>,
    /// The data of an event that has several `data` lines.
    joined: Vec<u8>,
    current: Place,
    begun: bool,
    ended: bool,
}

/// What the stream says next.
#[derive(Debug, PartialEq, Eq)]
pub enum Frame<'a> {
    /// The data of one event.
    Data(&'a [u8]),
    /// JSON that is in no event, to the end of the stream: Google's streams
    /// sometimes end in a bare error body, or are one from the start.
    Bare(&'a [u8]),
}

/// Where the current frame is.
#[derive(Debug, Default)]
enum Place {
    #[default]
    Nowhere,
    Data(Range<usize>),
    Joined,
    Bare(Range<usize>),
}

struct Line {
    content: Range<usize>,
    next: usize,
}

impl Decoder {
    /// Appends one piece of the stream; `read` fills the slice and says how far.
    /// 0 is the end: then an event that lacks its empty line counts, too.
    pub fn read_with<E>(
        &mut self,
        read: impl FnOnce(&mut [u8]) -> Result<usize, E>,
    ) -> Result<usize, E> {
        self.buffer.drain(..self.start);
        let Range { start, end } = self.unfinished;
        self.unfinished = start.saturating_sub(self.start)..end.saturating_sub(self.start);
        self.start = 0;
        let held = self.buffer.len();
        self.buffer.resize(held + PIECE, 0);
        let count = read(&mut self.buffer[held..]);
        self.buffer.truncate(held + *count.as_ref().unwrap_or(&0));
        self.ended = matches!(count, Ok(0));
        count
    }

    /// Bytes held for an event that is not whole yet.
    pub fn held(&self) -> usize {
        self.buffer.len() - self.start
    }

    /// The frame that [`Decoder::advance`] went to.
    pub fn current(&self) -> Frame<'_> {
        match &self.current {
            Place::Nowhere => Frame::Data(&[]),
            Place::Data(range) => Frame::Data(&self.buffer[range.clone()]),
            Place::Joined => Frame::Data(&self.joined),
            Place::Bare(range) => Frame::Bare(&self.buffer[range.clone()]),
        }
    }

    /// Goes to the next event that is whole; false when there is none yet.
    pub fn advance(&mut self) -> bool {
        self.skip_byte_order_mark();
        let mut first: Option<Range<usize>> = None;
        let mut data_lines = 0;
        let mut at = self.start;
        while let Some(line) = self.line(at) {
            at = line.next;
            let content = &self.buffer[line.content.clone()];
            if content.is_empty() {
                self.start = at;
                if data_lines > 0 {
                    return self.go_to_event(first, data_lines);
                }
            } else if let Some(offset) = data_offset(content) {
                data_lines += 1;
                let data = line.content.start + offset..line.content.end;
                match &first {
                    None => first = Some(data),
                    Some(earlier) => {
                        if data_lines == 2 {
                            self.joined.clear();
                            self.joined.extend_from_slice(&self.buffer[earlier.clone()]);
                        }
                        self.joined.push(b'\n');
                        self.joined.extend_from_slice(&self.buffer[data]);
                    }
                }
            } else if data_lines == 0 && matches!(content[0], b'{' | b'[') {
                // It may go on over many lines: it is whole when the stream ends.
                if self.ended {
                    self.start = self.buffer.len();
                    self.current = Place::Bare(line.content.start..self.start);
                }
                return self.ended;
            }
        }
        if self.ended && data_lines > 0 {
            self.start = self.buffer.len();
            return self.go_to_event(first, data_lines);
        }
        false
    }

    fn go_to_event(&mut self, first: Option<Range<usize>>, data_lines: usize) -> bool {
        self.current = match first {
            Some(data) if data_lines == 1 => Place::Data(data),
            _ => Place::Joined,
        };
        true
    }

    /// The line that begins at `from`, once its end is here. CR, LF and CRLF end lines.
    fn line(&mut self, from: usize) -> Option<Line> {
        // A long line arrives in many pieces; each is looked at once.
        let look_from = if from == self.unfinished.start {
            self.unfinished.end
        } else {
            from
        };
        let Some(offset) = memchr::memchr2(b'\n', b'\r', &self.buffer[look_from..]) else {
            let rest = from..self.buffer.len();
            self.unfinished = rest.clone();
            let next = rest.end;
            return (self.ended && !rest.is_empty()).then_some(Line {
                content: rest,
                next,
            });
        };
        let end = look_from + offset;
        let next = match self.buffer[end..] {
            [b'\r', b'\n', ..] => end + 2,
            // Its LF may still be on its way.
            [b'\r'] if !self.ended => return None,
            _ => end + 1,
        };
        Some(Line {
            content: from..end,
            next,
        })
    }

    fn skip_byte_order_mark(&mut self) {
        if !self.begun && (self.held() >= BYTE_ORDER_MARK.len() || self.ended) {
            self.begun = true;
            if self.buffer.starts_with(BYTE_ORDER_MARK) {
                self.start = BYTE_ORDER_MARK.len();
            }
        }
    }
}

/// Where the data of a `data` line begins. One space after the colon is not data.
fn data_offset(line: &[u8]) -> Option<usize> {
    let value = line.strip_prefix(b"data:")?;
    Some(line.len() - value.len() + usize::from(value.first() == Some(&b' ')))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// All frames of a stream that arrives in these pieces.
    fn frames(pieces: &[&[u8]]) -> Vec<String> {
        let mut decoder = Decoder::default();
        let mut frames = Vec::new();
        for piece in pieces
            .iter()
            .filter(|piece| !piece.is_empty())
            .chain([&b"".as_slice()])
        {
            let read = |buffer: &mut [u8]| {
                buffer[..piece.len()].copy_from_slice(piece);
                Ok::<_, ()>(piece.len())
            };
            decoder.read_with(read).unwrap();
            while decoder.advance() {
                frames.push(match decoder.current() {
                    Frame::Data(data) => String::from_utf8(data.to_vec()).unwrap(),
                    Frame::Bare(json) => format!("bare {}", String::from_utf8_lossy(json)),
                });
            }
        }
        frames
    }

    const STREAM: &str = "\u{FEFF}: hello\r\n\r\ndata: {\"text\":\"Grüße 😀\"}\r\n\r\n\
        event: x\nid: 1\nretry: 5\ndata:no space\n\n\n\ndata: two\rdata: lines\r\rdata: last";
    const EXPECTED: [&str; 4] = ["{\"text\":\"Grüße 😀\"}", "no space", "two\nlines", "last"];

    #[test]
    fn lesson_26_events_are_the_same_at_every_pair_of_cuts() {
        let bytes = STREAM.as_bytes();
        for first in 0..=bytes.len() {
            for second in first..=bytes.len() {
                let pieces = [&bytes[..first], &bytes[first..second], &bytes[second..]];
                assert_eq!(frames(&pieces), EXPECTED, "cut at {first} and {second}");
            }
        }
    }

    #[test]
    fn events_are_the_same_one_byte_at_a_time() {
        let pieces: Vec<&[u8]> = STREAM.as_bytes().chunks(1).collect();
        assert_eq!(frames(&pieces), EXPECTED);
    }

    #[test]
    fn json_outside_events_is_handed_over_whole_at_the_end() {
        let stream = b"data: one\r\n\r\n[{\r\n \"error\": {}\r\n}]\r\n";
        assert_eq!(
            frames(&[stream]),
            ["one", "bare [{\r\n \"error\": {}\r\n}]\r\n"]
        );
        for cut in 0..stream.len() {
            assert_eq!(
                frames(&[&stream[..cut], &stream[cut..]]).len(),
                2,
                "cut at {cut}"
            );
        }
    }
}
