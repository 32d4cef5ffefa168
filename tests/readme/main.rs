//! README.md, held to its word: its examples run against the demo, and it names
//! the settings and commands that exist.
//!
//! Port 3000 may be taken here, so the demo listens elsewhere; nothing but the
//! port is changed in an example. In what an example prints, `…` stands for anything.
//!
//! With `OPENAI_SDKS` set to a Python environment that has `node_modules` in it,
//! both with the package `openai`, the SDKs' examples run, too; else only their
//! syntax is checked. `.ci/run` sets it. The examples of other clients run in
//! `tests/clients`, which has them; here it is their syntax that is checked.
#![allow(clippy::unwrap_used, unreachable_pub)]

mod curl; // what a curl command asks for
mod demo; // the built program
mod messages; // what the program's code can say
mod page; // blocks, commands and tables of README.md

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::demo::{Demo, program, settings_read};
use crate::page::{README, Step, blocks, rows, steps, symptoms};

const EXAMPLE_ENV: &str = include_str!("../../.env.example");
const HELP: &str = include_str!("../../src/cli/help.txt");

/// Other programs' names for settings of ours; described beside those.
const ALIASES: [&str; 1] = ["ALL_PROXY"];

const START: &str = "cargo run --release -- demo";
const CARGO: [&str; 3] = [START, "cargo test", "cargo install --locked --path ."];

#[test]
fn the_demo_prints_what_the_readme_shows() {
    let step = steps().find(|step| step.command == START).unwrap();
    let demo = Demo::start();
    step.assert_printed(&demo.printed.replace(&demo.port, "3000"));
}

#[test]
fn the_demo_and_the_readme_invite_to_the_same_curl() {
    let demo = Demo::start();
    let (_, invited) = demo.printed.split_once("  curl ").unwrap();
    let (invited, _) = invited.split_once("\n\n").unwrap();
    let invited = curl::words(&format!("curl {invited}").replace(&demo.port, "3000"));
    assert!(steps().any(|step| curl::words(&step.command) == invited));
}

#[test]
fn every_curl_is_answered_as_the_readme_shows() {
    every_curl(curl::ask);
}

#[test]
fn curl_itself_prints_what_the_readme_shows() {
    match Command::new("curl").arg("--version").output() {
        Ok(_) => every_curl(|command| printed(shell(command, Path::new(".")))),
        // Bare machines have none.
        Err(_) => every_curl(curl::ask),
    }
}

fn every_curl(answer: impl Fn(&str) -> String) {
    for block in blocks().filter(|block| block.info == "console") {
        let demo = Demo::start();
        for step in block.steps().filter(Step::is_curl) {
            step.assert_printed(&answer(&demo.at_its_port(&step.command)));
        }
    }
}

#[test]
fn the_sdk_examples_print_what_the_readme_shows() {
    let sdks = std::env::var_os("OPENAI_SDKS").filter(|path| !path.is_empty());
    let sdks = sdks.map(PathBuf::from);
    let demo = Demo::start();
    for file in ["chat.py", "chat.mjs"] {
        let block = blocks().find(|block| block.info.ends_with(file)).unwrap();
        assert!(block.text.contains("\"http://127.0.0.1:3000/v1\""));
        let folder = tempfile::tempdir_in(sdks.clone().unwrap_or(std::env::temp_dir())).unwrap();
        fs::write(folder.path().join(file), demo.at_its_port(block.text)).unwrap();
        let step = steps().find(|step| step.command.ends_with(file)).unwrap();
        match &sdks {
            Some(sdks) => {
                let bin = sdks.join("bin");
                let command = format!("PATH='{}':$PATH {}", bin.display(), step.command);
                step.assert_printed(&printed(shell(&command, folder.path())));
            }
            None => assert_is_well_formed(&step.command, folder.path()),
        }
    }
}

#[test]
fn the_examples_of_other_clients_are_well_formed() {
    for (file, interpreter) in [
        ("agent.py", "python3"),
        ("agent.mjs", "node"),
        ("ai.mjs", "node"),
    ] {
        let block = blocks().find(|block| block.info.ends_with(file)).unwrap();
        assert!(block.text.contains("\"http://127.0.0.1:3000/v1\""));
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(file), block.text).unwrap();
        assert_is_well_formed(&format!("{interpreter} {file}"), folder.path());
    }
}

