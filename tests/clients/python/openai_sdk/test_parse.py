"""OpenAI's SDK, major versions 3 and 2: `parse()` and what it raises."""

import openai
import pytest
from pydantic import BaseModel

from world import MODEL, response, text

ASK = {"model": MODEL, "messages": [{"role": "user", "content": "Where is Ada?"}]}


class Place(BaseModel):
    city: str
    floor: int | None = None


@pytest.fixture
def parse(client):
    chat = client.chat.completions
    parse = chat.parse if hasattr(chat, "parse") else client.beta.chat.completions.parse
    return lambda: parse(**ASK, response_format=Place)


def test_16_an_object_is_parsed_and_the_schema_reaches_google(world, parse):
    world.google.say({"text": '{"city": "London", "floor": 3}'})
    message = parse().choices[0].message
    assert message.parsed == Place(city="London", floor=3)
    config = world.google.asked()[0]["generationConfig"]
    assert config["responseMimeType"] == "application/json"
    schema = config["responseJsonSchema"]
    assert set(schema["properties"]) == {"city", "floor"}
    assert "$schema" not in str(schema)


def test_19_an_answer_cut_by_max_tokens_raises_length_finish_reason(world, parse):
    world.google.say({"text": '{"city": "Lon', "finish": "MAX_TOKENS"})
    with pytest.raises(openai.LengthFinishReasonError):
        parse()


def test_20_an_answer_cut_for_safety_raises_content_filter_finish_reason(world, client, parse):
    blocked = response(text('{"city": "L'), finish="SAFETY")
    world.google.say({"responses": [blocked], "times": 2})
    with pytest.raises(openai.ContentFilterFinishReasonError):
        parse()
    choice = client.chat.completions.create(**ASK).choices[0]
    assert choice.finish_reason == "content_filter"
