//! The command line, exactly as typed.

use std::ffi::OsString;
use std::path::PathBuf;

use lexopt::prelude::*;

use crate::cli::commands::{self, COMMANDS, OPTIONS};
use crate::cli::completions::Shell;
use crate::cli::doctor;
use crate::cli::nearest::did_you_mean;
use crate::cli::setup;

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Command {
    Serve,
    Demo,
    Login(LoginOptions),
    Logout,
    Status,
    Doctor(doctor::Options),
    Models {
        json: bool,
    },
    Quota {
        json: bool,
    },
    Setup(setup::Options),
    Explain,
    Key,
    Simulator,
    Completions(Shell),
    /// Of one command, or of all.
    Help(Option<&'static commands::Command>),
    Version,
}

/// What stands in the environment's place.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Flags {
    pub host: Option<String>,
    pub port: Option<u16>,
    pub upstream: Option<String>,
}

#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct LoginOptions {
    pub(super) no_browser: bool,
    pub(super) import: Option<Import>,
}

/// Which file to take over.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Import {
    OfGeminiCli,
    File(PathBuf),
}

/// All that was typed, before it is known whether it belongs together.
#[derive(Default)]
struct Typed {
    command: Option<String>,
    operand: Option<String>,
    /// As written, in order.
    options: Vec<&'static str>,
    flags: Flags,
    login: LoginOptions,
    model: Option<String>,
}

pub(super) fn parse(
    args: impl IntoIterator<Item = OsString>,
) -> Result<(Command, Flags), lexopt::Error> {
    let typed = read(args)?;
    let has = |option| typed.options.contains(&option);
    if has("--version") {
        return Ok((Command::Version, typed.flags));
    }
    let name = typed.command.as_deref().unwrap_or("serve");
    if name == "help" {
        let about = typed.operand.as_deref().map(known).transpose()?;
        return Ok((Command::Help(about), typed.flags));
    }
    let command = known(name)?;
    if has("--help") {
        let about = typed.command.is_some().then_some(command);
        return Ok((Command::Help(about), typed.flags));
    }
    if let Some(stray) = typed.operand.as_deref().filter(|_| !command.takes_operand) {
        return Err(format!("unexpected argument '{stray}' after `{name}`").into());
    }
    for option in &typed.options {
        commands::check(option, command)?;
    }
    let json = has("--json");
    let parsed = match command.name {
        "demo" => Command::Demo,
        "login" => Command::Login(typed.login),
        "logout" => Command::Logout,
        "status" => Command::Status,
        "doctor" => Command::Doctor(doctor::Options {
            json,
            model: typed.model,
        }),
        "models" => Command::Models { json },
        "quota" => Command::Quota { json },
        "setup" => Command::Setup(setup::Options {
            client: typed.operand,
            model: typed.model,
        }),
        "explain" => Command::Explain,
        "key" => Command::Key,
        "simulator" => Command::Simulator,
        "completions" => Command::Completions(Shell::named(typed.operand.as_deref())?),
        _ => Command::Serve,
    };
    Ok((parsed, typed.flags))
}

