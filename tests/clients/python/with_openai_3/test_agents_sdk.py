"""OpenAI's Agents SDK: on chat completions, and on the Responses, its default."""

import asyncio

import pytest
from agents import (
    Agent,
    AsyncOpenAI,
    ModelSettings,
    OpenAIChatCompletionsModel,
    OpenAIResponsesModel,
    Runner,
    function_tool,
    set_tracing_disabled,
)
from pydantic import BaseModel

from world import MODEL, MODEL_2, call, parts, response, signature, signatures, text

set_tracing_disabled(True)


class Place(BaseModel):
    city: str


@function_tool
def find(who: str) -> str:
    """Where someone is."""
    return f"{who} is in London"


def agent(world, name, kind=OpenAIChatCompletionsModel, tools=(find,), **more):
    client = AsyncOpenAI(base_url=world.base_url, api_key="any")
    model = kind(model=name, openai_client=client)
    about = {"name": "finder", "instructions": "Find people."}
    return Agent(**about, model=model, tools=list(tools), **more)


def run(agent, streaming):
    async def streamed():
        result = Runner.run_streamed(agent, "Where is Ada?")
        async for _ in result.stream_events():
            pass
        return result.final_output

    if streaming:
        return asyncio.run(streamed())
    return Runner.run_sync(agent, "Where is Ada?").final_output


both = pytest.mark.parametrize("streaming", [False, True], ids=["whole", "streamed"])


@both
def test_12_the_agent_loop_brings_the_thought_signature_back(world, streaming):
    signed = signature("of the first call")
    world.google.say(
        {"responses": [response(call("find", {"who": "Ada"}, signed))]}, {"text": "London."}
    )
    assert run(agent(world, MODEL), streaming) == "London."
    second = world.google.asked()[1]
    assert signatures(second) == [signed]
    (result,) = parts(second, "functionResponse")
    assert result["functionResponse"]["response"] == {"output": "Ada is in London"}


@both
def test_40_the_default_loop_brings_the_signature_back_through_a_restart(world, streaming):
    @function_tool
    def restart() -> str:
        """Restarts the proxy."""
        world.proxy.restart()
        return "done"

    signed = signature("of the first call")
    thought = {"text": "Hm.", "thought": True}
    answer = response(thought, text("Wait."), call("restart", {}, signed))
    world.google.say({"responses": [answer]}, {"text": "Restarted."})
    restarter = agent(world, MODEL, OpenAIResponsesModel, [restart])
    assert run(restarter, streaming) == "Restarted."
    second = world.google.asked()[1]
    assert signatures(second) == [signed]
    said = [part["text"] for part in parts(second, "text") if part["text"] != "Find people."]
    assert said == ["Where is Ada?", "Wait."]


kinds = pytest.mark.parametrize("kind", [OpenAIChatCompletionsModel, OpenAIResponsesModel])


@both
@kinds
@pytest.mark.parametrize("name", [MODEL, MODEL_2])
def test_18_an_output_type_beside_functions_gives_an_object(world, name, kind, streaming):
    # A model that is only told to write JSON may fence it.
    answer = '{"city": "London"}'
    if name == MODEL_2:
        answer = f"```json\n{answer}\n```"
    world.google.say({"calls": [{"name": "find", "args": {"who": "Ada"}}]}, {"text": answer})
    settings = ModelSettings(parallel_tool_calls=False)
    finder = agent(world, name, kind, output_type=Place, model_settings=settings)
    assert run(finder, streaming) == Place(city="London")
    assert [one["status"] for one in world.google.recorded()] == [200, 200]
    for request in world.google.asked():
        instruction = str(request["systemInstruction"])
        config = request.get("generationConfig", {})
        if name == MODEL:
            assert set(config["responseJsonSchema"]["properties"]) == {"city"}
        else:
            assert "responseMimeType" not in config
            assert "JSON" in instruction and '"city"' in instruction
