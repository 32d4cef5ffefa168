//! The built program, and its demo.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

/// Where the program gets its settings from.
const SOURCES: [&str; 3] = [
    include_str!("../../src/cli/settings/mod.rs"),
    include_str!("../../src/cli/settings/network.rs"),
    include_str!("../../src/cli/logger.rs"),
];

/// The built program, without the settings of whoever runs the tests.
pub fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gemini-proxy"));
    for name in settings_read() {
        command.env_remove(name);
    }
    command
}

/// The names that the program looks up.
pub fn settings_read() -> impl Iterator<Item = &'static str> {
    let code = SOURCES
        .iter()
        .map(|file| file.split("#[cfg(test)]\nmod tests {").next().unwrap());
    let literals = code.flat_map(|code| code.split('"').skip(1).step_by(2));
    let is_name_letter = |c: char| c.is_ascii_uppercase() || c == '_';
    literals.filter(move |text| text.contains('_') && text.chars().all(is_name_letter))
}

/// Ends on drop.
pub struct Demo {
    child: Child,
    pub port: String,
    /// All that it prints at its start.
    pub printed: String,
}

impl Demo {
    pub fn start() -> Self {
        // Not in the checkout, whose .env is its developer's own.
        let folder = tempfile::tempdir().unwrap();
        let mut command = program();
        command.args(["demo", "--port", "0"]).current_dir(&folder);
        command.stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut printed = String::new();
        while !printed.ends_with("Ctrl-C.\n") {
            assert_ne!(stdout.read_line(&mut printed).unwrap(), 0, "{printed}");
        }
        let address = printed.lines().next().unwrap();
        let port = address.rsplit(':').next().unwrap().to_owned();
        Self {
            child,
            port,
            printed,
        }
    }

    /// The only change that is made to an example.
    pub fn at_its_port(&self, example: &str) -> String {
        example.replace("127.0.0.1:3000", &format!("127.0.0.1:{}", self.port))
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
