//! What each side says: JSON and framing, no opinions.
//!
//! Types carry the vendor's own names, so that any of them can be pasted into
//! the vendor's documentation. Everything is borrowed from the bytes it was
//! parsed from where the bytes allow it.

pub mod code_assist;
pub mod completions;
pub mod count_tokens;
pub mod gemini;
pub mod google_oauth;
pub mod halves;
mod lenient;
pub mod misfit;
mod object;
pub mod openai;
pub mod pretty;
pub mod provisioning;
pub mod responses;
pub mod sse;

pub use lenient::Lenient;
pub use misfit::Misfit;

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;

use serde::de::{self, Deserialize, Deserializer, Visitor};
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

/// A JSON string; borrowed wherever it holds no escapes. (serde's own
/// `Option<Cow<str>>` always copies.)
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Text<'a>(pub Cow<'a, str>);

impl Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl<'a> From<&'a str> for Text<'a> {
    fn from(text: &'a str) -> Self {
        Self(Cow::Borrowed(text))
    }
}

impl From<String> for Text<'_> {
    fn from(text: String) -> Self {
        Self(Cow::Owned(text))
    }
}

impl Serialize for Text<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match quoted(&self.0) {
            Some(json) => json.serialize(serializer),
            None => serializer.serialize_str(&self.0),
        }
    }
}

/// Long text as JSON. serde_json looks at each byte of a string that it writes, which
/// took half the time of a long prompt; here whole words of the processor are looked
/// at, by memchr and by serde_json's reader, which checks the outcome. `None` for text
/// that is short, or has what only serde_json knows to write.
fn quoted(text: &str) -> Option<Box<RawValue>> {
    const LONG: usize = 4 * 1024;
    if text.len() < LONG {
        return None;
    }
    let mut json = String::with_capacity(text.len() + text.len() / 32 + 2);
    json.push('"');
    let mut done = 0;
    for at in memchr::memchr3_iter(b'"', b'\\', b'\n', text.as_bytes()) {
        json.push_str(&text[done..at]);
        json.push_str(match text.as_bytes()[at] {
            b'"' => "\\\"",
            b'\\' => "\\\\",
            _ => "\\n",
        });
        done = at + 1;
    }
    json.push_str(&text[done..]);
    json.push('"');
    // Refuses the other control characters.
    RawValue::from_string(json).ok()
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Borrowing;

        impl<'de> Visitor<'de> for Borrowing {
            type Value = Text<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Borrowed(text)))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }

            fn visit_string<E: de::Error>(self, text: String) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(text)))
            }
        }

        deserializer.deserialize_str(Borrowing)
    }
}

/// Any JSON value, kept as the text it was sent as, so that numbers keep every
/// digit and keys their order.
#[derive(Clone, Debug)]
pub struct Json<'a>(Cow<'a, RawValue>);

impl<'a> Json<'a> {
    /// The text, whitespace included.
    pub fn text(&self) -> &str {
        self.0.get()
    }

    /// The text as it stands in what the value was parsed from, if it was.
    pub fn borrowed_text(&self) -> Option<&'a str> {
        match &self.0 {
            Cow::Borrowed(raw) => Some(raw.get()),
            Cow::Owned(_) => None,
        }
    }

    /// Whether the value is `{…}`.
    pub fn is_object(&self) -> bool {
        self.text().starts_with('{')
    }

    /// Checks that `text` is one JSON value, and keeps it.
    pub fn parse(text: &str) -> Result<Json<'static>, serde_json::Error> {
        RawValue::from_string(text.to_owned()).map(|raw| Json(Cow::Owned(raw)))
    }

    /// A value of our own, which can always be written as JSON.
    pub fn of(value: &impl Serialize) -> Json<'static> {
        match serde_json::value::to_raw_value(value) {
            Ok(raw) => Json(Cow::Owned(raw)),
            Err(_) => Json(Cow::Borrowed(RawValue::NULL)),
        }
    }

    /// The value without whitespace between its tokens.
    pub fn compact(&self) -> Cow<'_, str> {
        compact(self.text())
    }

    pub fn borrowed(&self) -> Json<'_> {
        Json(Cow::Borrowed(&self.0))
    }
}

impl Serialize for Json<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Json<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <&'de RawValue>::deserialize(deserializer).map(|raw| Self(Cow::Borrowed(raw)))
    }
}

/// Two hexadecimal digits a byte, in small letters.
pub fn hex(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits
        .map(|digit| char::from(b"0123456789abcdef"[usize::from(digit)]))
        .collect()
}

/// Drops whitespace outside strings from text that is known to be JSON. Google
/// pretty-prints whole answers; OpenAI's `arguments` are compact.
fn compact(json: &str) -> Cow<'_, str> {
    let has_space = json.bytes().any(|byte| byte.is_ascii_whitespace());
    if !has_space {
        return Cow::Borrowed(json);
    }
    let mut out = String::with_capacity(json.len());
    let (mut in_string, mut escaped) = (false, false);
    for c in json.chars() {
        if in_string {
            (in_string, escaped) = (escaped || c != '"', !escaped && c == '\\');
        } else if matches!(c, ' ' | '\n' | '\r' | '\t') {
            continue;
        } else if c == '"' {
            in_string = true;
        }
        out.push(c);
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn strings_without_escapes_are_borrowed_even_inside_an_option() {
        let parsed: Option<Text<'_>> = serde_json::from_str(r#""plain""#).unwrap();
        assert!(matches!(parsed, Some(Text(Cow::Borrowed("plain")))));
        let parsed: Option<Text<'_>> = serde_json::from_str(r#""a\nb""#).unwrap();
        assert_eq!(&*parsed.unwrap(), "a\nb");
    }

    #[test]
    fn bytes_are_written_as_two_digits_each() {
        assert_eq!(hex(&[0, 0x0f, 0xf0, 0xab, 255]), "000ff0abff");
    }

    #[test]
    fn long_text_is_written_as_short_text_is() {
        let filler = "größer ".repeat(1024);
        for byte in 0..=127_u8 {
            let odd = char::from(byte);
            let text = format!("{odd}{filler}{odd}{odd}{filler}\u{2028}{odd}");
            let json = serde_json::to_string(&Text::from(&*text)).unwrap();
            assert_eq!(json, serde_json::to_string(&text).unwrap());
        }
    }

    #[test]
    fn compacting_keeps_strings_digits_and_order() {
        let json = "{\n  \"b\" : 10000000000000000000001,\t\"a\": \"x \\\" y\\\\\" , \"c\": [ 1.50, \"\" ]\r\n}";
        let expected = r#"{"b":10000000000000000000001,"a":"x \" y\\","c":[1.50,""]}"#;
        assert_eq!(Json::parse(json).unwrap().compact(), expected);
        assert!(matches!(compact("{\"a\":1}"), Cow::Borrowed(_)));
    }
}
