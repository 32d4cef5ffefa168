"""OpenAI's SDK, major versions 3 and 2: what goes wrong, and what it raises."""

import time

import openai
import pytest

from world import MODEL

HI = {"model": MODEL, "messages": [{"role": "user", "content": "hi"}]}


def test_22_a_stream_that_dies_delivers_its_text_and_then_raises(world, client):
    world.google.say({"text": "one two three", "words": True, "finish": None, "then": "truncate"})
    chunks = []
    with pytest.raises(openai.APIError) as raised:
        for chunk in client.chat.completions.create(**HI, stream=True):
            chunks.append(chunk.choices[0])
    assert "".join(choice.delta.content or "" for choice in chunks).startswith("one two")
    assert all(choice.finish_reason is None for choice in chunks)
    assert raised.value.code == "upstream_stream_error"


def test_24_a_short_wait_is_waited_for(world):
    client = openai.OpenAI(base_url=world.base_url, api_key="any", max_retries=2)
    world.google.say({"error": "rate_limit", "delay": "1s"}, {"text": "Hello"})
    begun = time.monotonic()
    answer = client.chat.completions.create(**HI)
    assert time.monotonic() - begun >= 1
    assert answer.choices[0].message.content == "Hello"
    assert [one["status"] for one in world.google.recorded()] == [429, 200]


@pytest.mark.parametrize(
    "error",
    [{"error": "rate_limit", "delay": "10800s"}, {"error": "quota_exhausted"}],
    ids=["three_hours", "by_name"],
)
def test_25_an_exhausted_quota_is_told_once(world, error):
    client = openai.OpenAI(base_url=world.base_url, api_key="any", max_retries=2)
    world.google.say({**error, "times": "always"})
    with pytest.raises(openai.RateLimitError) as raised:
        client.chat.completions.create(**HI)
    assert raised.value.code == "insufficient_quota"
    assert len(world.google.recorded()) == 1


@pytest.mark.parametrize(
    ("headers", "code"),
    [({}, "invalid_api_key"), ({"Authorization": openai.Omit()}, None)],
    ids=["wrong_key", "no_key"],
)
def test_28_who_has_not_the_key_is_refused_once(start_world, headers, code):
    world = start_world(PROXY_API_KEY="right")
    client = openai.OpenAI(base_url=world.base_url, api_key="wrong", max_retries=2)
    with pytest.raises(openai.AuthenticationError) as raised:
        client.chat.completions.create(**HI, extra_headers=headers)
    assert raised.value.code == code
    assert raised.value.response.headers["www-authenticate"] == "Bearer"
    assert world.proxy.log().count("route=/v1/chat/completions status=401") == 1
    right = openai.OpenAI(base_url=world.base_url, api_key="right")
    assert right.chat.completions.create(**HI).choices[0].message.content


def test_29_an_unknown_model_route_or_method_is_named(client):
    with pytest.raises(openai.NotFoundError) as raised:
        client.chat.completions.create(**HI | {"model": "gemini-0-none"})
    assert (raised.value.code, raised.value.param) == ("model_not_found", "model")

    with pytest.raises(openai.NotFoundError) as raised:
        client.models.retrieve("gemini-0-none")
    assert raised.value.code == "model_not_found"

    with pytest.raises(openai.NotFoundError) as raised:
        client.post("/nowhere", cast_to=object, body={})
    assert raised.value.code == "unknown_url"

    with pytest.raises(openai.APIStatusError) as raised:
        client.get("/chat/completions", cast_to=object)
    assert raised.value.status_code == 405
    assert raised.value.response.headers["allow"] == "POST"
