//! JSON indented for a person, with every other byte as it was: a parser would
//! round the numbers.

use super::compact;

const INDENT: &str = "  ";

/// Indents text that is known to be JSON.
pub fn pretty(json: &str) -> String {
    let mut out = String::with_capacity(json.len() * 2);
    let mut depth = 0_usize;
    let (mut in_string, mut escaped) = (false, false);
    let json = compact(json);
    let mut characters = json.chars().peekable();
    while let Some(c) = characters.next() {
        if in_string {
            (in_string, escaped) = (escaped || c != '"', !escaped && c == '\\');
            out.push(c);
            continue;
        }
        match c {
            '{' | '[' => {
                out.push(c);
                // An empty object or array stays on its line.
                if let Some(end) = characters.next_if(|next| matches!(next, '}' | ']')) {
                    out.push(end);
                } else {
                    depth += 1;
                    new_line(&mut out, depth);
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                new_line(&mut out, depth);
                out.push(c);
            }
            ',' => {
                out.push(c);
                new_line(&mut out, depth);
            }
            ':' => out.push_str(": "),
            _ => {
                in_string = c == '"';
                out.push(c);
            }
        }
    }
    out
}

fn new_line(out: &mut String, depth: usize) {
    out.push('\n');
    for _ in 0..depth {
        out.push_str(INDENT);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn it_is_what_serde_would_print_and_keeps_every_digit() {
        let json = r#"{"a":[],"b":{},"c":[1,{"d":"x:{,}\"\\"}],"e":null}"#;
        let value: serde_json::Value = serde_json::from_str(json).unwrap();
        assert_eq!(pretty(json), serde_json::to_string_pretty(&value).unwrap());
        assert_eq!(
            pretty("[ 10000000000000000000001 ,1.50\n]"),
            "[\n  10000000000000000000001,\n  1.50\n]"
        );
    }
}
