//! `.env` of the working directory: settings for those who do not export them.

use std::io::ErrorKind;

use crate::cli::CliError;

const FILE: &str = ".env";

/// Reads the file, if there is one, and returns the names that it sets. What is set in
/// the environment stays.
pub(super) fn load() -> Result<Vec<String>, CliError> {
    let text = match std::fs::read_to_string(FILE) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(CliError::Dotenv(error.to_string())),
    };
    if let Some(line) = substitution(&text) {
        return Err(CliError::Dotenv(format!(
            "line {line} holds a $ that would be replaced by a variable; put the value in single \
             quotes"
        )));
    }
    dotenvy::from_read(text.as_bytes()).map_err(|error| match error {
        // The line itself may hold a secret.
        dotenvy::Error::LineParse(..) => CliError::Dotenv(format!(
            "line {} cannot be understood; expected NAME=value, or NAME='value' if the value \
             holds anything special",
            broken_line(&text)
        )),
        _ => CliError::Dotenv("cannot be understood".into()),
    })?;
    let pairs = dotenvy::from_read_iter(text.as_bytes());
    Ok(pairs.flatten().map(|(name, _)| name).collect())
}

/// The line of the first `$` that dotenvy would take for the name of a variable.
/// A key that holds one would silently become another.
fn substitution(text: &str) -> Option<usize> {
    let mut line = 1;
    let mut quote = None;
    let mut before = '\n';
    let mut in_comment = false;
    for c in text.chars() {
        match c {
            '\n' => {
                line += 1;
                in_comment = false;
            }
            _ if in_comment => {}
            // Escaped, as dotenvy has it; so is a backslash.
            _ if before == '\\' && quote != Some('\'') => {
                before = ' ';
                continue;
            }
            '#' if quote.is_none() && before.is_whitespace() => in_comment = true,
            '\'' | '"' if quote == Some(c) => quote = None,
            '\'' | '"' if quote.is_none() => quote = Some(c),
            '$' if quote != Some('\'') => return Some(line),
            _ => {}
        }
        before = c;
    }
    None
}

/// dotenvy does not say where it failed: behind the longest beginning that it can read.
fn broken_line(text: &str) -> usize {
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let is_readable = |count: &usize| {
        let beginning = lines[..*count].concat();
        dotenvy::from_read_iter(beginning.as_bytes()).all(|item| item.is_ok())
    };
    (0..lines.len()).rev().find(is_readable).unwrap_or_default() + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dollar_sign_stands_in_single_quotes_or_escaped_or_in_a_comment() {
        for text in [
            "KEY='ab$cd9'",
            "KEY=ab\\$cd9",
            "KEY=\"ab\\$cd9\"",
            "# $5 a month\nKEY=a # $",
            "KEY='a\n$b'",
            "KEY=\"it's\" # $",
        ] {
            assert_eq!(substitution(text), None, "{text}");
        }
        for text in [
            "\nKEY=ab$cd9",
            "\nKEY=$ecret",
            "\nKEY=\"${X}\"",
            "A='b'\nKEY=a#$b",
            "A=b # it's\nKEY=$b",
            "A=b\\\\\nKEY=$b",
            "A='b\\'\nKEY=$b",
        ] {
            assert_eq!(substitution(text), Some(2), "{text}");
        }
    }

    #[test]
    fn a_broken_line_is_found() {
        for text in [
            "# B 2\nB 2\nC=3",
            "A=1\nB=v w\nC=3",
            "A=1\nB='never closed\n\nC=3\n",
            "A=1\nB='2\n'x y\n",
        ] {
            assert_eq!(broken_line(text), 2, "{text}");
        }
    }
}
