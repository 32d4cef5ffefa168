"""OpenAI's SDK, major versions 3 and 2: plain answers and streams."""

from world import MODEL, USAGE, call, response, signature, signatures, text

HI = {"model": MODEL, "messages": [{"role": "user", "content": "hi"}]}
WORDS = "Straße, 東京, 👩‍👩‍👧 and 🇪🇺: intact"

WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
}


def test_01_an_answer_has_text_a_reason_a_sum_and_an_id(client):
    answer = client.chat.completions.create(**HI)
    choice = answer.choices[0]
    assert isinstance(choice.message.content, str) and choice.message.content
    assert choice.message.role == "assistant"
    assert choice.finish_reason == "stop"
    usage = answer.usage
    assert usage.prompt_tokens > 0 and usage.completion_tokens > 0
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens
    assert answer._request_id.startswith("req_")


def test_03_a_stream_begins_with_the_role_and_keeps_its_text_intact(world, client):
    # One byte a write: each emoji arrives in pieces.
    half = len(WORDS) // 2
    first, second = text(WORDS[:half]), text(WORDS[half:])
    events = [response(first, finish=None), response(second)]
    world.google.say({"responses": events, "write_size": 1})
    chunks = list(client.chat.completions.create(**HI, stream=True))
    opening = chunks[0].choices[0].delta
    assert (opening.role, opening.content) == ("assistant", "")
    assert all(chunk.choices[0].delta.role is None for chunk in chunks[1:])
    assert len({chunk.id for chunk in chunks}) == 1
    pieces = [chunk.choices[0].delta.content or "" for chunk in chunks]
    assert "".join(pieces) == WORDS
    assert chunks[-1].choices[0].finish_reason == "stop"


def test_04_the_stream_helper_sees_one_role(client):
    with client.chat.completions.stream(**HI) as stream:
        message = stream.get_final_completion().choices[0].message
    assert message.role == "assistant"
    assert message.content


def test_06_usage_comes_once_and_last_if_it_is_asked_for(world, client):
    world.google.say({"responses": [response(text("Hello"))]})
    options = {"include_usage": True}
    chunks = list(client.chat.completions.create(**HI, stream=True, stream_options=options))
    *before, last = chunks
    assert before and all(chunk.usage is None for chunk in before)
    assert last.choices == []
    assert last.usage.total_tokens == USAGE["totalTokenCount"]


def test_07_usage_is_nowhere_if_it_is_not_asked_for(client):
    answer = client.chat.completions.with_raw_response.create(**HI, stream=True)
    chunks = list(answer.parse())
    assert chunks
    assert all("usage" not in chunk.model_fields_set for chunk in chunks)


def test_10_two_parallel_calls_are_told_apart_by_the_helper(world, client):
    world.google.say(
        {
            "responses": [
                response(call("get_weather", {"city": "Paris"}), finish=None),
                response(call("get_weather", {"city": "Rome"})),
            ]
        }
    )
    with client.chat.completions.stream(**HI, tools=[WEATHER]) as stream:
        choice = stream.get_final_completion().choices[0]
    calls = choice.message.tool_calls
    assert [one.index for one in calls] == [0, 1]
    assert [one.function.name for one in calls] == ["get_weather", "get_weather"]
    cities = ['{"city":"Paris"}', '{"city":"Rome"}']
    assert [one.function.arguments for one in calls] == cities
    assert len({one.id for one in calls}) == 2
    assert all(one.id.startswith("call_") and len(one.id) <= 40 for one in calls)
    assert choice.finish_reason == "tool_calls"


def test_14_after_a_restart_the_message_itself_brings_the_signature_back(world, client):
    signed = signature("of the call")
    paris = call("get_weather", {"city": "Paris"}, signed)
    world.google.say({"responses": [response(paris)], "times": 2}, {"text": "Sunny.", "times": 2})
    whole = client.chat.completions.create(**HI, tools=[WEATHER])
    with client.chat.completions.stream(**HI, tools=[WEATHER]) as stream:
        streamed = stream.get_final_completion()
    world.proxy.restart()
    for answer in (whole, streamed):
        message = answer.choices[0].message
        result = {"role": "tool", "tool_call_id": message.tool_calls[0].id, "content": "sunny"}
        messages = [*HI["messages"], message, result]
        client.chat.completions.create(model=MODEL, messages=messages, tools=[WEATHER])
        assert signatures(world.google.asked()[-1]) == [signed]


def test_15_a_call_without_arguments_has_an_empty_object(world, client):
    nothing = {"functionCall": {"name": "get_weather"}}
    world.google.say({"responses": [response(nothing)], "times": 2})
    answer = client.chat.completions.create(**HI, tools=[WEATHER])
    assert answer.choices[0].message.tool_calls[0].function.arguments == "{}"
    with client.chat.completions.stream(**HI, tools=[WEATHER]) as stream:
        message = stream.get_final_completion().choices[0].message
    assert message.tool_calls[0].function.arguments == "{}"


def test_31_the_helpers_message_can_be_sent_back_as_it_is(world, client):
    world.google.say(
        {"text": "Let me see.", "calls": [{"name": "get_weather", "args": {"city": "Rome"}}]},
        {"text": "Sunny."},
    )
    with client.chat.completions.stream(**HI, tools=[WEATHER]) as stream:
        message = stream.get_final_completion().choices[0].message
    replayed = message.model_dump()
    replayed |= {"annotations": None, "audio": None, "function_call": None, "parsed": None}
    result = {"role": "tool", "tool_call_id": message.tool_calls[0].id, "content": "sunny"}
    for assistant in (message, replayed):
        messages = [*HI["messages"], assistant, result]
        answer = client.chat.completions.create(model=MODEL, messages=messages, tools=[WEATHER])
        assert answer.choices[0].message.content
    assert [one["status"] for one in world.google.recorded()] == [200, 200, 200]


def test_36_two_choices_stream_side_by_side(world, client):
    # The model of the stand-in has one candidate, as most have.
    world.google.tell("state", {"strict": {"parameters": False}})
    candidates = [
        {
            "content": {"role": "model", "parts": [text(words)]},
            "index": index,
            "finishReason": "STOP",
        }
        for index, words in enumerate(["heads", "tails"])
    ]
    world.google.say({"responses": [{"candidates": candidates, "usageMetadata": USAGE}]})
    with client.chat.completions.stream(**HI, n=2) as stream:
        choices = stream.get_final_completion().choices
    assert [choice.message.content for choice in choices] == ["heads", "tails"]
    assert [choice.finish_reason for choice in choices] == ["stop", "stop"]
    assert world.google.asked()[0]["generationConfig"]["candidateCount"] == 2
