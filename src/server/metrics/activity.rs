//! What is being answered, and what went wrong lately: for the page at `/`. Never
//! anything of a conversation, as in the log.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use serde::Serialize;

/// So many failures are remembered.
const REMEMBERED: usize = 20;

/// Of the reason, no more characters than this: Google's can be pages long.
const MAX_WHY: usize = 400;

/// In place of a reason that may quote the conversation.
const UNTOLD: &str = "The client was told why. It is not kept here, since it may quote the \
    conversation.";

#[derive(Debug, Default)]
pub(in crate::server) struct Activity {
    /// How many requests for an answer there are by each route and model.
    running: Mutex<BTreeMap<(&'static str, String), u64>>,
    /// The latest first.
    failures: Mutex<VecDeque<Failure>>,
}

/// Requests for an answer that are alike.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(in crate::server) struct Running {
    pub(in crate::server) route: &'static str,
    pub(in crate::server) model: String,
    pub(in crate::server) count: u64,
}

/// Something that went wrong, as often as it did in a row or nearly so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(in crate::server) struct Failure {
    /// RFC 3339, in whole seconds; of the last time.
    pub(in crate::server) at: String,
    pub(in crate::server) times: u64,
    #[serde(flatten)]
    pub(in crate::server) what: What,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(in crate::server) struct What {
    pub(in crate::server) route: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::server) model: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::server) status: Option<u16>,
    pub(in crate::server) code: &'static str,
    /// One line.
    pub(in crate::server) why: String,
}

impl Activity {
    pub(in crate::server) fn begins(&self, route: &'static str, model: &str) {
        let mut running = locked(&self.running);
        *running.entry((route, model.to_owned())).or_default() += 1;
    }

    pub(in crate::server) fn ends(&self, route: &'static str, model: &str) {
        let mut running = locked(&self.running);
        let key = (route, model.to_owned());
        match running.get_mut(&key) {
            Some(count) if *count > 1 => *count -= 1,
            _ => {
                running.remove(&key);
            }
        }
    }

    pub(in crate::server) fn running(&self) -> Vec<Running> {
        let running = locked(&self.running);
        let counted = running.iter().map(|((route, model), count)| Running {
            route,
            model: model.clone(),
            count: *count,
        });
        counted.collect()
    }

    /// `why` is `None` where the reason may quote the conversation.
    pub(in crate::server) fn fails(
        &self,
        route: &'static str,
        model: Option<&str>,
        status: Option<u16>,
        code: &'static str,
        why: Option<&str>,
    ) {
        let what = What {
            route,
            model: model.map(str::to_owned),
            status,
            code,
            why: one_line(why.unwrap_or(UNTOLD)),
        };
        let mut failures = locked(&self.failures);
        // A client that tries the same again and again shall not hide all others.
        let known = failures.iter().position(|failure| failure.what == what);
        let before = known.and_then(|place| failures.remove(place));
        failures.truncate(REMEMBERED - 1);
        failures.push_front(Failure {
            at: now(),
            times: before.map_or(1, |failure| failure.times + 1),
            what,
        });
    }

    pub(in crate::server) fn failures(&self) -> Vec<Failure> {
        locked(&self.failures).iter().cloned().collect()
    }
}

/// RFC 3339, in whole seconds.
pub(in crate::server) fn now() -> String {
    let now = Timestamp::now();
    Timestamp::from_second(now.as_second()).map_or(now.to_string(), |whole| whole.to_string())
}

fn one_line(text: &str) -> String {
    let words: Vec<_> = text.split_whitespace().collect();
    let line = words.join(" ");
    match line.char_indices().nth(MAX_WHY) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_runs_is_counted_by_route_and_model_until_it_ends() {
        let activity = Activity::default();
        for (route, model) in [("responses", "a"), ("chat_completions", "b")] {
            activity.begins(route, model);
        }
        activity.begins("responses", "a");
        let counts = || -> Vec<_> {
            let running = activity.running().into_iter();
            running.map(|one| (one.model, one.count)).collect()
        };
        assert_eq!(counts(), [("b".to_owned(), 1), ("a".to_owned(), 2)]);
        activity.ends("chat_completions", "b");
        activity.ends("responses", "a");
        assert_eq!(counts(), [("a".to_owned(), 1)]);
        activity.ends("responses", "a");
        assert!(counts().is_empty());
    }

    #[test]
    fn the_latest_failures_are_remembered_and_alike_ones_are_one() {
        let activity = Activity::default();
        let fail = |status| activity.fails("models", None, Some(status), "slow_down", Some("x"));
        for status in 500..530 {
            fail(status);
        }
        fail(520);
        let failures = activity.failures();
        assert_eq!(failures.len(), REMEMBERED);
        assert_eq!((failures[0].what.status, failures[0].times), (Some(520), 2));
        assert_eq!((failures[1].what.status, failures[1].times), (Some(529), 1));
    }

    #[test]
    fn a_reason_is_one_line_of_bounded_length_or_untold() {
        let activity = Activity::default();
        let long = format!("a\n b {}", "é".repeat(MAX_WHY));
        activity.fails("models", Some("m"), None, "page", Some(&long));
        activity.fails("models", Some("m"), Some(400), "invalid_json", None);
        let failures = activity.failures();
        assert_eq!(failures[0].what.why, UNTOLD);
        assert!(failures[1].what.why.starts_with("a b éé"));
        assert_eq!(failures[1].what.why.chars().count(), MAX_WHY + 1);
    }
}
