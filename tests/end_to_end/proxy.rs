//! `gemini-proxy serve`, running; and the two roads to Gemini, on which most of
//! what is tested must hold alike.

use gemini_proxy::simulator::{Recorded, Simulator};
use serde_json::{Value, json};

use crate::client::{Answer, Client, Events, ask};
use crate::home::Home;
use crate::running::{Running, Transcript};

/// Known to both roads; Gemini 3, the strictest.
pub(crate) const MODEL: &str = "gemini-3.5-flash";

pub(crate) struct Proxy {
    running: Running,
    /// `127.0.0.1:port`
    pub(crate) host: String,
}

impl Proxy {
    /// By Code Assist, signed in.
    pub(crate) fn start(simulator: &Simulator) -> Self {
        Road::CodeAssist.home(simulator).serve()
    }

    /// Of a process whose first line says where it listens.
    pub(crate) fn of(running: Running) -> Self {
        let first_line = |text: &str| text.split_once('\n').map(|(line, _)| line.to_owned());
        let address = running.stdout.find(first_line);
        let host = address.strip_prefix("http://").unwrap().to_owned();
        Self { running, host }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.host)
    }

    pub(crate) fn log(&self) -> &Transcript {
        &self.running.stderr
    }

    /// Ends it: its log, to the last line.
    pub(crate) fn stop(mut self) -> String {
        self.running.kill();
        self.running.stderr.text()
    }

    #[cfg(unix)]
    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        self.running.signal(signal);
    }

    /// Waits for its end by itself: its exit code, and its log to the last line.
    #[cfg(unix)]
    pub(crate) fn end(mut self) -> (Option<i32>, String) {
        let code = self.running.end().code();
        (code, self.running.stderr.text())
    }

    pub(crate) fn stdout(&self) -> &Transcript {
        &self.running.stdout
    }

    /// Of the process.
    #[cfg(target_os = "linux")]
    pub(crate) fn id(&self) -> u32 {
        self.running.id()
    }

    pub(crate) fn get(&self, target: &str) -> Answer {
        self.send("GET", target, &[], b"")
    }

    pub(crate) fn send(
        &self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Answer {
        ask(&self.host, method, target, headers, body)
    }

    pub(crate) fn chat(&self, request: &Value) -> Answer {
        let body = request.to_string();
        self.send("POST", "/v1/chat/completions", &[], body.as_bytes())
    }

    /// Asks for a stream.
    pub(crate) fn stream(&self, request: &Value) -> Events {
        let mut request = request.clone();
        request["stream"] = json!(true);
        let mut client = Client::connect(&self.host);
        let body = request.to_string();
        client.send("POST", "/v1/chat/completions", &[], body.as_bytes());
        Events::of(client)
    }
}

/// A question, in its simplest form.
pub(crate) fn question(text: &str) -> Value {
    json!({"model": MODEL, "messages": [{"role": "user", "content": text}]})
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Road {
    CodeAssist,
    GeminiApi,
}

impl Road {
    /// Where everything is in order for this road.
    pub(crate) fn home(self, simulator: &Simulator) -> Home {
        match self {
            Self::CodeAssist => Home::new(simulator).signed_in(simulator),
            Self::GeminiApi => Home::new(simulator).gemini_api(),
        }
    }

    /// The `GenerateContentRequest` that Google was asked last.
    pub(crate) fn asked(self, simulator: &Simulator) -> Value {
        let request = generations(simulator).pop().unwrap().json();
        match self {
            Self::CodeAssist => request["request"].clone(),
            Self::GeminiApi => request,
        }
    }
}

/// Runs a test by Code Assist and by the Gemini API, each with a Google of its own.
pub(crate) fn by_both_roads(test: impl Fn(Road, &Simulator, &Proxy)) {
    for road in [Road::CodeAssist, Road::GeminiApi] {
        let simulator = Simulator::start().unwrap();
        let home = road.home(&simulator);
        test(road, &simulator, &home.serve());
    }
}

/// The requests for generation, in order.
pub(crate) fn generations(simulator: &Simulator) -> Vec<Recorded> {
    recorded(simulator, "enerateContent")
}

/// The requests whose path contains this.
pub(crate) fn recorded(simulator: &Simulator, path: &str) -> Vec<Recorded> {
    let mut requests = simulator.requests();
    requests.retain(|request| request.path.contains(path));
    requests
}