/// The text is one and the same.
#[test]
fn the_settings_of_clients_are_what_setup_prints() {
    for (client, language) in [
        ("codex", "toml"),
        ("agents-sdk", "python agent.py"),
        ("ai-sdk", "js ai.mjs"),
        ("continue", "yaml"),
        ("aider", "yaml"),
        ("litellm", "yaml"),
        ("opencode", "json"),
        ("zed", "json"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let mut setup = program();
        setup.args(["setup", client]).current_dir(&folder);
        let settings = printed(setup.output().unwrap());
        let mut shown = blocks().filter(|block| block.info == language);
        assert!(
            shown.any(|block| format!("{}\n", block.text) == settings),
            "{client}:\n{settings}"
        );
    }
}

#[test]
fn lesson_28_the_configurations_of_clients_name_an_address_and_a_model_that_answer() {
    let demo = Demo::start();
    for language in ["yaml", "toml"] {
        assert!(blocks().any(|block| block.info == language));
    }
    for block in blocks().filter(|block| ["yaml", "toml"].contains(&block.info)) {
        let mut words = block.text.split([' ', '\n', '"']);
        let base = words.find(|word| word.starts_with("http")).unwrap();
        let mut lines = block.text.lines().map(str::trim_start);
        let model = lines.find_map(|line| {
            line.strip_prefix("model: ")
                .or_else(|| line.strip_prefix("model = "))
        });
        let model = model
            .unwrap()
            .trim_matches('"')
            .trim_start_matches("openai/");
        let answer = curl::ask(&demo.at_its_port(&format!("curl {base}/models/{model}")));
        assert!(answer.contains(&format!("\"id\":\"{model}\"")), "{answer}");
    }
}

#[test]
fn every_command_in_the_readme_exists() {
    for step in steps() {
        let words = curl::words(&step.command);
        match words[0].as_str() {
            "curl" => assert!(curl::request(&step.command).url.starts_with("http://127")),
            "cargo" => assert!(CARGO.contains(&&*step.command), "{}", step.command),
            "gemini-proxy" => {
                let own = format!("src/cli/help/{}.txt", words.get(1).map_or("", |word| word));
                let help = format!("{HELP}{}", fs::read_to_string(own).unwrap_or_default());
                for word in &words {
                    assert!(help.contains(word.as_str()), "{word} is not in the help");
                }
                if !step.output.is_empty() {
                    let output = program().args(&words[1..]).output().unwrap();
                    step.assert_printed(&printed(output));
                }
            }
            "export" => {
                let name = words[1].split('=').next().unwrap();
                assert!(settings_in_the_table().contains(name), "{name}");
            }
            "eval" => assert!(step.command.contains("$(gemini-proxy completions bash)")),
            "python3" | "node" => assert!(blocks().any(|block| block.info.ends_with(&words[1]))),
            "sudo" | "journalctl" | "ssh" | "podman" | "rustup" => {
                assert_names_what_is_here(&words)
            }
            script if script.starts_with("scripts/") => assert!(Path::new(script).is_file()),
            other => panic!("say here how to check `{other}`"),
        }
    }
}

/// A command that a test cannot run: of systemd, of a container engine, of another machine.
fn assert_names_what_is_here(words: &[String]) {
    for word in words {
        if word.starts_with("scripts/") || word.starts_with(".env") {
            assert!(Path::new(word).is_file(), "{word}");
        }
        if let Some(binary) = word.strip_prefix("target/") {
            assert_eq!(binary, "x86_64-unknown-linux-musl/release/gemini-proxy");
        }
        if let Some(tag) = word
            .strip_prefix("gemini-proxy:")
            .filter(|tag| *tag != "/data")
        {
            assert_eq!(tag, env!("CARGO_PKG_VERSION"));
        }
    }
}

#[test]
fn each_symptom_is_quoted_as_the_program_says_it() {
    let sources = messages::sources();
    let quotes: Vec<_> = symptoms()
        .flat_map(|cells| page::quoted(cells[0]))
        .collect();
    assert!(quotes.len() > 30, "{}", quotes.len());
    for quote in quotes {
        assert!(messages::says(&sources, quote), "nothing says “{quote}”");
    }
    assert!(!messages::says(&sources, "nobody says this…at all"));
}

#[test]
fn what_mends_a_symptom_exists() {
    let settings = settings_in_the_table();
    for cells in symptoms() {
        assert_eq!(cells.len(), 4, "{cells:?}");
        for mend in page::quoted(cells[2]) {
            let name = mend
                .trim_start_matches("export ")
                .split('=')
                .next()
                .unwrap();
            if name.contains('_') && name == name.to_uppercase() {
                assert!(settings.contains(name), "{name}");
            }
            let command = mend
                .strip_prefix("gemini-proxy ")
                .map(|rest| rest.split(' ').next());
            if let Some(Some(command)) = command {
                assert!(HELP.contains(&format!("\n  {command} ")), "{command}");
            }
        }
    }
}

#[test]
fn every_topic_is_in_the_contents() {
    let contents = README
        .lines()
        .find(|line| line.starts_with("[Try it]"))
        .unwrap();
    for topic in README.lines().filter_map(|line| line.strip_prefix("## ")) {
        let anchor = format!("(#{})", topic.to_lowercase().replace(' ', "-"));
        assert!(contents.contains(&anchor), "{topic}");
    }
    let anchors = contents.matches("(#").count();
    assert_eq!(anchors, README.matches("\n## ").count());
}

#[test]
fn the_readme_names_every_command_of_the_help() {
    let (_, list) = HELP.split_once("Commands:\n").unwrap();
    let (list, _) = list.split_once("\n\n").unwrap();
    for line in list.lines() {
        let command = line.split_whitespace().next().unwrap();
        let is_named = |before| README.contains(&format!("{before} {command}"));
        assert!(is_named("gemini-proxy") || is_named("--"), "{command}");
    }
}

#[test]
fn readme_example_file_and_program_know_the_same_settings() {
    let own = |name: &&str| !ALIASES.contains(name);
    let read: BTreeSet<_> = settings_read().filter(own).collect();
    assert_eq!(settings_in_the_table(), read, "in README.md");
    let examples = examples().map(|(name, _)| name);
    assert_eq!(examples.collect::<BTreeSet<_>>(), read, "in .env.example");
    for alias in ALIASES {
        assert!(README.contains(alias), "{alias}");
    }
}

#[test]
fn the_example_file_shows_the_defaults_and_is_understood() {
    let mut dotenv = String::new();
    for (name, value) in examples() {
        let row = rows().find(|cells| cells[0] == format!("`{name}`"));
        let default = row.unwrap()[1];
        assert!(default.contains(value), "{name}: {value} is not {default}");
        dotenv.push_str(&format!("{name}={value}\n"));
    }
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(".env"), dotenv).unwrap();
    let mut status = program();
    let output = status.arg("status").current_dir(&folder).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains("signed in: no"), "{said}");
    assert!(output.stderr.is_empty());
}

