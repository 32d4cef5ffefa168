//! gemini-proxy: an OpenAI-compatible server in front of Google's Gemini models.
//!
//! # The floors
//!
//! ```text
//!    cli                          a person starts it
//!     │
//!    server                       clients ask us
//!     │   │
//!     │  upstream                 we ask Google
//!     │   │   └─ oauth            and prove who we are
//!     │   │        │
//!     │   └─ http ─┘              by HTTP
//!     │   │
//!  translate                      what it means    ┐
//!     │   │                                        │ pure
//!    models · wire · config       what is said     ┘
//!
//!    simulator                    a stand-in for Google; outside, reached only by HTTP
//! ```
//!
//! A floor uses what is below it, never what is above; `tests/house.rs` holds
//! the table and checks it.
//!
//! # The way of one chat request
//!
//! 1. [`server::transport`] takes a connection's request, reads its body and
//!    finds it a thread.
//! 2. [`server`] routes it and asks for the key. Its record (`server/record.rs`) goes
//!    with it from here, and becomes its line in the log and its numbers in
//!    `GET /metrics`.
//! 3. `server/chat.rs` parses the body ([`wire::openai`]) and makes the
//!    [`translate::Stamp`]: the clock and the dice are here and nowhere below.
//! 4. `server/images.rs` fetches what the client named by address
//!    ([`http::Fetcher`]), which reaches the public internet and nothing else.
//! 5. [`translate::request`] makes a [`wire::gemini::GenerateContentRequest`] of
//!    it, or a [`translate::Rejection`].
//! 6. [`upstream`] sends that to Code Assist or to the Gemini API. Code Assist
//!    needs an account ([`upstream::account`]): a fresh token ([`oauth`]) and a
//!    project ([`upstream::onboarding`]).
//! 7. [`upstream::EventStream`] hands over one event of Google's at a time,
//!    [`translate::StreamTranslator`] makes chunks of it, and the transport
//!    writes and flushes them.
//!
//! Step 7 is one chain of calls, pulled from the client's end. There is no
//! channel and no second thread: a slow client slows Google. While Google is
//! silent the wait is cut into slices, and a [`http::Pulse`] is asked between
//! them: it looks whether the client is still there (on Linux, in the kernel's
//! table of connections), and sends it a sign of life when one is due. So it is
//! while a request waits for the account, asking or because another one asks
//! ([`oauth::turn`]). When the client has left, or a write fails, everything is
//! dropped, and with it the request to Google; but for a renewal of the token,
//! which may have killed the old one.
//!
//! # Errors
//!
//! A `Rejection`, an `UpstreamError` or an `Unfinished` rises by `?` and becomes
//! what the client sees in `server/error.rs`, the only place that makes OpenAI's
//! envelope: with a status of its own before the first byte, as the last event
//! of the stream after it.
//!
//! # The end
//!
//! `cli/signals.rs` sets a flag, and the [`server::transport`] sees it: nothing new is
//! begun, and what is being answered may go on for a while. After that every pulse
//! fails, and the answers end in an error as any other ([`http::GaveUp::Stopped`]).
//!
//! # What is deliberately absent
//!
//! - No async runtime: one thread for each request in flight.
//! - No clock, dice, files, sockets or environment in [`translate`] and [`wire`].
//! - No environment and no flags below [`cli`].
//! - No OpenAI in [`upstream`], no Gemini in `server`: they meet in [`translate`].
//! - No `ureq` outside [`http`], no tiny_http outside [`server::transport`].
//! - Nothing of ours in [`simulator`]: if it shared our types, a misspelt field
//!   would be misspelt on both sides and every test would pass.
//! - No prompt, answer, token or key in the log.
//! - No account pools, no rotation, no disguise: what Google refuses is explained.
//!
//! This library is for the program and its tests; it is not a published API.

pub mod cli;
pub mod config;
pub mod http;
pub mod models;
pub mod oauth;
pub mod secret;
pub mod server;
pub mod simulator;
pub mod translate;
pub mod upstream;
pub mod wire;
