//! What README.md consists of: fenced blocks, commands with what they print, tables.

pub const README: &str = include_str!("../../README.md");

/// A fenced block of code, and what stands behind its opening fence.
pub struct Block {
    pub info: &'static str,
    pub text: &'static str,
}

/// A command behind `$`, and what follows it.
pub struct Step {
    pub command: String,
    pub output: String,
}

pub fn blocks() -> impl Iterator<Item = Block> {
    let fenced = README.split("\n```").skip(1).step_by(2);
    fenced.map(|block| {
        let (info, text) = block.split_once('\n').unwrap();
        Block { info, text }
    })
}

pub fn steps() -> impl Iterator<Item = Step> {
    let console = blocks().filter(|block| block.info == "console");
    console.flat_map(|block| block.steps())
}

/// The cells of all tables' rows.
pub fn rows() -> impl Iterator<Item = Vec<&'static str>> {
    let rows = README.lines().filter_map(|line| line.strip_prefix("| "));
    rows.map(|row| row.split('|').map(str::trim).collect())
}

/// The rows of what one sees when something is wrong.
pub fn symptoms() -> impl Iterator<Item = Vec<&'static str>> {
    let mut rows = rows().skip_while(|cells| cells[0] != "What you see");
    // Its heading, and the line beneath.
    rows.nth(1);
    rows.take_while(|cells| cells[0] != "Check")
}

/// What stands between backticks.
pub fn quoted(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}

impl Block {
    /// Of a console.
    pub fn steps(&self) -> impl Iterator<Item = Step> + use<> {
        let steps = self.text.strip_prefix("$ ").unwrap().split("\n$ ");
        steps.map(|step| {
            let mut lines = step.lines();
            let mut command = lines.next().unwrap().to_owned();
            while command.ends_with('\\') || command.matches('\'').count() % 2 == 1 {
                command.push('\n');
                command.push_str(lines.next().unwrap());
            }
            let output = lines.collect::<Vec<_>>().join("\n");
            Step { command, output }
        })
    }
}

impl Step {
    pub fn is_curl(&self) -> bool {
        self.command.starts_with("curl ")
    }

    pub fn assert_printed(&self, actual: &str) {
        let Self { command, output } = self;
        assert!(
            fits(output.trim(), actual.trim()),
            "\n$ {command}\n{output}\n--- is not what it prints:\n{actual}"
        );
    }
}

/// Whether `actual` is what is shown, where `…` stands for anything.
fn fits(shown: &str, actual: &str) -> bool {
    let Some((opening, shown)) = shown.split_once('…') else {
        return shown == actual;
    };
    let (between, closing) = shown.rsplit_once('…').unwrap_or(("", shown));
    let inner = actual.strip_prefix(opening);
    let Some(mut rest) = inner.and_then(|rest| rest.strip_suffix(closing)) else {
        return false;
    };
    between.split('…').all(|piece| {
        let found = rest.split_once(piece);
        rest = found.map_or(rest, |(_, after)| after);
        found.is_some()
    })
}

#[test]
fn an_ellipsis_stands_for_anything_and_all_else_for_itself() {
    assert!(fits("a…c", "abbc"));
    assert!(fits("…b…d…", "abcde"));
    assert!(fits("ab…", "ab"));
    for (shown, actual) in [
        ("a", "ab"),
        ("a…c", "abcd"),
        ("a…c…e", "abde"),
        ("ab…b", "ab"),
    ] {
        assert!(!fits(shown, actual), "{shown} {actual}");
    }
}
