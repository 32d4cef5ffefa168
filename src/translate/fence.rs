//! Takes the code fence off an answer that should be bare JSON: models that are
//! asked for JSON in words only like to put it between "```json" and "```".

/// The shortest; a longer one does the same.
const FENCE: &str = "```";

/// Passes text on as soon as it is known not to belong to a fence.
#[derive(Debug, Default)]
pub(super) struct Fence {
    held: String,
    begun: bool,
    is_fenced: bool,
}

impl Fence {
    /// What of the text so far can be passed on.
    pub(super) fn push(&mut self, text: &str) -> String {
        self.held.push_str(text);
        if !self.begun {
            let start = self.held.trim_start();
            if FENCE.starts_with(start) {
                return String::new();
            }
            if let Some(inner) = start.strip_prefix(FENCE) {
                let Some(value) = value_behind(inner) else {
                    return String::new();
                };
                self.is_fenced = true;
                self.held = value.to_owned();
            }
            self.begun = true;
        }
        if !self.is_fenced {
            return std::mem::take(&mut self.held);
        }
        // The closing fence, and the space around it, may be the end.
        let kept = self
            .held
            .trim_end_matches(|c: char| c.is_whitespace() || c == '`')
            .len();
        let rest = self.held.split_off(kept);
        std::mem::replace(&mut self.held, rest)
    }

    /// What is left when nothing more comes.
    pub(super) fn finish(&mut self) -> String {
        let held = std::mem::take(&mut self.held);
        let end = held.trim_end();
        // No JSON ends in one.
        let inner = end.trim_end_matches('`');
        if self.is_fenced && inner.len() < end.len() {
            inner.trim_end().to_owned()
        } else {
            held
        }
    }
}

/// What the fence is around, once that has begun: below the line of the fence, which
/// may name the language in whatever words, or right behind it.
fn value_behind(fence: &str) -> Option<&str> {
    let begins = |c: char| matches!(c, '\n' | '{' | '[' | '"');
    let value = fence[fence.find(begins)?..].trim_start();
    (!value.is_empty()).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What comes out when the text comes in cut at each of these places.
    fn stripped(text: &str, cuts: &[usize]) -> String {
        let mut fence = Fence::default();
        let mut out = String::new();
        let mut from = 0;
        for to in cuts.iter().copied().chain([text.len()]) {
            out.push_str(&fence.push(&text[from..to]));
            from = to;
        }
        out + &fence.finish()
    }

    #[test]
    fn a_fence_is_taken_off_however_the_text_is_cut() {
        for (text, expected) in [
            ("```json\n{\"a\": \"`b`\"}\n```\n", "{\"a\": \"`b`\"}"),
            ("```\n[1]\n```", "[1]"),
            ("````json\n{\"a\": 1}\n````\n", "{\"a\": 1}"),
            ("```application/json; charset=utf-8\n\n7\n```", "7"),
            ("```JSON5 title\r\n[1]\r\n`````", "[1]"),
            ("```json {\"a\":1}```", "{\"a\":1}"),
            ("```json\n{\"a\":1}", "{\"a\":1}"),
            ("```", "```"),
            ("{\"a\":1}", "{\"a\":1}"),
            ("{\"a\": \"```\"} ", "{\"a\": \"```\"} "),
            ("``", "``"),
            ("", ""),
        ] {
            for first in 0..=text.len() {
                for second in first..=text.len() {
                    assert_eq!(
                        stripped(text, &[first, second]),
                        expected,
                        "{text} {first} {second}"
                    );
                }
            }
        }
    }
}
