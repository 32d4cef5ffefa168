//! Where in a schema we are; written out only where there is something to note.

use std::fmt;

#[derive(Debug, Clone, Copy)]
pub(super) enum Path<'p> {
    /// Where the schema itself stands in the request.
    Field(&'p str),
    Key(&'p Self, &'p str),
    Item(&'p Self, usize),
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Field(field) => f.write_str(field),
            Self::Key(outer, key) => write!(f, "{outer}.{key}"),
            Self::Item(outer, nth) => write!(f, "{outer}[{nth}]"),
        }
    }
}
