//! `gemini-proxy completions SHELL`: what a shell offers at the tab key.

use std::io::Write;

use crate::cli::CliError;
use crate::cli::commands::{COMMANDS, Command};
use crate::cli::nearest::did_you_mean;
use crate::cli::setup;

const SHELLS: [(&str, Shell); 3] = [
    ("bash", Shell::Bash),
    ("zsh", Shell::Zsh),
    ("fish", Shell::Fish),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shell {
    Bash,
    Zsh,
    Fish,
}

impl Shell {
    pub(super) fn named(name: Option<&str>) -> Result<Self, String> {
        let Some(name) = name else {
            return Err("name the shell: bash, zsh or fish".to_owned());
        };
        match SHELLS.iter().find(|(known, _)| *known == name) {
            Some((_, shell)) => Ok(*shell),
            None => {
                let meant = did_you_mean(name, SHELLS.map(|(known, _)| known));
                Err(format!(
                    "unknown shell '{name}'{meant} There are bash, zsh and fish"
                ))
            }
        }
    }
}

pub(super) fn run(shell: Shell) -> Result<(), CliError> {
    let script = match shell {
        Shell::Bash => bash(),
        Shell::Zsh => zsh(),
        Shell::Fish => fish(),
    };
    Ok(write!(std::io::stdout(), "{script}")?)
}

/// What may stand behind a command.
fn operands(command: &Command) -> Vec<&'static str> {
    match command.name {
        "setup" => setup::names().collect(),
        "completions" => SHELLS.map(|(name, _)| name).to_vec(),
        _ => Vec::new(),
    }
}

fn words(command: &Command) -> String {
    let mut words = operands(command);
    words.extend(command.options());
    words.join(" ")
}

fn names() -> String {
    let names: Vec<_> = COMMANDS.iter().map(|command| command.name).collect();
    names.join(" ")
}

fn bash() -> String {
    let mut script = "# For bash: eval \"$(gemini-proxy completions bash)\"
_gemini_proxy() {
    local current=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} words=
    if [[ $before == --import ]]; then
        COMPREPLY=($(compgen -f -- \"$current\"))
        return
    fi
    if [[ $before == --upstream ]]; then
        COMPREPLY=($(compgen -W 'code-assist gemini-api' -- \"$current\"))
        return
    fi
    case ${COMP_WORDS[1]} in
"
    .to_owned();
    for command in COMMANDS {
        script.push_str(&format!(
            "        {}) words='{}' ;;\n",
            command.name,
            words(command)
        ));
    }
    script.push_str(&format!(
        "    esac
    if [[ $COMP_CWORD == 1 ]]; then
        words='{} help --help --version'
    fi
    COMPREPLY=($(compgen -W \"$words\" -- \"$current\"))
}}
complete -F _gemini_proxy gemini-proxy
",
        names()
    ));
    script
}

fn zsh() -> String {
    let mut script = "#compdef gemini-proxy
# For zsh: gemini-proxy completions zsh > \"${fpath[1]}/_gemini-proxy\"
_gemini_proxy() {
    local -a commands
    commands=(
"
    .to_owned();
    for command in COMMANDS {
        let summary = command.summary().replace('\'', "'\\''").replace(':', "\\:");
        script.push_str(&format!("        '{}:{summary}'\n", command.name));
    }
    script.push_str(
        "    )
    if (( CURRENT == 2 )); then
        _describe command commands
        return
    fi
    case $words[2] in
",
    );
    for command in COMMANDS {
        let words = words(command);
        script.push_str(&format!(
            "        {}) compadd -- {words} ;;\n",
            command.name
        ));
    }
    script.push_str(
        "    esac
}
if [[ $funcstack[1] == _gemini-proxy ]]; then
    _gemini_proxy
else
    compdef _gemini_proxy gemini-proxy
fi
",
    );
    script
}

fn fish() -> String {
    let mut script = "# For fish: gemini-proxy completions fish | source
complete -c gemini-proxy -f
"
    .to_owned();
    for command in COMMANDS {
        let summary = command.summary().replace('\'', "\\'");
        script.push_str(&format!(
            "complete -c gemini-proxy -n __fish_use_subcommand -a {} -d '{summary}'\n",
            command.name
        ));
        let within = format!("-n '__fish_seen_subcommand_from {}'", command.name);
        for operand in operands(command) {
            script.push_str(&format!("complete -c gemini-proxy {within} -a {operand}\n"));
        }
        for option in command.options() {
            let option = option.trim_start_matches('-');
            let files = if option == "import" { " -F" } else { "" };
            script.push_str(&format!(
                "complete -c gemini-proxy {within} -l {option}{files}\n"
            ));
        }
    }
    script
}
