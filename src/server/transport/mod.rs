//! HTTP with clients: the listener, the threads that answer, what goes over the wire.
//!
//! The transport is tiny_http, and only this folder knows it. A request takes this way:
//! [`listener`] binds and starts; `sentinel` keeps tiny_http accepting; `workers` take its
//! requests from a `post`; `intake` checks and reads; `exchange` asks the
//! [`listener::Handler`]; [`writer`] sends its [`writer::Reply`]. Meanwhile `presence`
//! knows whether the client is still there, and [`stop`] when all of it is to end.

pub mod exchange;
pub mod listener;
pub mod panics;
pub mod stop;
pub mod writer;

mod headroom;
mod intake;
mod post;
mod presence;
mod sentinel;
mod workers;
