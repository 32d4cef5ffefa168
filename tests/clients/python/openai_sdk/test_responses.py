"""OpenAI's SDK, major versions 3 and 2: the Responses API."""

import openai
import pytest
from pydantic import BaseModel

from world import MODEL, USAGE, call, parts, response, signature, signatures, text

ASK = {"model": MODEL, "input": "Where is Ada?"}
FIND = {
    "type": "function",
    "name": "find",
    "parameters": {"type": "object", "properties": {"who": {"type": "string"}}},
}


class Place(BaseModel):
    city: str
    floor: int | None = None


def told(request):
    return [part["text"] for part in parts(request, "text")]


def test_40_an_answer_has_text_and_a_sum(world, client):
    thought = {"text": "Hm.", "thought": True}
    world.google.say({"responses": [response(thought, text("London."))]})
    answer = client.responses.create(**ASK)
    assert (answer.status, answer.output_text) == ("completed", "London.")
    assert [item.type for item in answer.output] == ["reasoning", "message"]
    assert answer.output[0].summary[0].text == "Hm."
    usage = answer.usage
    assert usage.input_tokens == USAGE["promptTokenCount"]
    assert usage.output_tokens_details.reasoning_tokens == USAGE["thoughtsTokenCount"]
    assert usage.total_tokens == USAGE["totalTokenCount"]


def test_40_a_stream_has_gapless_numbers_and_ends_with_all_of_it(world, client):
    signed = signature("of the call")
    answer = response({"text": "Hm.", "thought": True}, text("Wait."), call("find", {}, signed))
    world.google.say({"responses": [answer], "write_size": 1})
    events = list(client.responses.create(**ASK, tools=[FIND], stream=True))
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert events[0].type == "response.created" and events[0].response.output == []
    assert events[1].type == "response.in_progress"
    added = [event.item for event in events if event.type == "response.output_item.added"]
    done = [event.item for event in events if event.type == "response.output_item.done"]
    assert [item.id for item in added] == [item.id for item in done]
    assert events[-1].type == "response.completed"
    assert events[-1].response.output == done
    kinds = ["reasoning", "message", "reasoning", "function_call"]
    assert [item.type for item in done] == kinds


def test_40_the_stream_helper_ends_with_the_answer(world, client):
    world.google.say({"text": "In London.", "words": True})
    with client.responses.stream(**ASK) as stream:
        deltas = [event.delta for event in stream if event.type == "response.output_text.delta"]
        answer = stream.get_final_response()
    assert "".join(deltas) == answer.output_text == "In London."


def test_40_an_object_is_parsed_whole_and_streamed(world, client):
    world.google.say({"text": '{"city": "London", "floor": 3}', "times": 2})
    place = Place(city="London", floor=3)
    assert client.responses.parse(**ASK, text_format=Place).output_parsed == place
    with client.responses.stream(**ASK, text_format=Place) as stream:
        assert stream.get_final_response().output_parsed == place
    for request in world.google.asked():
        config = request["generationConfig"]
        assert config["responseMimeType"] == "application/json"
        assert set(config["responseJsonSchema"]["properties"]) == {"city", "floor"}


@pytest.mark.parametrize("restarts", [False, True], ids=["running", "restarted"])
@pytest.mark.parametrize("streaming", [False, True], ids=["whole", "streamed"])
def test_40_a_loop_brings_the_signature_back(world, client, streaming, restarts):
    signed = signature("of the call")
    answer = response(text("Wait."), call("find", {"who": "Ada"}, signed))
    world.google.say({"responses": [answer]}, {"text": "London."})
    items = [{"role": "user", "content": "Where is Ada?"}]
    if streaming:
        with client.responses.stream(model=MODEL, input=items, tools=[FIND]) as stream:
            first = stream.get_final_response()
    else:
        first = client.responses.create(model=MODEL, input=items, tools=[FIND])
    items += first.output
    made = first.output[-1]
    assert (made.type, made.name, made.arguments) == ("function_call", "find", '{"who":"Ada"}')
    items.append({"type": "function_call_output", "call_id": made.call_id, "output": "London"})
    if restarts:
        world.proxy.restart()
    assert client.responses.create(model=MODEL, input=items, tools=[FIND]).output_text == "London."
    second = world.google.asked()[1]
    assert signatures(second) == [signed]
    assert told(second) == ["Where is Ada?", "Wait."]
    (result,) = parts(second, "functionResponse")
    assert result["functionResponse"]["response"] == {"output": "London"}


