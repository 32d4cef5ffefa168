//! What the program can say, read off its code.

use std::fs;
use std::path::{Path, PathBuf};

/// The text of each source file, with literals that go on for lines in one piece.
pub fn sources() -> Vec<String> {
    let mut sources = Vec::new();
    let mut folders = vec![PathBuf::from("src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if is_rust(&path) {
                sources.push(joined(&fs::read_to_string(&path).unwrap()));
            }
        }
    }
    sources
}

fn is_rust(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "rs")
}

/// Without a backslash at the end of a line, and without what indents the next one.
fn joined(code: &str) -> String {
    let mut pieces = code.split("\\\n");
    let first = pieces.next().unwrap_or_default().to_owned();
    pieces.fold(first, |text, piece| text + piece.trim_start())
}

/// Whether a line of the code holds what is quoted; `…` stands for what is filled in.
pub fn says(sources: &[String], quote: &str) -> bool {
    let holds = |line: &str| {
        let mut rest = line;
        quote.split('…').all(|piece| {
            let found = rest.split_once(piece);
            rest = found.map_or(rest, |(_, after)| after);
            found.is_some()
        })
    };
    sources.iter().any(|source| source.lines().any(holds))
}
