//! `gemini-proxy login`: sign in from a terminal. The browser's redirect and
//! what is pasted here race; whichever comes first wins. So it works at a
//! desktop, over SSH and in a container.

use std::io::{BufRead, IsTerminal, Write};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use crate::cli::args::{Import, LoginOptions};
use crate::cli::{CliError, serve, whole_path};
use crate::config::{Config, UpstreamKind};
use crate::oauth::import;
use crate::oauth::pasted::{Pasted, parse_pasted};
use crate::oauth::sign_in::{PASTE_REDIRECT_URI, SignInError, Started};
use crate::server::redirect::{Redirect, RedirectService};
use crate::server::transport::listener::{Limits, Listener};
use crate::server::transport::stop::Stop;
use crate::upstream::account::{Account, AccountError, SignedIn};

const MINUTES: u64 = 5;

type Outcome = Result<SignedIn, AccountError>;

/// What came first.
enum Event {
    Redirect(Redirect),
    Pasted(String),
    /// Nothing more will be pasted.
    InputEnded,
}

pub(super) fn run(config: &Config, options: &LoginOptions) -> Result<(), CliError> {
    let account = serve::account(config)?;
    say(&format!("{}\n", crate::server::TERMS))?;
    let outcome = match &options.import {
        Some(import) => account.import(&file(import)),
        None => interactive(&account, options.no_browser)?,
    };
    let signed_in = outcome?;
    let who = signed_in.email.as_deref().unwrap_or("your Google account");
    writeln!(
        std::io::stdout(),
        "Signed in as {who}, in the project {}.",
        signed_in.project
    )?;
    say_what_else_to_know(config, &signed_in)
}

fn say_what_else_to_know(config: &Config, signed_in: &SignedIn) -> Result<(), CliError> {
    let wanted = config.project.as_deref();
    if let Some(wanted) = wanted.filter(|wanted| *wanted != signed_in.project) {
        say(&format!(
            "GOOGLE_CLOUD_PROJECT is {wanted}, but Google assigns this account {}.",
            signed_in.project
        ))?;
    }
    let tokens = whole_path(&config.token_store);
    say(&format!("The tokens are in {}.", tokens.display()))?;
    say(match config.upstream {
        UpstreamKind::GeminiApi => {
            "GEMINI_API_KEY is set and goes before the account: unset it, or set \
             PROXY_UPSTREAM=code-assist."
        }
        UpstreamKind::CodeAssist => "Next: `gemini-proxy serve`.",
    })
}

fn file(import: &Import) -> std::path::PathBuf {
    match import {
        Import::File(path) => path.clone(),
        Import::OfGeminiCli => {
            let home = std::env::var_os("GEMINI_CLI_HOME")
                .map(Into::into)
                .or_else(std::env::home_dir);
            import::gemini_cli_file(&home.unwrap_or_else(std::env::temp_dir))
        }
    }
}

fn interactive(account: &Arc<Account>, no_browser: bool) -> Result<Outcome, CliError> {
    let (events, happened) = mpsc::channel();
    let redirect_uri = if no_browser {
        PASTE_REDIRECT_URI.to_owned()
    } else {
        wait_for_redirect(account.clone(), events.clone())?
    };
    let started = account.begin_sign_in(redirect_uri)?;
    let url = &started.authorization_url;
    if !no_browser && has_display() && open::that_detached(url).is_ok() {
        say("Your browser opens Google's page. If it does not, open this address:\n")?;
    } else {
        say("Open this address in any browser:\n")?;
    }
    say(&format!("  {url}\n"))?;
    say(if no_browser {
        "Google then shows a code. Paste it here:"
    } else {
        "If the browser ends at a page that cannot be reached, paste that page's address here:"
    })?;
    wait_for_pasted(events);
    wait(account, &started, &happened, no_browser)
}