def test_40_what_was_said_before_is_remembered_until_it_is_deleted(world, client):
    world.google.say({"text": "Hello Ada."}, {"text": "Ada."})
    first = client.responses.create(model=MODEL, input="I am Ada.")
    more = {"model": MODEL, "input": "Who am I?", "previous_response_id": first.id}
    assert client.responses.create(**more).output_text == "Ada."
    assert told(world.google.asked()[1]) == ["I am Ada.", "Hello Ada.", "Who am I?"]
    assert client.responses.retrieve(first.id).output_text == "Hello Ada."
    client.responses.delete(first.id)
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(first.id)
    with pytest.raises(openai.BadRequestError) as raised:
        client.responses.create(**more)
    assert raised.value.code == "previous_response_not_found"


def test_40_a_called_function_is_remembered_with_its_signature(world, client):
    signed = signature("of the call")
    answer = response(call("find", {"who": "Ada"}, signed))
    world.google.say({"responses": [answer]}, {"text": "London."})
    first = client.responses.create(**ASK, tools=[FIND])
    call_id = first.output[-1].call_id
    output = {"type": "function_call_output", "call_id": call_id, "output": "London"}
    more = {"model": MODEL, "input": [output], "previous_response_id": first.id}
    assert client.responses.create(**more, tools=[FIND]).output_text == "London."
    assert signatures(world.google.asked()[1]) == [signed]


def test_40_the_tokens_of_an_input_are_counted(client):
    counted = client.responses.input_tokens.count(**ASK, tools=[FIND])
    assert counted.object == "response.input_tokens"
    assert counted.input_tokens > 0


def test_40_an_answer_cut_short_is_incomplete(world, client):
    for finish, reason in [("MAX_TOKENS", "max_output_tokens"), ("SAFETY", "content_filter")]:
        world.google.say({"responses": [response(text("Lon"), finish=finish)], "times": 2})
        answer = client.responses.create(**ASK)
        *_, last = client.responses.create(**ASK, stream=True)
        assert last.type == "response.incomplete"
        for response_ in (answer, last.response):
            assert response_.status == "incomplete"
            assert response_.incomplete_details.reason == reason
            assert response_.output_text == "Lon"


def test_40_a_stream_that_dies_delivers_its_text_and_then_fails(world, client):
    world.google.say({"text": "one two three", "words": True, "finish": None, "then": "truncate"})
    events = list(client.responses.create(**ASK, stream=True))
    deltas = [event.delta for event in events if event.type == "response.output_text.delta"]
    assert "".join(deltas).startswith("one two")
    assert events[-1].type == "response.failed"
    failed = events[-1].response
    assert (failed.status, failed.error.code) == ("failed", "upstream_stream_error")
    assert not any(event.type == "response.completed" for event in events)


@pytest.mark.parametrize("streaming", [False, True], ids=["whole", "streamed"])
def test_40_quota_and_overflow_are_told_once(world, streaming):
    client = openai.OpenAI(base_url=world.base_url, api_key="any", max_retries=2)
    for error, kind, code in [
        ("quota_exhausted", openai.RateLimitError, "insufficient_quota"),
        ("token_limit", openai.BadRequestError, "context_length_exceeded"),
    ]:
        world.google.tell("reset")
        world.google.say({"error": error, "times": "always"})
        with pytest.raises(kind) as raised:
            list(client.responses.create(**ASK, stream=streaming))
        assert raised.value.code == code
        assert len(world.google.recorded()) == 1
