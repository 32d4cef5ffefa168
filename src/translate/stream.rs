//! A streamed answer as chat completion chunks, in the order that OpenAI's
//! clients rely on: the role once for each choice, deltas of one kind each, one
//! finish chunk for each choice, the usage last.

use super::Unfinished;
use super::response::carrying;
use super::said::{Call, Reader, Said};
use crate::wire::Text;
use crate::wire::gemini::GenerateContentResponse;
use crate::wire::openai::{
    AssistantFunction, AssistantToolCall, ChatCompletionChunk, ChunkChoice, ChunkDelta,
    FinishReason, Usage,
};

/// Turns events into chunks.
pub struct StreamTranslator {
    reader: Reader,
    chunks: Chunks,
}

/// What all chunks of one stream share.
struct Chunks {
    id: String,
    created: u64,
    model: String,
    include_usage: bool,
    /// Choices whose role has been told.
    begun: u32,
}

impl StreamTranslator {
    /// `include_usage`: the client asked for a last chunk with the usage.
    pub fn new(reader: Reader, include_usage: bool) -> Self {
        let stamp = reader.stamp();
        let chunks = Chunks {
            id: stamp.id.clone(),
            created: stamp.created,
            model: stamp.model.clone(),
            include_usage,
            begun: 0,
        };
        Self { reader, chunks }
    }

    /// The chunks that one event makes; possibly none.
    pub fn push(
        &mut self,
        event: GenerateContentResponse<'_>,
        mut sink: impl FnMut(&ChatCompletionChunk<'_>),
    ) {
        let Self { reader, chunks } = self;
        reader.read(event, |index, said| {
            chunks.begin(index, &mut sink);
            chunks.emit(index, delta(said), None, &mut sink);
        });
    }

    /// Whether Google has said why it stopped: whatever follows is only counts.
    pub fn is_finished(&self) -> bool {
        self.reader.is_finished()
    }

    /// The usage so far.
    pub fn usage(&self) -> Usage {
        self.reader.usage()
    }

    /// The last chunks. Fails when Google fell silent before saying why it
    /// stopped: then nothing may follow that looks like a good end.
    pub fn finish(
        &mut self,
        mut sink: impl FnMut(&ChatCompletionChunk<'_>),
    ) -> Result<(), Unfinished> {
        let ending = self.reader.finish()?;
        for (finish, index) in ending.finishes.iter().zip(0..) {
            self.chunks.begin(index, &mut sink);
            if let Some(refusal) = finish.refusal.as_deref() {
                let delta = ChunkDelta {
                    refusal: Some(refusal),
                    ..ChunkDelta::default()
                };
                self.chunks.emit(index, delta, None, &mut sink);
            }
            self.chunks
                .emit(index, ChunkDelta::default(), Some(finish.reason), &mut sink);
        }
        if self.chunks.include_usage {
            sink(&self.chunks.chunk(&[], Some(Some(ending.usage))));
        }
        Ok(())
    }
}

impl Chunks {
    /// Tells the role of this choice, once, and of all before it: clients count
    /// on choices to appear in order.
    fn begin(&mut self, index: u32, sink: &mut impl FnMut(&ChatCompletionChunk<'_>)) {
        while self.begun <= index {
            let delta = ChunkDelta {
                role: Some("assistant"),
                content: Some(""),
                ..ChunkDelta::default()
            };
            self.emit(self.begun, delta, None, sink);
            self.begun += 1;
        }
    }

    fn emit(
        &self,
        index: u32,
        delta: ChunkDelta<'_>,
        finish_reason: Option<FinishReason>,
        sink: &mut impl FnMut(&ChatCompletionChunk<'_>),
    ) {
        let choice = ChunkChoice {
            index,
            delta,
            logprobs: None,
            finish_reason,
        };
        // Clients add up every usage they see: `null` in all chunks but the last.
        let usage = self.include_usage.then_some(None);
        sink(&self.chunk(&[choice], usage));
    }

    fn chunk<'a>(
        &'a self,
        choices: &'a [ChunkChoice<'a>],
        usage: Option<Option<Usage>>,
    ) -> ChatCompletionChunk<'a> {
        ChatCompletionChunk {
            id: &self.id,
            object: "chat.completion.chunk",
            created: self.created,
            model: &self.model,
            choices,
            usage,
        }
    }
}

fn delta(said: Said<'_>) -> ChunkDelta<'_> {
    match said {
        Said::Thought(text) => ChunkDelta {
            reasoning_content: Some(text),
            ..ChunkDelta::default()
        },
        Said::Text(text) => ChunkDelta {
            content: Some(text),
            ..ChunkDelta::default()
        },
        Said::Call(call) => ChunkDelta {
            tool_calls: Some([tool_call(call)]),
            ..ChunkDelta::default()
        },
    }
}

/// The whole call in one delta: id, type and name may be told only once.
fn tool_call(call: Call<'_>) -> AssistantToolCall<'_> {
    AssistantToolCall {
        index: Some(call.index),
        id: call.id,
        kind: "function",
        function: AssistantFunction {
            name: Text(call.name),
            arguments: Text(call.arguments),
        },
        extra_content: call.signature.map(|signature| carrying(signature.into())),
    }
}
