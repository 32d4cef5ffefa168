"""The clients that live with openai 3, while Google is silent."""

import asyncio

import pytest
from agents import Agent as OpenAIAgent
from agents import (
    AsyncOpenAI,
    OpenAIChatCompletionsModel,
    OpenAIResponsesModel,
    Runner,
    set_tracing_disabled,
)
from langchain_openai import ChatOpenAI
from pydantic_ai import Agent
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider

from silence import ANSWER, ask_all
from world import MODEL

set_tracing_disabled(True)


def langchain(base_url):
    chat = ChatOpenAI(model=MODEL, base_url=base_url, api_key="any")
    return "".join(chunk.text for chunk in chat.stream("hi"))


def pydantic_ai(base_url):
    provider = OpenAIProvider(base_url=base_url, api_key="any")

    async def run():
        async with Agent(OpenAIChatModel(MODEL, provider=provider)).run_stream("hi") as result:
            return await result.get_output()

    return asyncio.run(run())


def agents_sdk(base_url, kind=OpenAIChatCompletionsModel):
    client = AsyncOpenAI(base_url=base_url, api_key="any")
    model = kind(model=MODEL, openai_client=client)

    async def run():
        result = Runner.run_streamed(OpenAIAgent(name="one", model=model), "hi")
        async for _ in result.stream_events():
            pass
        return result.final_output

    return asyncio.run(run())


def agents_sdk_by_default(base_url):
    return agents_sdk(base_url, OpenAIResponsesModel)


CLIENTS = {
    "langchain": langchain,
    "pydantic_ai": pydantic_ai,
    "agents_sdk": agents_sdk,
    "agents_sdk_by_default": agents_sdk_by_default,
}


@pytest.fixture(scope="module")
def answers():
    return ask_all(CLIENTS)


@pytest.mark.parametrize("name", CLIENTS)
def test_23_twenty_seconds_of_silence_are_borne(answers, name):
    assert answers[name].result() == ANSWER
