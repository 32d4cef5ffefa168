//! A process of the built program: what it says, and its end.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Instant;

use tempfile::TempDir;

use crate::client::PATIENCE;

/// Killed on drop. If the test fails, its scene is shown: command, environment
/// and all that it wrote.
pub(crate) struct Running {
    child: Child,
    scene: String,
    pub(crate) stdout: Transcript,
    pub(crate) stderr: Transcript,
    /// Must not go before the process does.
    _folder: Arc<TempDir>,
}

/// What a process has written so far.
#[derive(Clone)]
pub(crate) struct Transcript {
    written: Arc<(Mutex<Written>, Condvar)>,
}

#[derive(Default)]
struct Written {
    text: String,
    is_over: bool,
}

impl Running {
    pub(crate) fn start(mut command: Command, folder: Arc<TempDir>) -> Self {
        let scene = scene(&command);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = Transcript::of(child.stdout.take().unwrap());
        let stderr = Transcript::of(child.stderr.take().unwrap());
        Self {
            child,
            scene,
            stdout,
            stderr,
            _folder: folder,
        }
    }

    #[cfg(target_os = "linux")]
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends it a signal.
    #[cfg(unix)]
    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        let process = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(process, signal).unwrap();
    }

    /// Types a line.
    pub(crate) fn type_line(&mut self, line: &str) {
        let stdin = self.child.stdin.as_mut().unwrap();
        writeln!(stdin, "{line}").unwrap();
        stdin.flush().unwrap();
    }

    /// As if there were no terminal.
    pub(crate) fn close_input(&mut self) {
        drop(self.child.stdin.take());
    }

    /// Ends it, so that its transcripts are complete.
    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        self.end();
    }

    /// Waits for its end.
    pub(crate) fn end(&mut self) -> ExitStatus {
        // Both pipes end when the process does.
        self.stdout.wait_for_end();
        self.stderr.wait_for_end();
        self.child.wait().unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            let (stdout, stderr) = (self.stdout.text(), self.stderr.text());
            eprintln!(
                "{}\n--- stdout\n{stdout}--- stderr\n{stderr}---",
                self.scene
            );
        }
    }
}

/// What was started and how, without secrets.
fn scene(command: &Command) -> String {
    let mut scene = format!("$ {:?}", command.get_program());
    for argument in command.get_args() {
        let _ = write!(scene, " {argument:?}");
    }
    for (name, value) in command.get_envs() {
        let name = name.to_string_lossy();
        let value = match ["KEY", "SECRET"].iter().any(|word| name.contains(word)) {
            true => "[not shown]".into(),
            false => value.unwrap_or_default().to_string_lossy(),
        };
        let _ = write!(scene, "\n  {name}={value}");
    }
    scene
}

impl Transcript {
    fn of(pipe: impl Read + Send + 'static) -> Self {
        let transcript = Self {
            written: Arc::default(),
        };
        let writer = transcript.clone();
        thread::spawn(move || {
            let mut pipe = BufReader::new(pipe);
            let mut line = Vec::new();
            while pipe
                .read_until(b'\n', &mut line)
                .is_ok_and(|count| count > 0)
            {
                writer.change(|written| written.text.push_str(&String::from_utf8_lossy(&line)));
                line.clear();
            }
            writer.change(|written| written.is_over = true);
        });
        transcript
    }

    fn change(&self, change: impl FnOnce(&mut Written)) {
        let (written, changed) = &*self.written;
        change(&mut written.lock().unwrap());
        changed.notify_all();
    }

    pub(crate) fn text(&self) -> String {
        self.written.0.lock().unwrap().text.clone()
    }

    /// Waits until what is written has in it what is looked for.
    #[track_caller]
    pub(crate) fn find<T>(&self, look: impl Fn(&str) -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        let (written, changed) = &*self.written;
        let mut written = written.lock().unwrap();
        loop {
            if let Some(found) = look(&written.text) {
                return found;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if written.is_over || left.is_zero() {
                let text = written.text.clone();
                drop(written);
                panic!("it never wrote what is looked for, but:\n{text}");
            }
            written = changed.wait_timeout(written, left).unwrap().0;
        }
    }

    #[track_caller]
    pub(crate) fn wait_for(&self, text: &str) {
        self.find(|written| written.contains(text).then_some(()));
    }

    /// The line of a request in the log with these words in it.
    #[track_caller]
    pub(crate) fn request(&self, words: &str) -> String {
        let is_it = |line: &&str| line.contains("] request id=req_") && line.contains(words);
        self.find(|written| written.lines().find(is_it).map(str::to_owned))
    }

    pub(crate) fn wait_for_end(&self) {
        let (written, changed) = &*self.written;
        let written = written.lock().unwrap();
        let going_on = |written: &mut Written| !written.is_over;
        let (written, waited) = changed
            .wait_timeout_while(written, PATIENCE, going_on)
            .unwrap();
        let text = written.text.clone();
        drop(written);
        assert!(!waited.timed_out(), "it goes on and on:\n{text}");
    }
}
