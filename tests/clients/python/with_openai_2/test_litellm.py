"""LiteLLM, by its provider `openai/`."""

import re

import litellm
import pytest

from world import MODEL, USAGE, call, response, signature, signatures, text

litellm.suppress_debug_info = True

FIND = {
    "type": "function",
    "function": {
        "name": "find",
        "parameters": {"type": "object", "properties": {"who": {"type": "string"}}},
    },
}

# How OpenCode tells an overflow from other failures, and how Roo Code does (which
# wants status 400 as well).
OVERFLOW = [
    re.compile(r"maximum context length is \d+ tokens", re.IGNORECASE),
    re.compile(r"\bcontext\s*(?:length|window)\b", re.IGNORECASE),
]


@pytest.fixture
def complete(world):
    def complete(messages, **more):
        return litellm.completion(
            model=f"openai/{MODEL}",
            api_base=world.base_url,
            api_key="any",
            messages=messages,
            **more,
        )

    return complete


ASK = [{"role": "user", "content": "Where is Ada?"}]


def test_01_an_answer_has_text_a_reason_and_a_sum(world, complete):
    world.google.say({"responses": [response(text("In London."))]})
    answer = complete(ASK)
    assert answer.choices[0].message.content == "In London."
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage.total_tokens == USAGE["totalTokenCount"]


@pytest.mark.parametrize("streaming", [False, True], ids=["whole", "streamed"])
def test_12_a_loop_brings_the_thought_signature_back(world, complete, streaming):
    signed = signature("of the first call")
    world.google.say(
        {"responses": [response(call("find", {"who": "Ada"}, signed))]}, {"text": "London."}
    )
    answer = complete(ASK, tools=[FIND], stream=streaming)
    if streaming:
        answer = litellm.stream_chunk_builder(list(answer), messages=ASK)
    message = answer.choices[0].message
    result = {"role": "tool", "tool_call_id": message.tool_calls[0].id, "content": "London"}
    answer = complete([*ASK, message.model_dump(), result], tools=[FIND])
    assert answer.choices[0].message.content == "London."
    assert signatures(world.google.asked()[1]) == [signed]


def test_27_an_overlong_prompt_is_a_context_window_error(world, complete):
    world.google.say({"error": "token_limit"})
    with pytest.raises(litellm.ContextWindowExceededError) as raised:
        complete(ASK)
    assert raised.value.status_code == 400
    for overflow in OVERFLOW:
        assert overflow.search(str(raised.value))