fn read(args: impl IntoIterator<Item = OsString>) -> Result<Typed, lexopt::Error> {
    let mut parser = lexopt::Parser::from_iter(args);
    let mut typed = Typed::default();
    while let Some(arg) = parser.next()? {
        let option = match arg {
            Short('h') | Long("help") => "--help",
            Short('V') | Long("version") => "--version",
            Long("host") => {
                typed.flags.host = Some(parser.value()?.string()?);
                "--host"
            }
            Long("port") => {
                let port = parser.value()?.string()?;
                let bad = |_| format!("--port: '{port}' is not a port; expected 0 to 65535");
                typed.flags.port = Some(port.parse().map_err(bad)?);
                "--port"
            }
            Long("upstream") => {
                typed.flags.upstream = Some(parser.value()?.string()?);
                "--upstream"
            }
            Long("no-browser") => {
                typed.login.no_browser = true;
                "--no-browser"
            }
            Long("import") => {
                typed.login.import = Some(
                    match parser.optional_value().or_else(|| next_value(&mut parser)) {
                        Some(path) => Import::File(path.into()),
                        None => Import::OfGeminiCli,
                    },
                );
                "--import"
            }
            Long("json") => "--json",
            Long("model") => {
                let model = parser.value()?.string()?;
                let is_of_id = |c: char| c.is_ascii_alphanumeric() || "-._/:".contains(c);
                if model.is_empty() || !model.chars().all(is_of_id) {
                    return Err(format!("--model: '{model}' is not a model's id").into());
                }
                typed.model = Some(model);
                "--model"
            }
            Value(name) if typed.command.is_none() => {
                typed.command = Some(name.string()?);
                continue;
            }
            Value(operand) if typed.operand.is_none() => {
                typed.operand = Some(operand.string()?);
                continue;
            }
            Long(unknown) => {
                let unknown = format!("--{unknown}");
                let names = OPTIONS.iter().map(|option| option.name);
                let meant = did_you_mean(&unknown, names);
                return Err(format!("unknown option '{unknown}'{meant}").into());
            }
            other => return Err(other.unexpected()),
        };
        typed.options.push(option);
    }
    Ok(typed)
}

fn known(name: &str) -> Result<&'static commands::Command, String> {
    let names = COMMANDS.iter().map(|command| command.name);
    let meant = || did_you_mean(name, names.chain(["help"]));
    commands::find(name).ok_or_else(|| format!("unknown command '{name}'{}", meant()))
}

/// `--import FILE` as well as `--import=FILE`.
fn next_value(parser: &mut lexopt::Parser) -> Option<OsString> {
    let mut rest = parser.try_raw_args()?;
    rest.next_if(|arg| !arg.to_string_lossy().starts_with('-'))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn parsed(line: &str) -> Result<(Command, Flags), lexopt::Error> {
        parse(
            std::iter::once("gemini-proxy")
                .chain(line.split_whitespace())
                .map(OsString::from),
        )
    }

    #[test]
    fn no_command_means_serve() {
        assert_eq!(parsed("").unwrap(), (Command::Serve, Flags::default()));
        let (command, flags) = parsed("--port 8080 serve").unwrap();
        assert_eq!((command, flags.port), (Command::Serve, Some(8080)));
    }

    #[test]
    fn what_is_nearly_right_is_answered_with_what_was_meant() {
        for (line, meant) in [
            ("sevre", "did you mean 'serve'?"),
            ("help docter", "did you mean 'doctor'?"),
            ("serve --prot 1", "did you mean '--port'?"),
            ("completions zhs", "did you mean 'zsh'?"),
        ] {
            let message = parsed(line).unwrap_err().to_string();
            assert!(message.contains(meant), "{message}");
        }
    }

    #[test]
    fn help_is_of_the_command_it_stands_beside() {
        let help = |line: &str| match parsed(line).unwrap().0 {
            Command::Help(about) => about.map(|command| command.name),
            other => panic!("{line}: {other:?}"),
        };
        for line in [
            "login --help",
            "-h login",
            "help login",
            "login --import -h",
        ] {
            assert_eq!(help(line), Some("login"), "{line}");
        }
        assert_eq!((help("--help"), help("help")), (None, None));
    }

    #[test]
    fn import_may_name_a_file() {
        let import = |line: &str| match parsed(line).unwrap().0 {
            Command::Login(options) => options.import,
            _ => None,
        };
        assert_eq!(import("login --import"), Some(Import::OfGeminiCli));
        assert_eq!(
            import("login --import a.json"),
            Some(Import::File("a.json".into()))
        );
        assert_eq!(
            import("login --import=a.json"),
            Some(Import::File("a.json".into()))
        );
        assert_eq!(import("login"), None);
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for line in [
            "sing",
            "serve extra",
            "--port x",
            "--nonsense",
            "serve --no-browser",
            "serve --json",
            "models --model x",
            "completions",
            "completions tcsh",
        ] {
            assert!(parsed(line).is_err(), "{line}");
        }
    }
}
