//! The rules of the house, checked: which floor may use which, who may name
//! which library, and that every file says what it is. The map is in `src/lib.rs`.

use std::fs;
use std::path::{Path, PathBuf};

/// Each floor, and the floors it may use.
const FLOORS: &[(&str, &[&str])] = &[
    ("secret", &[]),
    ("config", &["secret"]),
    ("wire", &["secret"]),
    ("models", &["wire"]),
    ("translate", &["models", "wire"]),
    ("http", &["config", "secret"]),
    ("oauth", &["config", "http", "secret", "wire"]),
    (
        "upstream",
        &["config", "http", "models", "oauth", "secret", "wire"],
    ),
    (
        "server",
        &[
            "config",
            "http",
            "models",
            "oauth",
            "secret",
            "translate",
            "upstream",
            "wire",
        ],
    ),
    ("simulator", &[]),
    (
        "cli",
        &[
            "config",
            "http",
            "oauth",
            "secret",
            "server",
            "simulator",
            "upstream",
        ],
    ),
];

/// Words, and where alone they may stand.
const KEEPERS: &[(&str, &[&str])] = &[
    ("ureq", &["http/", "cli/logger.rs"]),
    ("tiny_http", &["server/transport/"]),
    ("httparse", &["simulator/"]),
    ("signal_hook", &["cli/signals.rs"]),
    ("std::env::var", &["cli/"]),
    ("SystemTime::now", &["oauth/", "server/", "simulator/"]),
    (
        "getrandom::",
        &[
            "cli/key.rs",
            "cli/mod.rs",
            "oauth/",
            "server/",
            "simulator/",
            "upstream/code_assist.rs",
        ],
    ),
    ("wire::openai", &["translate/", "server/", "wire/"]),
    ("wire::completions", &["translate/", "server/", "wire/"]),
    ("wire::responses", &["translate/", "server/", "wire/"]),
    (
        "wire::gemini",
        &["translate/", "upstream/", "models/", "wire/"],
    ),
    ("wire::code_assist", &["upstream/", "wire/"]),
    ("wire::count_tokens", &["upstream/", "wire/"]),
    ("wire::provisioning", &["upstream/", "wire/"]),
    ("ErrorBody", &["server/error.rs", "wire/openai/"]),
];

struct Source {
    /// Below `src`.
    path: String,
    text: String,
}

impl Source {
    fn floor(&self) -> &str {
        let first = self.path.split('/').next().unwrap_or_default();
        first.trim_end_matches(".rs")
    }

    /// Lines of code: comments speak of everything.
    fn code(&self) -> impl Iterator<Item = &str> {
        self.text
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"))
    }
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut sources = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("src can be listed") {
            let path: PathBuf = entry.expect("src can be listed").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let below = path.strip_prefix(&root).expect("it is below src");
                sources.push(Source {
                    path: below.to_string_lossy().replace('\\', "/"),
                    text: fs::read_to_string(&path).expect("a source can be read"),
                });
            }
        }
    }
    assert!(sources.len() > 50, "the sources were not found");
    sources
}

/// Names of other floors that a line of code uses.
fn used(line: &str) -> impl Iterator<Item = &str> {
    line.split("crate::").skip(1).map(|rest| {
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        &rest[..end.unwrap_or(rest.len())]
    })
}

#[test]
fn no_floor_uses_what_is_above_it() {
    for source in sources() {
        let Some((_, allowed)) = FLOORS.iter().find(|(floor, _)| *floor == source.floor()) else {
            assert!(
                ["lib", "main"].contains(&source.floor()),
                "{} is on no floor",
                source.path
            );
            continue;
        };
        for line in source.code() {
            assert!(
                !line.contains("crate::{"),
                "{}: one floor, one line: {line}",
                source.path
            );
            for floor in used(line) {
                let is_known = FLOORS.iter().any(|(name, _)| *name == floor);
                let is_allowed = floor == source.floor() || allowed.contains(&floor);
                assert!(
                    !is_known || is_allowed,
                    "{} may not use {floor}: {line}",
                    source.path
                );
            }
        }
    }
}

#[test]
fn each_library_and_each_vocabulary_has_its_keepers() {
    for source in sources() {
        for (word, keepers) in KEEPERS {
            let may = keepers.iter().any(|keeper| source.path.starts_with(keeper));
            for line in source.code() {
                assert!(
                    may || !names(line, word),
                    "{} may not name {word}: {line}",
                    source.path
                );
            }
        }
    }
}

/// Whether the word stands in the line by itself, and not in a string.
fn names(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let quotes = line[..at].matches('"').count();
        quotes.is_multiple_of(2) && !before.is_some_and(|c| c.is_ascii_alphanumeric() || c == '_')
    })
}

#[test]
fn every_file_says_what_it_is_and_every_floor_is_on_the_map() {
    let sources = sources();
    for source in &sources {
        let opening = source.text.lines().next().unwrap_or_default();
        assert!(
            opening.starts_with("//! "),
            "{} does not say what it is",
            source.path
        );
    }
    let map = &sources
        .iter()
        .find(|source| source.path == "lib.rs")
        .expect("there is a map")
        .text;
    for (floor, _) in FLOORS {
        assert!(
            map.contains(&format!("pub mod {floor};")),
            "{floor} is not on the map"
        );
    }
}

#[test]
fn the_rules_can_see_a_breach() {
    assert_eq!(
        used("use crate::upstream::Upstream;").collect::<Vec<_>>(),
        ["upstream"]
    );
    assert!(names("let agent = ureq::agent();", "ureq"));
    assert!(!names("log(\"ureq\")", "ureq") && !names("use tureq;", "ureq"));
}

/// Of a table of `Cargo.toml`, the lines that are not comments.
fn entries<'a>(manifest: &'a str, table: &str) -> Vec<&'a str> {
    let heading = format!("[{table}]\n");
    let (_, rest) = manifest.split_once(&heading).expect("there is the table");
    let end = rest.find("\n[").unwrap_or(rest.len());
    let lines = rest[..end].lines();
    lines
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .collect()
}

/// Who adds a library says what for, and raises the number here on purpose.
#[test]
fn lesson_23_dependencies_are_few_and_locked_and_say_what_they_are_for() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |name: &str| fs::read_to_string(root.join(name)).expect("it can be read");
    let manifest = read("Cargo.toml");
    let dependencies = entries(&manifest, "dependencies");
    assert!(dependencies.len() <= 27, "{}", dependencies.len());
    for line in dependencies {
        // The reasons of `ureq` fill the lines above it.
        let says_why = line.contains(" # ") || line.starts_with("ureq ");
        assert!(says_why && !line.contains("git ="), "{line}");
    }
    let lock = read("Cargo.lock");
    let foreign = lock.split("[[package]]").skip(1);
    for package in foreign.filter(|package| !package.contains("name = \"gemini-proxy\"")) {
        let source = "source = \"registry+https://github.com/rust-lang/crates.io-index\"";
        let is_locked = package.contains(source) && package.contains("checksum = \"");
        assert!(is_locked, "{package}");
    }
}