/// Until a sign-in has succeeded, or cannot any more. While Google is asked, the
/// clock stands still.
fn wait(
    account: &Account,
    started: &Started,
    happened: &Receiver<Event>,
    only_pasted: bool,
) -> Result<Outcome, CliError> {
    let deadline = Instant::now() + Duration::from_secs(60 * MINUTES);
    let mut redirects_at_work = 0;
    loop {
        let event = if redirects_at_work > 0 {
            happened.recv().map_err(RecvTimeoutError::from)
        } else {
            happened.recv_timeout(deadline.saturating_duration_since(Instant::now()))
        };
        let outcome = match event {
            Ok(Event::Redirect(Redirect::Arrived)) => {
                redirects_at_work += 1;
                continue;
            }
            Ok(Event::Redirect(Redirect::Done(outcome))) => {
                redirects_at_work -= 1;
                outcome
            }
            Ok(Event::Pasted(text)) => match pasted(account, started, &text) {
                Ok(outcome) => outcome,
                Err(complaint) => {
                    say(complaint)?;
                    continue;
                }
            },
            // Ctrl-D. Without a terminal nobody could have typed anything.
            Ok(Event::InputEnded) if std::io::stdin().is_terminal() => {
                return Err(CliError::LoginGivenUp);
            }
            Ok(Event::InputEnded) if only_pasted => return Err(CliError::NothingPasted),
            Ok(Event::InputEnded) => continue,
            Err(_) => return Err(CliError::LoginTimedOut { minutes: MINUTES }),
        };
        match outcome {
            // Somebody else's redirect, or a code mistyped: the real one may still come.
            Err(AccountError::SignIn(
                ref error @ (SignInError::UnknownState | SignInError::PastedCodeRefused(_)),
            )) => say(&format!("{error}. Still waiting:"))?,
            outcome => return Ok(outcome),
        }
    }
}

/// Listens on a free port of the loopback address (RFC 8252, section 7.3).
fn wait_for_redirect(account: Arc<Account>, events: Sender<Event>) -> Result<String, CliError> {
    let listener = Listener::bind("127.0.0.1", 0).map_err(|source| CliError::Listen {
        address: "127.0.0.1".into(),
        source,
        hint: Some("Without it, use `gemini-proxy login --no-browser`.".to_owned()),
    })?;
    let redirect_uri = format!("http://{}/auth/callback", listener.local_addr());
    let service = RedirectService::new(account, move |redirect| {
        // Nobody listens once the command is over.
        let _ = events.send(Event::Redirect(redirect));
    });
    thread::spawn(move || listener.run(service, Limits::default(), &Stop::never()));
    Ok(redirect_uri)
}

fn wait_for_pasted(events: Sender<Event>) {
    thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            if events.send(Event::Pasted(line)).is_err() {
                return;
            }
        }
        let _ = events.send(Event::InputEnded);
    });
}

/// Or why there is nothing in it to go on with.
fn pasted(account: &Account, started: &Started, text: &str) -> Result<Outcome, &'static str> {
    if text.trim().is_empty() {
        return Err("Nothing was pasted. Paste the code or the address here (Ctrl-D gives up):");
    }
    match parse_pasted(text) {
        Pasted::Code(code) => Ok(account.finish_with_pasted_code(code.reveal(), &started.state)),
        Pasted::Redirect { code, state } => {
            Ok(account.finish_sign_in(code.reveal(), state.reveal()))
        }
        Pasted::Denied {
            error,
            description,
            state,
        } => {
            let state = state.unwrap_or_else(|| started.state.clone());
            let denied = account.sign_in_denied(&error, description.as_deref(), state.reveal());
            Ok(Err(denied.into()))
        }
        Pasted::Authorization => Err(
            "That is the address to open. Open it in a browser, agree there, and paste the address \
             at which the browser then ends, or the code that Google shows:",
        ),
        Pasted::Nonsense => {
            Err("That is neither a code nor an address with a code in it. Paste it again:")
        }
    }
}

/// Without a display a browser would open as text in this very terminal, or not at all.
fn has_display() -> bool {
    let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    if is_set("NO_BROWSER") || is_set("CI") {
        return false;
    }
    if cfg!(target_os = "linux") {
        return is_set("DISPLAY") || is_set("WAYLAND_DISPLAY");
    }
    !is_set("SSH_CONNECTION")
}

/// To the person; standard output is for the result.
fn say(text: &str) -> Result<(), CliError> {
    Ok(writeln!(std::io::stderr(), "{text}")?)
}