#[test]
fn every_link_into_the_repository_leads_somewhere() {
    let targets = README.split("](").skip(1);
    let targets = targets.map(|rest| rest.split(')').next().unwrap());
    let local: Vec<_> = targets
        .filter(|target| !target.contains("://") && !target.starts_with('#'))
        .collect();
    assert!(!local.is_empty());
    for target in local {
        assert!(Path::new(target).exists(), "{target}");
    }
}

/// `#NAME=value` in `.env.example`.
fn examples() -> impl Iterator<Item = (&'static str, &'static str)> {
    let lines = EXAMPLE_ENV.lines();
    let pairs = lines.filter_map(|line| line.strip_prefix('#')?.split_once('='));
    pairs.filter(|(name, _)| !name.contains(' '))
}

fn settings_in_the_table() -> BTreeSet<&'static str> {
    let names = rows().filter_map(|cells| cells[0].strip_prefix('`')?.strip_suffix('`'));
    let is_setting = |name: &&str| name.contains('_') && **name == name.to_uppercase();
    names.filter(is_setting).collect()
}

fn shell(command: &str, folder: &Path) -> Output {
    let mut shell = Command::new("sh");
    shell.args(["-c", command]).current_dir(folder);
    // Whoever has a proxy has none for the demo.
    shell
        .env("no_proxy", "127.0.0.1")
        .env("NO_PROXY", "127.0.0.1");
    shell.output().unwrap()
}

/// What a command that succeeded wrote to standard output.
fn printed(output: Output) -> String {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}\n{stderr}", output.status);
    String::from_utf8(output.stdout).unwrap()
}

/// As far as can be told without the SDK, by an interpreter that may be here.
fn assert_is_well_formed(command: &str, folder: &Path) {
    let (interpreter, file) = command.split_once(' ').unwrap();
    let check = match interpreter {
        "python3" => format!("python3 -m py_compile {file}"),
        _ => format!("{interpreter} --check {file}"),
    };
    if Command::new(interpreter).arg("--version").output().is_ok() {
        printed(shell(&check, folder));
    }
}
