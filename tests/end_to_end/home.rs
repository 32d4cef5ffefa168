//! A home folder and a clean environment: where commands of the program run.
//! Whatever the machine that tests has in its own environment stays outside.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use gemini_proxy::simulator::Simulator;
use serde_json::Value;
use tempfile::TempDir;

use crate::proxy::Proxy;
use crate::running::Running;

/// The key that the stand-in's Gemini API accepts.
pub(crate) const GEMINI_KEY: &str = "demo-key";

pub(crate) struct Home {
    folder: Arc<TempDir>,
    variables: BTreeMap<String, String>,
}

/// A command that is over.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Home {
    /// Google is the stand-in; nobody is signed in.
    pub(crate) fn new(simulator: &Simulator) -> Self {
        let google = simulator.address();
        let address = |path: &str| format!("{google}{path}");
        Self::bare()
            .env("CODE_ASSIST_ENDPOINT", google)
            .env("GEMINI_API_ENDPOINT", google)
            .env("GOOGLE_OAUTH_AUTH_URL", &address("/o/oauth2/v2/auth"))
            .env("GOOGLE_OAUTH_TOKEN_URL", &address("/token"))
            .env("GOOGLE_USERINFO_URL", &address("/oauth2/v2/userinfo"))
            .env("GOOGLE_REVOKE_URL", &address("/revoke"))
    }

    /// Without any setting but where home is, and that no browser is to be opened.
    pub(crate) fn bare() -> Self {
        let folder = Arc::new(tempfile::tempdir().unwrap());
        let home = folder.path().to_str().unwrap().to_owned();
        Self {
            folder,
            variables: BTreeMap::new(),
        }
        .env("HOME", &home)
        .env("TMPDIR", &home)
        .env("NO_BROWSER", "1")
        .env("PROXY_PORT", "0")
    }

    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.variables.insert(name.to_owned(), value.to_owned());
        self
    }

    pub(crate) fn without(mut self, name: &str) -> Self {
        self.variables.remove(name);
        self
    }

    /// By the official Gemini API.
    pub(crate) fn gemini_api(self) -> Self {
        self.env("GEMINI_API_KEY", GEMINI_KEY)
    }

    /// With the stand-in's account, whose project is not known yet.
    pub(crate) fn signed_in(self, simulator: &Simulator) -> Self {
        let mut credentials = simulator.sign_in();
        credentials["email"] = "ada@example.com".into();
        self.with_tokens(&credentials)
    }

    pub(crate) fn with_tokens(self, credentials: &Value) -> Self {
        self.with_file("tokens.json", &credentials.to_string())
    }

    pub(crate) fn with_file(self, name: &str, content: &str) -> Self {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
        self
    }

    /// Of a file in the home folder, which is the working directory, too.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The token file.
    pub(crate) fn tokens(&self) -> Value {
        let content = std::fs::read(self.path("tokens.json")).unwrap();
        serde_json::from_slice(&content).unwrap()
    }

    /// The names of all files.
    pub(crate) fn files(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.folder.path()).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.collect()
    }

    pub(crate) fn start(&self, arguments: &[&str]) -> Running {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gemini-proxy"));
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env_clear()
            .envs(&self.variables);
        Running::start(command, Arc::clone(&self.folder))
    }

    /// Another program, with this environment; `None` where there is none such.
    #[cfg(target_os = "linux")]
    pub(crate) fn start_other(&self, mut command: Command) -> Option<Running> {
        let program = command.get_program().to_owned();
        Command::new(program).arg("--version").output().ok()?;
        command
            .current_dir(self.folder.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH")?)
            .envs(&self.variables);
        Some(Running::start(command, Arc::clone(&self.folder)))
    }

    /// `serve`, allowed this many open files: with fewer it answers fewer at once.
    pub(crate) fn serve_with_descriptors(&self, limit: u32) -> Proxy {
        self.serve_after(&format!("ulimit -n {limit}"))
    }

    /// `serve`, allowed files of this length: beyond it, writing fails as on a full disk.
    #[cfg(target_os = "linux")]
    pub(crate) fn serve_with_file_size(&self, blocks: u32) -> Proxy {
        self.serve_after(&format!("trap '' XFSZ && ulimit -f {blocks}"))
    }

    fn serve_after(&self, preparation: &str) -> Proxy {
        let mut command = Command::new("/bin/sh");
        command
            .args(["-c", &format!("{preparation} && exec \"$0\" serve")])
            .arg(env!("CARGO_BIN_EXE_gemini-proxy"))
            .current_dir(self.folder.path())
            .env_clear()
            .envs(&self.variables);
        Proxy::of(Running::start(command, Arc::clone(&self.folder)))
    }

    /// Runs a command to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Finished {
        let mut running = self.start(arguments);
        let code = running.end().code();
        Finished {
            code,
            stdout: running.stdout.text(),
            stderr: running.stderr.text(),
        }
    }

    pub(crate) fn serve(&self) -> Proxy {
        Proxy::of(self.start(&["serve"]))
    }
}
