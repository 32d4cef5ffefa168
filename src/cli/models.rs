//! `gemini-proxy models`: what there is to choose from on the chosen road, and what
//! this account or key may use.

use std::io::Write;

use serde_json::json;

use crate::cli::{CliError, port, serve};
use crate::config::{Config, UpstreamKind};
use crate::server;
use crate::upstream::{OfferedModel, UpstreamError};

/// One line of the table.
struct Row {
    id: String,
    context: u64,
    output: u64,
    thinks: bool,
    tools: bool,
    json: bool,
    inputs: Vec<&'static str>,
    outputs: Vec<&'static str>,
    /// Whether Google offers it to this account; unknown where it could not be asked.
    offered: Option<bool>,
    successor: Option<&'static str>,
}

pub(super) fn run(config: &Config, is_json: bool) -> Result<(), CliError> {
    let answer = serve::upstream(config, serve::account(config)?)?.models();
    let trouble = answer.as_ref().err().map(|error| error.to_string());
    let rows = rows(&answer);
    let mut out = std::io::stdout();
    if is_json {
        let models: Vec<_> = rows.iter().map(Row::as_json).collect();
        let document = json!({
            "upstream": config.upstream.name(),
            "asked_google": trouble.is_none(),
            "models": models,
        });
        writeln!(out, "{document:#}")?;
    } else {
        write!(out, "{}", table(&rows))?;
    }
    match (trouble, config.upstream) {
        (Some(trouble), _) => {
            let mut err = std::io::stderr();
            writeln!(err, "\nGoogle could not be asked what it offers: {trouble}")?;
            writeln!(err, "{}", hint(config))?;
        }
        (None, _) if is_json => {}
        (None, UpstreamKind::CodeAssist) => writeln!(
            std::io::stderr(),
            "\nOffered is what this account has a quota for (Code Assist's retrieveUserQuota)."
        )?,
        (None, UpstreamKind::GeminiApi) => writeln!(
            std::io::stderr(),
            "\nOffered is what Google lists for this key."
        )?,
    }
    Ok(())
}

fn hint(config: &Config) -> String {
    format!(
        "`gemini-proxy doctor` says what stands in the way. (To clients {} gives the same list.)",
        format_args!("{}/v1/models", port::base_url(config))
    )
}

fn rows(answer: &Result<Vec<OfferedModel>, UpstreamError>) -> Vec<Row> {
    let offered = answer.as_deref().unwrap_or_default();
    let known = server::models::joined(offered).into_iter();
    known
        .map(|model| {
            let supports = |word| model.supported_parameters.contains(&word);
            let is_offered = || offered.iter().any(|one| one.id == model.id);
            Row {
                context: model.context_length,
                output: model.max_output_tokens,
                thinks: supports("reasoning"),
                tools: supports("tools"),
                json: supports("structured_outputs"),
                offered: answer.is_ok().then(is_offered),
                inputs: model.architecture.input_modalities,
                outputs: model.architecture.output_modalities,
                successor: model.successor,
                id: model.id,
            }
        })
        .collect()
}

impl Row {
    fn as_json(&self) -> serde_json::Value {
        json!({
            "id": self.id,
            "offered": self.offered,
            "context": self.context,
            "output": self.output,
            "thinking": self.thinks,
            "tools": self.tools,
            "json_schema": self.json,
            "input": self.inputs,
            "output_modalities": self.outputs,
            "successor": self.successor,
        })
    }

    fn cells(&self) -> [String; 8] {
        let yes = |is_so| if is_so { "yes" } else { "-" }.to_owned();
        let offered = self.offered.map_or("?".to_owned(), yes);
        let id = match self.successor {
            Some(successor) => format!("{} (→ {successor})", self.id),
            None => self.id.clone(),
        };
        [
            id,
            offered,
            self.context.to_string(),
            self.output.to_string(),
            yes(self.thinks),
            yes(self.tools),
            yes(self.json),
            format!("{} → {}", self.inputs.join(" "), self.outputs.join(" ")),
        ]
    }
}

fn table(rows: &[Row]) -> String {
    let head = [
        "MODEL (→ SUCCESSOR)",
        "OFFERED",
        "CONTEXT",
        "OUTPUT",
        "THINKS",
        "TOOLS",
        "SCHEMA",
        "READS → WRITES",
    ]
    .map(str::to_owned);
    let lines: Vec<_> = std::iter::once(head)
        .chain(rows.iter().map(Row::cells))
        .collect();
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max();
    let widths: Vec<_> = (0..8)
        .map(|column| width(column).unwrap_or_default())
        .collect();
    let mut table = String::new();
    for line in &lines {
        let cells = line.iter().zip(&widths);
        let padded: Vec<_> = cells
            .map(|(cell, width)| format!("{cell:width$}"))
            .collect();
        table.push_str(padded.join("  ").trim_end());
        table.push('\n');
    }
    table
}
