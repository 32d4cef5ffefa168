"""LlamaIndex, by `OpenAILike`."""

import asyncio

import pytest
from llama_index.core.agent.workflow import FunctionAgent
from llama_index.core.llms import ChatMessage
from llama_index.llms.openai_like import OpenAILike

from world import MODEL, call, response, signature, signatures

ASK = [ChatMessage(role="user", content="Where is Ada?")]


@pytest.fixture
def llm(world):
    return OpenAILike(
        model=MODEL,
        api_base=world.base_url,
        api_key="any",
        is_chat_model=True,
        is_function_calling_model=True,
        max_retries=0,
    )


def test_01_an_answer_has_text(world, llm):
    world.google.say({"text": "In London."})
    assert llm.chat(ASK).message.content == "In London."


def test_01_the_legacy_endpoint_that_is_its_default_answers(world):
    llm = OpenAILike(model=MODEL, api_base=world.base_url, api_key="any", max_retries=0)
    world.google.say({"text": "In London.", "words": True, "times": 2})
    assert llm.complete("Where is Ada?").text == "In London."
    *_, last = llm.stream_complete("Where is Ada?")
    assert last.text == "In London."


def test_03_a_stream_keeps_its_text_intact(world, llm):
    world.google.say({"text": "In London, 👩‍👩‍👧 and 東京.", "words": True, "write_size": 1})
    *_, last = llm.stream_chat(ASK)
    assert last.message.content == "In London, 👩‍👩‍👧 and 東京."


def test_12_the_agent_loop_brings_the_thought_signature_back(world, llm):
    signed = signature("of the first call")
    world.google.say(
        {"responses": [response(call("find", {"who": "Ada"}, signed))]}, {"text": "London."}
    )

    def find(who: str) -> str:
        """Where someone is."""
        return f"{who} is in London"

    async def run():
        return await FunctionAgent(tools=[find], llm=llm).run("Where is Ada?")

    assert str(asyncio.run(run())) == "London."
    assert signatures(world.google.asked()[1]) == [signed]
