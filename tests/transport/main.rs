//! The transport, from outside: real sockets against a handler made for it.
#![allow(clippy::unwrap_used, unreachable_pub)]

mod client; // a client that can misbehave
mod server; // a server whose handlers wait for the test

mod connections; // bursts, reuse, resets
mod framing; // what a request may look like, and what one request can smuggle
mod limits; // workers, pipelining, body sizes
mod streaming; // pieces that leave at once, and how streams end
