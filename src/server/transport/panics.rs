//! What a panic looks like in the log.

use std::panic;
use std::thread;

/// Logs each panic as one line with its place, instead of the default report.
///
/// The threads of tiny_http panic whenever a client resets its connection at the wrong
/// moment; a thousand reports of it would frighten and, with backtraces, cost memory.
/// The message is left out, since those of slicing quote the text, which may be
/// somebody's prompt.
pub fn install_quiet_panic_hook() {
    panic::set_hook(Box::new(|panic| {
        let place = panic
            .location()
            .map_or_else(|| "an unknown place".to_owned(), ToString::to_string);
        let thread = thread::current();
        match thread.name() {
            Some("main") => log::error!("panic on the main thread at {place}"),
            Some(name) if !place.contains("tiny_http") => {
                log::warn!("panic on thread {name} at {place}; only its request is lost");
            }
            _ => log::debug!("panic in tiny_http at {place}: a client reset its connection"),
        }
    }));
}
