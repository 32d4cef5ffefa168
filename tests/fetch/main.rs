//! Fetching what clients name by address: what it may cost, and where it may not go.
//!
//! All servers are on loopback, which is refused; the library is told to make an
//! exception of one address ([`web`]), the built program is given a proxy that
//! plays the internet ([`program`]).
#![allow(clippy::unwrap_used)]

mod web; // servers: one that does as it is told, and a trap

mod limits; // time, size, redirects
mod program; // the built program, from outside
mod reach; // addresses, names that change, proxies
