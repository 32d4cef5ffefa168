"""instructor, in the modes that OpenAI-compatible servers are used with."""

import instructor
import openai
import pytest
from instructor import Mode
from pydantic import BaseModel

from world import MODEL


class Place(BaseModel):
    """Where someone is."""

    city: str


# What each mode asks for, and so what a model answers.
CALL = {"calls": [{"name": "Place", "args": {"city": "London"}}]}
BARE = {"text": '{"city": "London"}'}
FENCED = {"text": 'Here it is:\n```json\n{"city": "London"}\n```'}
ANSWERS = {
    Mode.TOOLS: CALL,
    Mode.TOOLS_STRICT: CALL,
    Mode.JSON: BARE,
    Mode.JSON_SCHEMA: BARE,
    Mode.MD_JSON: FENCED,
}


@pytest.mark.parametrize("mode", ANSWERS, ids=lambda mode: mode.name)
def test_17_every_mode_gives_an_instance(world, mode):
    world.google.say(ANSWERS[mode])
    client = instructor.from_openai(
        openai.OpenAI(base_url=world.base_url, api_key="any"), mode=mode
    )
    place = client.chat.completions.create(
        model=MODEL,
        messages=[{"role": "user", "content": "Where is Ada?"}],
        response_model=Place,
        max_retries=0,
    )
    assert isinstance(place, Place)
    assert place.city == "London"
    (request,) = world.google.asked()
    config = request.get("generationConfig", {})
    if ANSWERS[mode] is CALL:
        calling = request["toolConfig"]["functionCallingConfig"]
        assert calling == {"mode": "ANY", "allowedFunctionNames": ["Place"]}
    elif mode is Mode.JSON_SCHEMA:
        assert set(config["responseJsonSchema"]["properties"]) == {"city"}
    elif mode is Mode.JSON:
        assert config["responseMimeType"] == "application/json"
