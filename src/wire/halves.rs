//! Half a letter in a JSON string: JavaScript counts an emoji as two, and a client
//! that cuts between them sends `"\ud83d"`. OpenAI takes it; serde does not.

use std::borrow::Cow;

use super::Text;

/// What stands for a letter that is none.
const REPLACEMENT: &[u8; 6] = b"\\ufffd";

/// The same JSON, with the replacement character in the place of each half.
pub fn replaced(json: &str) -> String {
    let mut bytes = json.as_bytes().to_vec();
    let mut at = 0;
    while at < bytes.len() {
        at += match (unit(&bytes, at), unit(&bytes, at + 6)) {
            (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => 12,
            (Some(0xd800..=0xdfff), _) => {
                bytes[at..at + 6].copy_from_slice(REPLACEMENT);
                6
            }
            // Whatever else is escaped, a backslash perhaps, is passed over.
            _ if bytes[at] == b'\\' => 2,
            _ => 1,
        };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The text of a JSON string, if it is one.
pub fn text(json: &str) -> Option<Text<'_>> {
    if let Ok(text) = serde_json::from_str(json) {
        return Some(text);
    }
    let text: String = serde_json::from_str(&replaced(json)).ok()?;
    Some(Text(Cow::Owned(text)))
}

/// The number in `\uXXXX`, if that is what stands there.
fn unit(bytes: &[u8], at: usize) -> Option<u16> {
    let digits = bytes.get(at..at + 6)?.strip_prefix(b"\\u")?;
    u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn halves_are_replaced_and_nothing_else() {
        for (json, expected) in [
            (r#""cut \ud83d""#, "cut \u{fffd}"),
            (
                r#""\ude00\ud83dx\ud83d\ud83d\ude00""#,
                "\u{fffd}\u{fffd}x\u{fffd}😀",
            ),
            (r#""\\ud83d \u00e9 😀""#, r"\ud83d é 😀"),
            (r#""\\\ud83d""#, "\\\u{fffd}"),
        ] {
            assert_eq!(&*text(json).unwrap(), expected, "{json}");
        }
        assert!(text("7").is_none() && text(r#""\ud83""#).is_none());
    }
}
