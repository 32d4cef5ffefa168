//! The log, to stderr: one line an event. `RUST_LOG` chooses.

use log::{Level, LevelFilter, Log, Metadata, Record};

pub(super) fn start(filter: &str) {
    let logger = env_logger::Builder::new()
        .parse_filters(filter)
        // Below this they show what goes over the wire: tokens, prompts and answers.
        .filter_module("ureq", LevelFilter::Info)
        .filter_module("ureq_proto", LevelFilter::Info)
        .filter_module("rustls", LevelFilter::Info)
        .build();
    log::set_max_level(logger.filter());
    // Fails where there is a log already, which is as good.
    let _ = log::set_boxed_logger(Box::new(Logger(logger)));
}

struct Logger(env_logger::Logger);

impl Log for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.0.enabled(metadata)
    }

    fn log(&self, record: &Record<'_>) {
        if !is_of_stopping(record) {
            self.0.log(record);
        }
    }

    fn flush(&self) {
        self.0.flush();
    }
}

/// tiny_http calls it an error that its listener is shut. Only that makes `accept` say
/// EINVAL (accept(2)), and only we do it: when we are asked to stop.
fn is_of_stopping(record: &Record<'_>) -> bool {
    record.level() == Level::Error
        && record.target() == "tiny_http"
        && record.args().to_string() == "Error accepting new client: Invalid argument (os error 22)"
}
