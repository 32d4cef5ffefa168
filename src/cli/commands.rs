//! All commands and options, with what is said about each: for the command line, its
//! help and the shells' completion.

/// What can be typed first.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Command {
    pub(super) name: &'static str,
    pub(super) help: &'static str,
    /// Something stands behind it: a client, a shell.
    pub(super) takes_operand: bool,
}

/// What begins with two hyphens.
#[derive(Debug)]
pub(super) struct Flag {
    pub(super) name: &'static str,
    /// The commands that it belongs to; none: all of them.
    pub(super) of: &'static [&'static str],
}

macro_rules! command {
    ($name:literal, $takes_operand:literal) => {
        Command {
            name: $name,
            help: include_str!(concat!("help/", $name, ".txt")),
            takes_operand: $takes_operand,
        }
    };
}

pub(super) const COMMANDS: &[Command] = &[
    command!("serve", false),
    command!("demo", false),
    command!("login", false),
    command!("logout", false),
    command!("status", false),
    command!("doctor", false),
    command!("models", false),
    command!("quota", false),
    command!("setup", true),
    command!("explain", false),
    command!("key", false),
    command!("simulator", false),
    command!("completions", true),
];

/// `--host`, `--port` and `--upstream` are settings, which every command may heed.
pub(super) const OPTIONS: &[Flag] = &[
    option("--host", &[]),
    option("--port", &[]),
    option("--upstream", &[]),
    option("--no-browser", &["login"]),
    option("--import", &["login"]),
    option("--json", &["doctor", "models", "quota"]),
    option("--model", &["doctor", "setup"]),
    option("--help", &[]),
    option("--version", &[]),
];

const fn option(name: &'static str, of: &'static [&'static str]) -> Flag {
    Flag { name, of }
}

impl Command {
    /// The first line of its help, behind the name.
    pub(super) fn summary(&self) -> &'static str {
        let first = self.help.lines().next().unwrap_or_default();
        first.split_once(": ").map_or(first, |(_, summary)| summary)
    }

    /// The options that may stand beside it.
    pub(super) fn options(&self) -> impl Iterator<Item = &'static str> {
        let belongs = |option: &&Flag| option.of.is_empty() || option.of.contains(&self.name);
        OPTIONS.iter().filter(belongs).map(|option| option.name)
    }
}

pub(super) fn find(name: &str) -> Option<&'static Command> {
    COMMANDS.iter().find(|command| command.name == name)
}

/// Whether the option belongs to the command.
pub(super) fn check(option: &str, command: &Command) -> Result<(), String> {
    if command.options().any(|name| name == option) {
        return Ok(());
    }
    let option = OPTIONS.iter().find(|known| known.name == option);
    let (name, of) = option.map_or(("", &[][..]), |option| (option.name, option.of));
    let of: Vec<_> = of.iter().map(|name| format!("`{name}`")).collect();
    Err(format!("{name} is one of the options of {}", of.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_help_is_whole_and_names_what_belongs_to_the_command() {
        for command in COMMANDS {
            let opening = format!("gemini-proxy {}: ", command.name);
            assert!(command.help.starts_with(&opening), "{}", command.name);
            let usage = format!("Usage: gemini-proxy {}", command.name);
            for part in [&*usage, "\nExample:\n"] {
                assert!(command.help.contains(part), "{}: {part}", command.name);
            }
            for option in OPTIONS.iter().filter(|option| !option.of.is_empty()) {
                let belongs = option.of.contains(&command.name);
                let is_named = command.help.contains(&format!("  {}", option.name));
                assert_eq!(belongs, is_named, "{} {}", command.name, option.name);
            }
            for line in command.help.lines() {
                assert!(line.chars().count() <= 90, "{line}");
            }
        }
    }
}
