"""LangChain with `langchain-openai`."""

import base64

import pytest
from langchain.agents import create_agent
from langchain_core.messages import HumanMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from pydantic import BaseModel

from world import MODEL, SENTINEL, USAGE, call, parts, response, signature, signatures, text


@pytest.fixture
def chat(world):
    return ChatOpenAI(model=MODEL, base_url=world.base_url, api_key="any", stream_usage=True)


@pytest.fixture
def responses(chat):
    return chat.model_copy(update={"use_responses_api": True})


@tool
def get_weather(city: str) -> str:
    """The weather in a city."""
    return f"sunny in {city}"


@tool
def get_time() -> str:
    """What time it is."""
    return "noon"


def test_08_streamed_usage_is_googles_and_not_a_multiple(world, chat):
    words = [response(text(word), finish=None) for word in ("one ", "two ", "three ")]
    world.google.say({"responses": [*words, response(text("four"))]})
    chunks = list(chat.stream("Count."))
    assert len(chunks) > 4
    whole = sum(chunks[1:], start=chunks[0])
    assert whole.content == "one two three four"
    usage = whole.usage_metadata
    assert usage["input_tokens"] == USAGE["promptTokenCount"]
    assert usage["output_tokens"] == USAGE["candidatesTokenCount"] + USAGE["thoughtsTokenCount"]
    assert usage["total_tokens"] == USAGE["totalTokenCount"]
    assert usage["output_token_details"]["reasoning"] == USAGE["thoughtsTokenCount"]


@pytest.mark.parametrize("streaming", [False, True], ids=["whole", "streamed"])
def test_12_the_agent_loop_brings_the_thought_signature_back(world, chat, streaming):
    signed = signature("of the first call")
    world.google.say(
        {"responses": [response(call("get_weather", {"city": "Rome"}, signed))]},
        {"text": "It is sunny."},
    )
    agent = create_agent(chat.model_copy(update={"streaming": streaming}), [get_weather])
    state = agent.invoke({"messages": [("user", "How is Rome?")]})
    assert state["messages"][-1].content == "It is sunny."
    _, second = world.google.asked()
    assert signatures(second) == [signed]
    (result,) = parts(second, "functionResponse")
    assert result["functionResponse"]["response"] == {"output": "sunny in Rome"}


def test_14_a_restart_between_turns_leaves_the_sentinel(world, chat):
    @tool
    def restart() -> str:
        """Restarts the proxy."""
        world.proxy.restart()
        return "done"

    world.google.say({"calls": [{"name": "restart"}]}, {"text": "Restarted."})
    state = create_agent(chat, [restart]).invoke({"messages": [("user", "Restart!")]})
    assert state["messages"][-1].content == "Restarted."
    assert [one["status"] for one in world.google.recorded()] == [200, 200]
    assert signatures(world.google.asked()[1]) == [SENTINEL]


def test_15_a_function_without_arguments_is_run(world, chat):
    world.google.say(
        {"responses": [response({"functionCall": {"name": "get_time"}})]}, {"text": "Noon."}
    )
    state = create_agent(chat, [get_time]).invoke({"messages": [("user", "How late is it?")]})
    assert [message.type for message in state["messages"]] == ["human", "ai", "tool", "ai"]
    assert state["messages"][2].content == "noon"


@pytest.mark.parametrize("streaming", [False, True], ids=["whole", "streamed"])
def test_40_a_loop_on_the_responses_brings_the_signature_back(world, responses, streaming):
    @tool
    def restart() -> str:
        """Restarts the proxy."""
        world.proxy.restart()
        return "done"

    signed = signature("of the first call")
    thought = {"text": "Hm.", "thought": True}
    answer = response(thought, text("Wait."), call("restart", {}, signed))
    world.google.say({"responses": [answer]}, {"text": "Restarted."})
    responses.streaming = streaming
    state = create_agent(responses, [restart]).invoke({"messages": [("user", "Restart!")]})
    assert state["messages"][-1].text == "Restarted."
    second = world.google.asked()[1]
    assert [part["text"] for part in parts(second, "text")] == ["Restart!", "Wait."]
    assert signatures(second) == [signed]


def test_40_the_responses_stream_and_count(world, responses):
    world.google.say({"responses": [response(text("one "), finish=None), response(text("two"))]})
    chunks = list(responses.stream("Count."))
    whole = sum(chunks[1:], start=chunks[0])
    assert whole.text == "one two"
    assert whole.usage_metadata["total_tokens"] == USAGE["totalTokenCount"]


class Place(BaseModel):
    """Where someone is."""

    city: str


@pytest.mark.parametrize("method", ["json_schema", "function_calling"])
def test_40_structured_output_of_the_responses_is_parsed(world, responses, method):
    if method == "function_calling":
        world.google.say({"calls": [{"name": "Place", "args": {"city": "London"}}]})
    else:
        world.google.say({"text": '{"city": "London"}'})
    structured = responses.with_structured_output(Place, method=method)
    assert structured.invoke("Where is Ada?") == Place(city="London")


@pytest.mark.parametrize("method", ["json_schema", "function_calling", "json_mode"])
def test_16_structured_output_is_parsed_in_every_method(world, chat, method):
    if method == "function_calling":
        world.google.say({"calls": [{"name": "Place", "args": {"city": "London"}}]})
    else:
        world.google.say({"text": '{"city": "London"}'})
    structured = chat.with_structured_output(Place, method=method)
    assert structured.invoke("Where is Ada? Answer in JSON.") == Place(city="London")
    (request,) = world.google.asked()
    if method == "function_calling":
        calling = request["toolConfig"]["functionCallingConfig"]
        assert calling == {"mode": "ANY", "allowedFunctionNames": ["Place"]}
    else:
        assert request["generationConfig"]["responseMimeType"] == "application/json"


def test_34_an_image_a_document_and_a_sound_arrive_with_their_types(world, chat):
    def part(kind, mime_type, **more):
        content = base64.b64encode(kind.encode()).decode()
        return {"type": kind, "base64": content, "mime_type": mime_type, **more}

    content = [
        {"type": "text", "text": "What are these?"},
        part("image", "image/png"),
        part("file", "application/pdf", filename="paper.pdf"),
        part("audio", "audio/wav"),
    ]
    assert chat.invoke([HumanMessage(content)]).content
    (request,) = world.google.asked()
    sent = [part["inlineData"] for part in parts(request, "inlineData")]
    assert [data["mimeType"] for data in sent] == ["image/png", "application/pdf", "audio/wav"]
    assert [base64.b64decode(data["data"]) for data in sent] == [b"image", b"file", b"audio"]
