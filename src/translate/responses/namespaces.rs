//! Functions in namespaces. Gemini has one flat list: `tool` in `ns` is declared as
//! `ns__tool`. Codex understands a call only by both names.

use std::collections::HashMap;

use crate::translate::Notes;
use crate::wire::openai::Tool;

use super::fields::Fields;

/// Declared names, with the namespace and the name in it.
#[derive(Debug, Clone, Default)]
pub struct Namespaces(HashMap<String, (String, String)>);

impl Namespaces {
    /// The namespace of a function and its name there.
    pub(super) fn split<'n>(&'n self, declared: &'n str) -> (Option<&'n str>, &'n str) {
        match self.0.get(declared) {
            Some((namespace, name)) => (Some(namespace), name),
            None => (None, declared),
        }
    }

    /// Takes the functions out of their namespaces, and hosted tools out of the
    /// list; true if one of those was a web search.
    pub(super) fn flatten<'a>(
        &mut self,
        tools: Vec<Tool<'a>>,
        fields: &mut Fields,
        notes: &mut Notes,
    ) -> (Vec<Tool<'a>>, bool) {
        let (mut flat, mut searches) = (Vec::new(), false);
        for (mut tool, nth) in tools.into_iter().zip(0..) {
            let place = format!("tools[{nth}]");
            match tool.kind.as_deref() {
                None | Some("function" | "custom") => {
                    flat.push(tool);
                    fields.tools.push(place);
                }
                Some("namespace") => {
                    let namespace = tool.name.as_deref().unwrap_or_default();
                    for (mut inner, nth) in tool.tools.take().unwrap_or_default().into_iter().zip(0..) {
                        self.declare(namespace, &mut inner);
                        flat.push(inner);
                        fields.tools.push(format!("{place}.tools[{nth}]"));
                    }
                }
                Some(kind) if kind.starts_with("web_search") => {
                    searches = true;
                    fields.search = Some(place);
                }
                Some(_) => notes.add(
                    place,
                    "left out: it runs at OpenAI or in a client of its own, and Gemini has no equal",
                ),
            }
        }
        (flat, searches)
    }

    fn declare(&mut self, namespace: &str, tool: &mut Tool<'_>) {
        let Some(name) = tool.name.as_deref().filter(|_| !namespace.is_empty()) else {
            return;
        };
        let declared = declared(namespace, name);
        let names = (namespace.to_owned(), name.to_owned());
        self.0.insert(declared.clone(), names);
        tool.name = Some(declared.into());
    }
}

/// One name for a function in a namespace.
pub(super) fn declared(namespace: &str, name: &str) -> String {
    format!("{namespace}__{name}")
}
