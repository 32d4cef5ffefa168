//! `GET /metrics`: the numbers in Prometheus' text format 0.0.4
//! (<https://prometheus.io/docs/instrumenting/exposition_formats/>).

use std::fmt::{Display, Write};
use std::time::Duration;

use super::{BUCKETS, Histogram, Metrics, ROUTES};
use crate::server::Service;
use crate::server::transport::writer::Reply;
use crate::upstream;

pub(in crate::server) fn show(service: &Service) -> Reply {
    let headers = vec![(
        "content-type",
        "text/plain; version=0.0.4; charset=utf-8".to_owned(),
    )];
    Reply::Whole {
        status: 200,
        headers,
        body: text(service).into_bytes(),
    }
}

fn text(service: &Service) -> String {
    let Metrics {
        requests,
        in_flight,
        refusals,
        disconnects,
        panics,
        upstream_errors,
        second_tries,
        unfinished_streams,
        input_tokens,
        output_tokens,
        cached_tokens,
        thought_tokens,
        first_byte,
        duration,
        started,
        activity: _,
    } = &*service.metrics;
    let mut page = Page::default();
    page.head(
        "gemini_proxy_requests_total",
        "counter",
        "Requests that are over, by route and class of status; none was sent to clients who left.",
    );
    for (route, family) in ROUTES.iter().zip(requests) {
        for (class, count) in family.iter() {
            let labels = format!("{{route=\"{route}\",class=\"{class}\"}}");
            page.sample("gemini_proxy_requests_total", &labels, count);
        }
    }
    page.head(
        "gemini_proxy_requests_in_flight",
        "gauge",
        "Requests being answered, this one included.",
    );
    page.sample("gemini_proxy_requests_in_flight", "", in_flight.get());
    page.family(
        "gemini_proxy_refusals_total",
        "Requests refused and streams broken off, by the code of the error.",
        "code",
        refusals.iter(),
    );
    page.counter(
        "gemini_proxy_client_disconnects_total",
        "Clients found to have left before their answer was complete.",
        disconnects.get(),
    );
    page.counter(
        "gemini_proxy_panics_total",
        "Requests lost to a defect of the proxy.",
        panics.get(),
    );
    page.family(
        "gemini_proxy_upstream_errors_total",
        "Failures of requests to Google, after retries, by what they mean.",
        "kind",
        upstream_errors.iter(),
    );
    page.counter(
        "gemini_proxy_upstream_retries_total",
        "Requests to Google repeated because the failure seemed to pass by itself.",
        upstream::retries(),
    );
    page.family(
        "gemini_proxy_second_tries_total",
        "Questions put to Google in other words, by what was said otherwise, or again after an \
         empty answer.",
        "otherwise",
        second_tries.iter(),
    );
    page.counter(
        "gemini_proxy_unfinished_streams_total",
        "Streams that Google ended without a reason for stopping.",
        unfinished_streams.get(),
    );
    for (name, help, tokens) in [
        (
            "gemini_proxy_input_tokens_total",
            "Tokens of prompts, cached ones included.",
            input_tokens,
        ),
        (
            "gemini_proxy_output_tokens_total",
            "Tokens of answers, thoughts included.",
            output_tokens,
        ),
        (
            "gemini_proxy_cached_tokens_total",
            "Tokens of prompts that Google had cached.",
            cached_tokens,
        ),
        (
            "gemini_proxy_thought_tokens_total",
            "Tokens of thoughts.",
            thought_tokens,
        ),
    ] {
        page.counter(name, help, tokens.get());
    }
    let renewals = service.account.renewals();
    page.family(
        "gemini_proxy_token_refreshes_total",
        "Access tokens asked for with the refresh token.",
        "outcome",
        [("ok", renewals.ok), ("failed", renewals.failed)].into_iter(),
    );
    page.histogram(
        "gemini_proxy_first_byte_seconds",
        "From a request to the first content of its stream.",
        first_byte,
    );
    page.histogram(
        "gemini_proxy_duration_seconds",
        "From a request for an answer to the end of that.",
        duration,
    );
    page.head(
        "process_start_time_seconds",
        "gauge",
        "When the process started, in seconds since 1970.",
    );
    page.sample("process_start_time_seconds", "", started);
    page.0
}

/// The text in the making.
#[derive(Default)]
struct Page(String);

impl Page {
    fn head(&mut self, name: &str, kind: &str, help: &str) {
        let _ = write!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
    }

    fn sample(&mut self, name: &str, labels: &str, value: impl Display) {
        let _ = writeln!(self.0, "{name}{labels} {value}");
    }

    fn counter(&mut self, name: &str, help: &str, value: u64) {
        self.head(name, "counter", help);
        self.sample(name, "", value);
    }

    fn family(
        &mut self,
        name: &str,
        help: &str,
        label: &str,
        values: impl Iterator<Item = (&'static str, u64)>,
    ) {
        self.head(name, "counter", help);
        for (value, count) in values {
            self.sample(name, &format!("{{{label}=\"{value}\"}}"), count);
        }
    }

    /// Buckets hold what smaller ones hold, too.
    fn histogram(&mut self, name: &str, help: &str, histogram: &Histogram) {
        self.head(name, "histogram", help);
        let bucket = format!("{name}_bucket");
        let mut count = 0;
        for (end, counter) in BUCKETS.iter().zip(&histogram.buckets) {
            count += counter.get();
            self.sample(&bucket, &format!("{{le=\"{end}\"}}"), count);
        }
        count += histogram.buckets[BUCKETS.len()].get();
        self.sample(&bucket, "{le=\"+Inf\"}", count);
        let seconds = Duration::from_micros(histogram.microseconds.get()).as_secs_f64();
        self.sample(&format!("{name}_sum"), "", seconds);
        self.sample(&format!("{name}_count"), "", count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_histogram_puts_each_time_into_one_bucket() {
        let histogram = Histogram::default();
        for millis in [1, 100, 101, 400_000] {
            histogram.observe(Duration::from_millis(millis));
        }
        let mut page = Page::default();
        page.histogram("t", "Times.", &histogram);
        for line in [
            "t_bucket{le=\"0.1\"} 2",
            "t_bucket{le=\"0.25\"} 3",
            "t_bucket{le=\"320\"} 3",
            "t_bucket{le=\"+Inf\"} 4",
            "t_sum 400.202",
            "t_count 4",
        ] {
            assert!(page.0.lines().any(|given| given == line), "{}", page.0);
        }
    }
}
