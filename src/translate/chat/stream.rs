//! A streamed answer as chat completion chunks, in the order that OpenAI's
//! clients rely on: the role once for each choice, deltas of one kind each, one
//! finish chunk for each choice, the usage last.

use super::whole::{picture, tool_call};
use crate::translate::Unfinished;
use crate::translate::said::{self, Finish, Reader, Said};
use crate::wire::gemini::GenerateContentResponse;
use crate::wire::openai::{
    ChatCompletionChunk, ChunkChoice, ChunkDelta, ExtraContent, FinishReason, Logprobs, Usage,
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
    fingerprint: Option<String>,
    service_tier: Option<&'static str>,
    /// Told as one `function_call`, not as `tool_calls`.
    functions_of_old: bool,
    include_usage: bool,
    /// Choices whose role has been told.
    begun: u32,
}

impl StreamTranslator {
    /// `include_usage`: the client asked for a last chunk with the usage.
    pub fn new(reader: Reader, include_usage: bool) -> Self {
        let (stamp, form) = (reader.stamp(), reader.form());
        let chunks = Chunks {
            id: stamp.id.clone(),
            created: stamp.created,
            model: stamp.model.clone(),
            fingerprint: None,
            service_tier: form.names_service_tier.then_some("default"),
            functions_of_old: form.functions_of_old,
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
        if chunks.begun == 0 {
            // The same in all chunks, or in none.
            chunks.fingerprint = event.model_version.as_deref().map(said::fingerprint);
        }
        reader.read(event, |index, said| chunks.tell(index, said, &mut sink));
    }

    /// Whether Google has said why it stopped: whatever follows is only counts.
    pub fn is_finished(&self) -> bool {
        self.reader.is_finished()
    }

    /// For whoever takes every clean end of a stream for a good one.
    pub fn presume_stopped(&mut self) {
        self.reader.presume_stopped();
    }

    /// Whether the answer is over with nothing for a client, who has got nothing of
    /// it yet, and another try may do better.
    pub fn is_in_vain(&self) -> bool {
        self.chunks.begun == 0 && self.reader.is_in_vain()
    }

    /// How many bytes of thoughts, text and arguments there were so far.
    pub fn said_bytes(&self) -> usize {
        self.reader.said_bytes()
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
        let Self { reader, chunks } = self;
        let ending = reader.finish(|index, said| chunks.tell(index, said, &mut sink))?;
        for (finish, index) in ending.finishes.iter().zip(0..) {
            chunks.end(index, finish, &mut sink);
        }
        if chunks.include_usage {
            sink(&chunks.chunk(&[], Some(Some(ending.usage))));
        }
        Ok(())
    }
}

impl Chunks {
    fn tell(
        &mut self,
        index: u32,
        said: Said<'_>,
        sink: &mut impl FnMut(&ChatCompletionChunk<'_>),
    ) {
        self.begin(index, sink);
        let delta = match said {
            Said::Thought(text) => ChunkDelta {
                reasoning_content: Some(text),
                ..ChunkDelta::default()
            },
            Said::Text(text) => ChunkDelta {
                content: Some(text),
                ..ChunkDelta::default()
            },
            // The whole call in one delta: id, type and name may be told only once.
            Said::Call(call) if self.functions_of_old => ChunkDelta {
                function_call: tool_call(call).function,
                ..ChunkDelta::default()
            },
            Said::Call(call) => ChunkDelta {
                tool_calls: Some([tool_call(call)]),
                ..ChunkDelta::default()
            },
            Said::Image(image) => ChunkDelta {
                images: Some([picture(&image)]),
                ..ChunkDelta::default()
            },
            Said::Logprobs(logprobs) => {
                let delta = ChunkDelta {
                    content: Some(""),
                    ..ChunkDelta::default()
                };
                return self.emit(index, delta, Some(logprobs), None, sink);
            }
        };
        self.emit(index, delta, None, None, sink);
    }

    /// Tells the role of this choice, once, and of all before it: clients count
    /// on choices to appear in order.
    fn begin(&mut self, index: u32, sink: &mut impl FnMut(&ChatCompletionChunk<'_>)) {
        while self.begun <= index {
            let delta = ChunkDelta {
                role: Some("assistant"),
                content: Some(""),
                ..ChunkDelta::default()
            };
            self.emit(self.begun, delta, None, None, sink);
            self.begun += 1;
        }
    }

    fn end(
        &mut self,
        index: u32,
        finish: &Finish,
        sink: &mut impl FnMut(&ChatCompletionChunk<'_>),
    ) {
        self.begin(index, sink);
        if let Some(refusal) = finish.refusal.as_deref() {
            let delta = ChunkDelta {
                refusal: Some(refusal),
                ..ChunkDelta::default()
            };
            self.emit(index, delta, None, None, sink);
        }
        // Once in a stream: some clients join strings that come again.
        if let Some(signature) = finish.signature.as_deref() {
            let delta = ChunkDelta {
                extra_content: Some(ExtraContent::signature(signature)),
                ..ChunkDelta::default()
            };
            self.emit(index, delta, None, None, sink);
        }
        if !finish.annotations.is_empty() {
            let annotations = Some(finish.annotations.as_slice());
            let delta = ChunkDelta {
                annotations,
                ..ChunkDelta::default()
            };
            self.emit(index, delta, None, None, sink);
        }
        self.emit(
            index,
            ChunkDelta::default(),
            None,
            Some(finish.reason),
            sink,
        );
    }

    fn emit(
        &self,
        index: u32,
        delta: ChunkDelta<'_>,
        logprobs: Option<Logprobs>,
        finish_reason: Option<FinishReason>,
        sink: &mut impl FnMut(&ChatCompletionChunk<'_>),
    ) {
        let choice = ChunkChoice {
            index,
            delta,
            logprobs,
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
            system_fingerprint: self.fingerprint.as_deref(),
            service_tier: self.service_tier,
        }
    }
}
