//! The table that comes out, in Markdown.

use std::fmt;

/// One line of it. What does not apply is not a number.
pub(crate) struct Row {
    pub(crate) what: String,
    /// Without any proxy.
    pub(crate) direct: f64,
    pub(crate) floor: f64,
    pub(crate) proxy: f64,
    /// The target: so many times the floor at most,
    pub(crate) most: f64,
    /// at least,
    pub(crate) least: f64,
    /// or so much in all.
    pub(crate) at_most: f64,
}

impl Default for Row {
    fn default() -> Self {
        Self {
            what: String::new(),
            direct: f64::NAN,
            floor: f64::NAN,
            proxy: f64::NAN,
            most: f64::NAN,
            least: f64::NAN,
            at_most: f64::NAN,
        }
    }
}

impl Row {
    fn ratio(&self) -> f64 {
        self.proxy / self.floor
    }

    fn target(&self) -> String {
        if self.most.is_finite() {
            return verdict(format!("≤ {} ×", self.most), self.ratio() <= self.most);
        }
        if self.least.is_finite() {
            return verdict(format!("≥ {} ×", self.least), self.ratio() >= self.least);
        }
        if self.at_most.is_finite() {
            return verdict(format!("≤ {}", self.at_most), self.proxy <= self.at_most);
        }
        String::new()
    }
}

fn verdict(target: String, holds: bool) -> String {
    target + if holds { "" } else { " (missed)" }
}

#[derive(Default)]
pub(crate) struct Table(Vec<Row>);

impl Table {
    /// Tells at once that this has been measured: the whole takes minutes.
    pub(crate) fn add(&mut self, row: Row) {
        eprintln!(
            "{}: {} (floor {})",
            row.what,
            number(row.proxy),
            number(row.floor)
        );
        self.0.push(row);
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| | no proxy | floor | gemini-proxy | ratio | target |")?;
        writeln!(f, "| --- | ---: | ---: | ---: | ---: | --- |")?;
        for row in &self.0 {
            writeln!(
                f,
                "| {} | {} | {} | {} | {} | {} |",
                row.what,
                number(row.direct),
                number(row.floor),
                number(row.proxy),
                number(row.ratio()),
                row.target()
            )?;
        }
        Ok(())
    }
}

/// Three digits that matter.
fn number(value: f64) -> String {
    if !value.is_finite() {
        return String::new();
    }
    match value.abs() {
        0.0 => "0".to_owned(),
        size if size < 10.0 => format!("{value:.2}"),
        size if size < 100.0 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}
