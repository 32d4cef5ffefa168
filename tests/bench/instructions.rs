//! How many instructions the hot paths take, counted by valgrind: a number that does
//! not depend on the machine's mood, and so has a budget that CI holds us to.

use std::io;

use crate::load::{self, Ask, Words};
use crate::process::Process;
use crate::table::{Row, Table};

/// A path, and what one step along it may cost. The budgets are what was counted in
/// November 2026 and a tenth; whoever makes a path cheaper lowers its budget.
struct HotPath {
    what: &'static str,
    budget: u64,
    words: Words,
    ask: Ask,
    /// Whether steps are events of one stream; otherwise they are requests.
    is_stream: bool,
    /// Steps of the shorter and of the longer run: the difference is what counts, since
    /// both begin and end with the same work.
    steps: (usize, usize),
}

const NOTHING: Ask = Ask {
    stream: None,
    text: 0,
    image: 0,
    tools: 0,
};

const HOT_PATHS: [HotPath; 6] = [
    HotPath {
        what: "a request",
        budget: 180_000,
        words: Words::Chat,
        ask: NOTHING,
        is_stream: false,
        steps: (100, 600),
    },
    HotPath {
        what: "a request by Responses",
        budget: 240_000,
        words: Words::Responses,
        ask: NOTHING,
        is_stream: false,
        steps: (100, 600),
    },
    HotPath {
        what: "a request with 40 tools",
        budget: 950_000,
        words: Words::Chat,
        ask: Ask {
            tools: 40,
            ..NOTHING
        },
        is_stream: false,
        steps: (50, 250),
    },
    HotPath {
        what: "a request with 1 MB of text",
        budget: 11_000_000,
        words: Words::Chat,
        ask: Ask {
            text: 1024 * 1024,
            ..NOTHING
        },
        is_stream: false,
        steps: (5, 25),
    },
    HotPath {
        what: "an event",
        budget: 16_000,
        words: Words::Chat,
        ask: NOTHING,
        is_stream: true,
        steps: (1_000, 11_000),
    },
    HotPath {
        what: "an event by Responses",
        budget: 16_500,
        words: Words::Responses,
        ask: NOTHING,
        is_stream: true,
        steps: (1_000, 11_000),
    },
];

/// Fails when a path has become more expensive than it may be.
pub(crate) fn measure(table: &mut Table) -> io::Result<()> {
    let mut exceeded = Vec::new();
    for path in &HOT_PATHS {
        let (few, many) = path.steps;
        let cost = path.run(many)?.saturating_sub(path.run(few)?) / (many - few) as u64;
        if cost > path.budget {
            exceeded.push(format!("{}: {cost}, not {}", path.what, path.budget));
        }
        table.add(Row {
            what: format!("instructions, {}", path.what),
            proxy: cost as f64,
            at_most: path.budget as f64,
            ..Row::default()
        });
    }
    if exceeded.is_empty() {
        return Ok(());
    }
    Err(io::Error::other(format!(
        "more instructions than the budget has: {}",
        exceeded.join("; ")
    )))
}

impl HotPath {
    /// Instructions of a process that takes so many steps.
    fn run(&self, steps: usize) -> io::Result<u64> {
        let upstream = Process::role(&["upstream"], None)?;
        let proxy = Process::counted_proxy(upstream.address)?;
        let (stream, requests) = if self.is_stream {
            (Some((steps, 0)), 1)
        } else {
            (None, steps)
        };
        let ask = Ask { stream, ..self.ask };
        load::ask(proxy.address, &ask.request(self.words), requests)?;
        proxy.instructions()
    }
}
