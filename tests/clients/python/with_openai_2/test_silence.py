"""The clients that live with openai 2, while Google is silent."""

import instructor
import litellm
import openai
import pytest
from llama_index.core.llms import ChatMessage
from llama_index.llms.openai_like import OpenAILike
from llm.default_plugins.openai_models import Chat

from silence import ANSWER, ask_all
from world import MODEL

MESSAGES = [{"role": "user", "content": "hi"}]


def with_instructor(base_url):
    client = instructor.from_openai(openai.OpenAI(base_url=base_url, api_key="any"))
    answer = client.chat.completions.create(model=MODEL, messages=MESSAGES, response_model=None)
    return answer.choices[0].message.content


def with_litellm(base_url):
    chunks = litellm.completion(
        model=f"openai/{MODEL}", api_base=base_url, api_key="any", messages=MESSAGES, stream=True
    )
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks)


def with_llama_index(base_url):
    model = OpenAILike(model=MODEL, api_base=base_url, api_key="any", is_chat_model=True)
    *_, last = model.stream_chat([ChatMessage(role="user", content="hi")])
    return last.message.content


def with_llm(base_url):
    model = Chat(model_id="gemini", model_name=MODEL, api_base=base_url, key="any")
    return model.prompt("hi").text()


CLIENTS = {
    "instructor": with_instructor,
    "litellm": with_litellm,
    "llama_index": with_llama_index,
    "llm": with_llm,
}


@pytest.fixture(scope="module")
def answers():
    return ask_all(CLIENTS)


@pytest.mark.parametrize("name", CLIENTS)
def test_23_twenty_seconds_of_silence_are_borne(answers, name):
    assert answers[name].result() == ANSWER
