import openai
import pytest


@pytest.fixture
def client(world):
    return openai.OpenAI(base_url=world.base_url, api_key="any")
