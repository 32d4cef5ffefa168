"""Pydantic AI, which validates every answer against OpenAI's own types."""

import asyncio

import pytest
from pydantic import BaseModel
from pydantic_ai import Agent
from pydantic_ai.exceptions import ContentFilterError
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider

from world import MODEL, MODEL_2, USAGE, call, response, signature, signatures, text

BLOCKED = {"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}}


@pytest.fixture
def model(world):
    return model_named(world, MODEL)


def model_named(world, name):
    provider = OpenAIProvider(base_url=world.base_url, api_key="any")
    return OpenAIChatModel(name, provider=provider)


def test_09_streamed_usage_is_googles(world, model):
    words = [response(text(word), finish=None) for word in ("one ", "two ", "three ")]
    world.google.say({"responses": [*words, response(text("four"))]})

    async def run():
        async with Agent(model).run_stream("Count.") as result:
            return await result.get_output(), result.usage

    output, usage = asyncio.run(run())
    assert output == "one two three four"
    usage = usage() if callable(usage) else usage
    assert usage.input_tokens == USAGE["promptTokenCount"]
    assert usage.total_tokens == USAGE["totalTokenCount"]


def test_12_the_agent_loop_brings_the_thought_signature_back(world, model):
    signed = signature("of the first call")
    world.google.say(
        {"responses": [response(call("get_weather", {"city": "Rome"}, signed))]},
        {"text": "It is sunny."},
    )
    agent = Agent(model)

    @agent.tool_plain
    def get_weather(city: str) -> str:
        return f"sunny in {city}"

    assert agent.run_sync("How is Rome?").output == "It is sunny."
    assert signatures(world.google.asked()[1]) == [signed]


def test_15_a_function_without_arguments_is_run(world, model):
    world.google.say(
        {"responses": [response({"functionCall": {"name": "get_time"}})]}, {"text": "Noon."}
    )
    agent = Agent(model)
    asked = []

    @agent.tool_plain
    def get_time() -> str:
        asked.append("time")
        return "noon"

    assert agent.run_sync("How late is it?").output == "Noon."
    assert asked == ["time"]


class Place(BaseModel):
    city: str


@pytest.mark.parametrize("name", [MODEL, MODEL_2])
def test_18_an_output_type_beside_functions_gives_an_object(world, name):
    world.google.say(
        {"calls": [{"name": "find", "args": {"who": "Ada"}}]},
        {"calls": [{"name": "final_result", "args": {"city": "London"}}]},
    )
    agent = Agent(model_named(world, name), output_type=Place)

    @agent.tool_plain
    def find(who: str) -> str:
        return f"{who} is in London"

    assert agent.run_sync("Where is Ada?").output == Place(city="London")
    assert [one["status"] for one in world.google.recorded()] == [200, 200]
    calling = world.google.asked()[0]["toolConfig"]["functionCallingConfig"]
    assert calling["mode"] == "ANY"


def test_21_a_blocked_prompt_is_a_content_filter_error(world, model):
    world.google.say({"responses": [BLOCKED]})
    with pytest.raises(ContentFilterError):
        Agent(model).run_sync("Something forbidden.")


def test_21_a_blocked_prompt_is_a_content_filter_error_when_streamed(world, model):
    world.google.say({"responses": [BLOCKED]})

    async def run():
        async with Agent(model).run_stream("Something forbidden.") as result:
            await result.get_output()

    with pytest.raises(ContentFilterError):
        asyncio.run(run())
