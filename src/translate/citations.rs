//! What a search found, as citations: Gemini counts bytes of UTF-8, OpenAI characters.

use crate::wire::gemini::{GroundingMetadata, GroundingSupport, WebPage};
use crate::wire::openai::{Annotation, UrlCitation};

/// The citations of a text.
pub(super) fn annotations(text: &str, metadata: &GroundingMetadata<'_>) -> Vec<Annotation> {
    let pages: Vec<Option<&WebPage<'_>>> = metadata
        .grounding_chunks
        .iter()
        .flatten()
        .map(|chunk| chunk.web.as_ref())
        .collect();
    let supports = metadata.grounding_supports.iter().flatten();
    supports
        .flat_map(|support| of_support(text, support, &pages))
        .collect()
}

fn of_support(
    text: &str,
    support: &GroundingSupport,
    pages: &[Option<&WebPage<'_>>],
) -> Vec<Annotation> {
    let segment = support.segment.as_ref();
    let start = characters(
        text,
        segment.and_then(|segment| segment.start_index).unwrap_or(0),
    );
    let end = characters(
        text,
        segment.and_then(|segment| segment.end_index).unwrap_or(0),
    );
    let cited = support.grounding_chunk_indices.iter().flatten();
    let cited = cited.filter_map(|index| pages.get(*index).copied().flatten());
    cited
        .map(|page| Annotation {
            kind: "url_citation",
            url_citation: UrlCitation {
                url: page.uri.as_deref().unwrap_or_default().to_owned(),
                title: page.title.as_deref().unwrap_or_default().to_owned(),
                start_index: start,
                end_index: end.max(start),
            },
        })
        .collect()
}

/// How many characters the first `bytes` bytes are.
fn characters(text: &str, bytes: usize) -> usize {
    text.char_indices()
        .take_while(|(at, _)| *at < bytes)
        .count()
}
