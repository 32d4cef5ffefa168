//! What was checked and found: a line each for a person, one JSON document for a
//! report of a bug.

use std::io::Write;

use serde_json::{Value, json};

use crate::cli::style::{Style, Tone};
use crate::config::Config;

/// As wide as the longest name.
const NAME_WIDTH: usize = 10;

/// Something is wrong.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) cause: String,
    /// A command, where one mends it; else the cause says what to do.
    pub(super) mend: Option<String>,
}

impl Fault {
    pub(super) fn new(cause: impl Into<String>, mend: impl Into<String>) -> Self {
        Self {
            cause: cause.into(),
            mend: Some(mend.into()),
        }
    }
}

#[derive(Debug)]
enum Outcome {
    Good { found: String },
    Wrong(Fault),
    Skipped { because: String },
}

/// All that was checked so far.
pub(super) struct Report {
    checks: Vec<(&'static str, Outcome)>,
    is_json: bool,
    style: Style,
}

impl Report {
    pub(super) fn new(is_json: bool) -> Self {
        Self {
            checks: Vec::new(),
            is_json,
            style: Style::of(&std::io::stdout()),
        }
    }

    /// Returns whether it is good.
    pub(super) fn add(
        &mut self,
        name: &'static str,
        result: Result<String, Fault>,
    ) -> std::io::Result<bool> {
        let is_good = result.is_ok();
        let outcome = match result {
            Ok(found) => Outcome::Good { found },
            Err(fault) => Outcome::Wrong(fault),
        };
        self.push(name, outcome)?;
        Ok(is_good)
    }

    pub(super) fn skip(&mut self, name: &'static str, because: &str) -> std::io::Result<()> {
        let because = because.to_owned();
        self.push(name, Outcome::Skipped { because })
    }

    /// A person sees each line as soon as it is known.
    fn push(&mut self, name: &'static str, outcome: Outcome) -> std::io::Result<()> {
        if !self.is_json {
            write!(std::io::stdout(), "{}", self.line(name, &outcome))?;
        }
        self.checks.push((name, outcome));
        Ok(())
    }

    fn line(&self, name: &str, outcome: &Outcome) -> String {
        let (tone, word, text) = match outcome {
            Outcome::Good { found } => (Tone::Good, "ok   ", found),
            Outcome::Wrong(fault) => (Tone::Bad, "wrong", &fault.cause),
            Outcome::Skipped { because } => (Tone::Faint, "skip ", because),
        };
        let word = self.style.paint(tone, word);
        let mut line = format!("{word}  {name:NAME_WIDTH$}  {text}\n");
        if let Outcome::Wrong(Fault {
            mend: Some(mend), ..
        }) = outcome
        {
            line.push_str(&format!(
                "{:indent$}→ {mend}\n",
                "",
                indent = NAME_WIDTH + 9
            ));
        }
        line
    }

    pub(super) fn is_good(&self) -> bool {
        !self
            .checks
            .iter()
            .any(|(_, outcome)| matches!(outcome, Outcome::Wrong(_)))
    }

    /// The same for a program, or for a stranger: without what is nobody's business.
    pub(super) fn finish(&self, privacy: &Privacy) -> std::io::Result<()> {
        let mut out = std::io::stdout();
        if !self.is_json {
            let verdict = if self.is_good() {
                "All is well."
            } else {
                "Mend what is wrong, from the top, and run `gemini-proxy doctor` again."
            };
            return writeln!(out, "\n{verdict}");
        }
        let checks: Vec<_> = self
            .checks
            .iter()
            .map(|(name, outcome)| as_json(name, outcome, privacy))
            .collect();
        let document = json!({
            "program": concat!("gemini-proxy ", env!("CARGO_PKG_VERSION")),
            "system": format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
            "good": self.is_good(),
            "checks": checks,
        });
        writeln!(out, "{document:#}")
    }
}

fn as_json(name: &str, outcome: &Outcome, privacy: &Privacy) -> Value {
    let kept = |text: &str| privacy.kept(text);
    match outcome {
        Outcome::Good { found } => json!({"name": name, "state": "ok", "found": kept(found)}),
        Outcome::Wrong(Fault { cause, mend }) => json!({
            "name": name,
            "state": "wrong",
            "cause": kept(cause),
            "mend": mend.as_deref().map(kept),
        }),
        Outcome::Skipped { because } => {
            json!({"name": name, "state": "skipped", "because": kept(because)})
        }
    }
}

/// What a stranger is not to read.
#[derive(Default)]
pub(super) struct Privacy {
    secrets: Vec<String>,
    home: Option<String>,
}

impl Privacy {
    pub(super) fn of(config: Option<&Config>) -> Self {
        let keys = config.into_iter().flat_map(|config| {
            let own = config.api_keys.iter();
            own.chain(&config.gemini_api_key)
                .chain(&config.outbound.proxy)
        });
        let home = std::env::home_dir().map(|home| home.display().to_string());
        Self {
            secrets: keys.map(|key| key.reveal().to_owned()).collect(),
            home: home.filter(|home| home.len() > 1),
        }
    }

    fn kept(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for secret in &self.secrets {
            text = text.replace(secret.as_str(), "[secret]");
        }
        if let Some(home) = &self.home {
            text = text.replace(home.as_str(), "~");
        }
        without_local_parts(&text)
    }
}

/// Of addresses of mail.
fn without_local_parts(text: &str) -> String {
    let is_local = |c: char| c.is_alphanumeric() || "._%+-".contains(c);
    let mut pieces = text.split('@').peekable();
    let mut kept = String::new();
    while let Some(piece) = pieces.next() {
        let is_before_a_domain = pieces
            .peek()
            .is_some_and(|next| next.starts_with(char::is_alphanumeric));
        if is_before_a_domain {
            kept.push_str(piece.trim_end_matches(is_local));
            kept.push_str("…@");
        } else {
            kept.push_str(piece);
            if pieces.peek().is_some() {
                kept.push('@');
            }
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_homes_and_names_before_an_at_sign_are_kept_to_oneself() {
        let privacy = Privacy {
            secrets: vec!["sk-1".into()],
            home: Some("/home/ada".into()),
        };
        for (text, kept) in [
            ("ada.l+x@example.com, acme", "…@example.com, acme"),
            ("key sk-1 of /home/ada/x", "key [secret] of ~/x"),
            ("(a@b.c) and d@e.f", "(…@b.c) and …@e.f"),
            ("@ alone, and a@", "@ alone, and a@"),
        ] {
            assert_eq!(privacy.kept(text), kept);
        }
    }
}
