//! Colour, for eyes alone: only on a terminal, and only where `NO_COLOR`
//! (<https://no-color.org>) does not forbid it.

use std::io::IsTerminal;

/// What a word means; its colour follows.
#[derive(Debug, Clone, Copy)]
pub enum Tone {
    Good,
    Bad,
    Faint,
}

/// For what goes to this stream.
#[derive(Debug, Clone, Copy)]
pub struct Style {
    in_colour: bool,
}

impl Style {
    pub fn of(stream: &impl IsTerminal) -> Self {
        let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        Self {
            in_colour: stream.is_terminal() && !is_set("NO_COLOR") && !is_dumb,
        }
    }

    pub fn paint(self, tone: Tone, word: &str) -> String {
        let code = match tone {
            Tone::Good => 32,
            Tone::Bad => 31,
            Tone::Faint => 2,
        };
        if self.in_colour {
            format!("\x1b[{code}m{word}\x1b[0m")
        } else {
            word.to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_terminal_gets_bare_words() {
        let painted = |in_colour| Style { in_colour }.paint(Tone::Bad, "wrong");
        assert_eq!(painted(false), "wrong");
        assert_eq!(painted(true), "\u{1b}[31mwrong\u{1b}[0m");
    }
}
