"""The command `llm`, with a model of `extra-openai-models.yaml`."""

import json
import os
import pathlib
import subprocess
import sys

import pytest
import yaml

from world import MODEL, call, parts, response, signature, signatures

FUNCTIONS = "def find(who: str) -> str:\n    return f'{who} is in London'\n"


@pytest.fixture
def llm(world, tmp_path):
    """Runs the command and returns what it prints."""
    model = {
        "model_id": "gemini",
        "model_name": MODEL,
        "api_base": world.base_url,
        "api_key_name": "any",
        "supports_tools": True,
        "supports_schema": True,
    }
    (tmp_path / "extra-openai-models.yaml").write_text(yaml.dump([model]))
    command = pathlib.Path(sys.executable).with_name("llm")

    def run(*arguments):
        done = subprocess.run(
            [command, "--model", "gemini", "--key", "any", *arguments],
            env={**os.environ, "LLM_USER_PATH": str(tmp_path)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def test_03_a_stream_keeps_its_text_intact(world, llm):
    world.google.say({"text": "In London, 👩‍👩‍👧 and 東京.", "words": True, "write_size": 1})
    assert llm("Where is Ada?").strip() == "In London, 👩‍👩‍👧 and 東京."


@pytest.mark.parametrize("options", [(), ("--no-stream",)], ids=["streamed", "whole"])
def test_12_a_chain_of_functions_brings_the_thought_signature_back(world, llm, options):
    signed = signature("of the first call")
    world.google.say(
        {"responses": [response(call("find", {"who": "Ada"}, signed))]}, {"text": "London."}
    )
    assert llm("--functions", FUNCTIONS, *options, "Where is Ada?").strip() == "London."
    second = world.google.asked()[1]
    assert signatures(second) == [signed]
    (result,) = parts(second, "functionResponse")
    assert result["functionResponse"]["response"] == {"output": "Ada is in London"}


def test_16_a_schema_reaches_google(world, llm):
    place = {"city": "London", "floor": 3}
    world.google.say({"text": json.dumps(place)})
    assert json.loads(llm("--schema", "city, floor int", "Where is Ada?")) == place
    config = world.google.asked()[0]["generationConfig"]
    assert set(config["responseJsonSchema"]["properties"]) == set(place)
