//! The command line, exactly as typed.

use std::ffi::OsString;
use std::path::PathBuf;

use lexopt::prelude::*;

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Command {
    Serve,
    Demo,
    Login(LoginOptions),
    Logout,
    Status,
    Explain,
    Key,
    Simulator,
    Help,
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

pub(super) fn parse(
    args: impl IntoIterator<Item = OsString>,
) -> Result<(Command, Flags), lexopt::Error> {
    let mut parser = lexopt::Parser::from_iter(args);
    let mut command = None;
    let mut flags = Flags::default();
    let mut login = LoginOptions::default();
    while let Some(arg) = parser.next()? {
        match arg {
            Short('h') | Long("help") => return Ok((Command::Help, flags)),
            Short('V') | Long("version") => return Ok((Command::Version, flags)),
            Long("host") => flags.host = Some(parser.value()?.string()?),
            Long("port") => {
                let port = parser.value()?.string()?;
                let bad = |_| format!("--port: '{port}' is not a port; expected 0 to 65535");
                flags.port = Some(port.parse().map_err(bad)?);
            }
            Long("upstream") => flags.upstream = Some(parser.value()?.string()?),
            Long("no-browser") => login.no_browser = true,
            Long("import") => {
                login.import = Some(
                    match parser.optional_value().or_else(|| next_value(&mut parser)) {
                        Some(path) => Import::File(path.into()),
                        None => Import::OfGeminiCli,
                    },
                );
            }
            Value(name) if command.is_none() => command = Some(name.string()?),
            other => return Err(other.unexpected()),
        }
    }
    let is_login = command.as_deref() == Some("login");
    if !is_login && login != LoginOptions::default() {
        return Err("--no-browser and --import are options of `login`".into());
    }
    let command = match command.as_deref() {
        None | Some("serve") => Command::Serve,
        Some("demo") => Command::Demo,
        Some("login") => Command::Login(login),
        Some("logout") => Command::Logout,
        Some("status") => Command::Status,
        Some("explain") => Command::Explain,
        Some("key") => Command::Key,
        Some("simulator") => Command::Simulator,
        Some("help") => Command::Help,
        Some(unknown) => return Err(format!("unknown command '{unknown}'").into()),
    };
    Ok((command, flags))
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
        ] {
            assert!(parsed(line).is_err(), "{line}");
        }
    }
}
