//! The log, to stderr: one line an event. `RUST_LOG` chooses.

use log::LevelFilter;

/// Starts logging; `info` unless `RUST_LOG` says otherwise.
pub(super) fn start() {
    let wanted = std::env::var("RUST_LOG")
        .ok()
        .filter(|wanted| !wanted.is_empty());
    env_logger::Builder::new()
        .parse_filters(wanted.as_deref().unwrap_or("info"))
        // Below this they show what goes over the wire: tokens, prompts and answers.
        .filter_module("ureq", LevelFilter::Info)
        .filter_module("ureq_proto", LevelFilter::Info)
        .filter_module("rustls", LevelFilter::Info)
        .init();
}
