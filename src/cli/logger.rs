//! The log, to stderr: one line an event. `RUST_LOG` chooses.

use log::LevelFilter;

pub(super) fn start(filter: &str) {
    env_logger::Builder::new()
        .parse_filters(filter)
        // Below this they show what goes over the wire: tokens, prompts and answers.
        .filter_module("ureq", LevelFilter::Info)
        .filter_module("ureq_proto", LevelFilter::Info)
        .filter_module("rustls", LevelFilter::Info)
        .init();
}
