"""OpenAI's SDK, major versions 3 and 2, while Google is silent."""

import openai
import pytest

from silence import ANSWER, ask_all
from world import MODEL

HI = {"model": MODEL, "messages": [{"role": "user", "content": "hi"}]}


def whole(base_url):
    client = openai.OpenAI(base_url=base_url, api_key="any")
    return client.chat.completions.create(**HI).choices[0].message.content


def streamed(base_url):
    client = openai.OpenAI(base_url=base_url, api_key="any")
    chunks = client.chat.completions.create(**HI, stream=True)
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks)


def responses(base_url):
    client = openai.OpenAI(base_url=base_url, api_key="any")
    with client.responses.stream(model=MODEL, input="hi") as stream:
        return stream.get_final_response().output_text


CLIENTS = {"whole": whole, "streamed": streamed, "responses": responses}


@pytest.fixture(scope="module")
def answers():
    return ask_all(CLIENTS)


@pytest.mark.parametrize("name", CLIENTS)
def test_23_twenty_seconds_of_silence_are_borne(answers, name):
    assert answers[name].result() == ANSWER
