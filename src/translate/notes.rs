//! What of a request had less effect than asked, or was written differently, and why.

use std::borrow::Cow;

/// One field that was left out, cut or rewritten.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// Where in the client's request, such as `stop` or `tools[0].function.name`.
    pub field: Cow<'static, str>,
    /// What became of it and why: a phrase without a full stop. It may quote
    /// the request, so it is for the client only.
    pub reason: Cow<'static, str>,
}

/// The notes of one request, in the order in which they were made.
#[derive(Debug, Clone, Default)]
pub struct Notes(Vec<Note>);

/// The longest header value made of fields: a request can hold any number of
/// them, while some clients refuse a head beyond 8 KiB.
const MAX_HEADER_BYTES: usize = 1024;

impl Notes {
    pub fn add(
        &mut self,
        field: impl Into<Cow<'static, str>>,
        reason: impl Into<Cow<'static, str>>,
    ) {
        let (field, reason) = (field.into(), reason.into());
        self.0.push(Note { field, reason });
    }

    /// Adds those of another part of the request.
    pub fn extend(&mut self, others: Self) {
        self.0.extend(others.0);
    }

    pub fn iter(&self) -> impl Iterator<Item = &Note> {
        self.0.iter()
    }

    /// The fields for a header: each once, separated by commas, visible ASCII
    /// only, `...` for those that have no room. `None` if there are none.
    pub fn header_value(&self) -> Option<String> {
        let mut named: Vec<String> = Vec::new();
        let mut length = 0;
        for note in &self.0 {
            let field = plain(&note.field);
            if named.contains(&field) {
                continue;
            }
            length += field.len() + 1;
            if length > MAX_HEADER_BYTES {
                named.push("...".to_owned());
                break;
            }
            named.push(field);
        }
        (!named.is_empty()).then(|| named.join(","))
    }
}

/// A field may hold the client's own names.
fn plain(field: &str) -> String {
    let safe = |c: char| c.is_ascii_graphic() && c != ',';
    field
        .chars()
        .map(|c| if safe(c) { c } else { '_' })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_names_each_field_once_and_in_ascii() {
        let mut notes = Notes::default();
        assert_eq!(notes.header_value(), None);
        notes.add("stop", "too many");
        notes.add(format!("tools[{}].größe,x\r\n", 3), "odd");
        notes.add("stop", "empty");
        assert_eq!(
            notes.header_value().as_deref(),
            Some("stop,tools[3].gr__e_x__")
        );
    }

    #[test]
    fn a_header_stays_short_whatever_the_request_holds() {
        let mut notes = Notes::default();
        for nth in 0..10_000 {
            notes.add(format!("tools[{nth}].function.name"), "rewritten");
        }
        let value = notes.header_value().unwrap_or_default();
        assert!(value.len() <= MAX_HEADER_BYTES + 4 && value.ends_with(",..."));
    }
}
