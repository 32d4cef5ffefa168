"""Google is silent for a while, then answers: to many clients at once."""

import threading
from concurrent.futures import ThreadPoolExecutor

from world import World, response, text

SECONDS = 20
ANSWER = "At last."


def ask_all(clients):
    """Asks with every client, each in a world of its own; what each was answered.

    `clients` are functions from a base URL to the text of an answer.
    """
    with ThreadPoolExecutor(len(clients)) as pool:
        return {name: pool.submit(ask, client) for name, client in clients.items()}


def ask(client):
    world = World()
    world.google.say({"responses": [response(text(ANSWER))], "hold": "silence"})
    silence = threading.Timer(SECONDS, world.google.tell, ["release", {"gate": "silence"}])
    silence.start()
    try:
        answer = client(world.base_url)
        assert len(world.google.recorded()) == 1
        return answer
    finally:
        silence.cancel()
        world.close()
