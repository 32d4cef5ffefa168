//! The built program, from outside: real sockets, the stand-in for Google, no
//! account and no network. In reading order:
//!
//! - what the tests are made with: `running` (a process: what it says, and its
//!   end), `home` (the folder and the environment it runs in), `proxy` (`serve`,
//!   running, and the two roads to Gemini), `client` (HTTP to the byte)
//! - a chat, there and back: `chat` (answers in one piece), `requests` (what
//!   Google is asked for them), `streaming` (answers in events), `tools` (calls
//!   out, results back), `thought_signatures` (what must come back with them),
//!   `histories` (whatever a client has gathered, by the hundred)
//! - beside the chat: `surface` (models, health, keys, paths), `web_pages` (whose
//!   may ask), `completions` (the way of old), `responses` (the way of now) and
//!   `kept_responses` (what they refer to)
//! - who we are to Google: `browser_login`, `front_page` (what `/` shows, and to whom),
//!   `terminal_login`, `tokens` (renewal,
//!   once for everyone), `token_loss` (there is none), `provisioning` (which project, or why none)
//! - what is tried twice: `second_tries`
//! - what goes wrong: `error_table` (the contract, row by row), `bad_requests` (by
//!   the client), `unneeded_fields` (which are not wrong), `failures` (at Google's, or on the way there), `faults`
//!   (of Google's, by name), `broken_streams`
//!   (amid an answer), `time_limits` (of each phase), `leaving` (the client goes),
//!   `hostile` (clients by the thousand)
//! - the program itself: `cli` (arguments and settings), `demo` (the newcomer's
//!   first command), `doctor` (what is wrong, found), `desk` (the other commands that
//!   tell something), `explain` (a request, without Google), `log_lines` (of
//!   requests), `metrics` (what is counted), `secrets` (what never
//!   reaches the log), `shutdown` (signals), `memory` (which does not grow)
#![allow(clippy::unwrap_used)]

mod client;
mod home;
mod proxy;
mod running;

mod chat;
mod histories;
mod requests;
mod second_tries;
mod streaming;
mod thought_signatures;
mod tools;

mod completions;
mod kept_responses;
mod responses;
mod surface;
mod web_pages;

mod browser_login;
mod front_page;
mod provisioning;
mod terminal_login;
mod tls;
mod token_loss;
mod tokens;

mod bad_requests;
mod broken_streams;
mod error_table;
mod failures;
mod faults;
#[cfg(target_os = "linux")]
mod hostile;
#[cfg(target_os = "linux")]
mod leaving;
mod time_limits;
mod unneeded_fields;

mod cli;
mod demo;
mod desk;
mod doctor;
mod explain;
mod log_lines;
#[cfg(target_os = "linux")]
mod memory;
mod metrics;
mod secrets;
#[cfg(unix)]
mod shutdown;
