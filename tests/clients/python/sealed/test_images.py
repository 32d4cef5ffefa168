"""Images by address. Runs in a network of its own (see `tests/clients/run`), joined to
another one with a server of images at a public address and at that of cloud metadata.
"""

import base64
import http.server
import pathlib
import socket
import subprocess
import sys
import threading

import openai
import pytest

from sealed.internet import CHECKS, METADATA, PNG, PUBLIC, Images, ip
from world import MODEL, parts

INTERNET = pathlib.Path(__file__).with_name("internet.py")


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    """The file of all that the internet was asked for."""
    path = tmp_path_factory.mktemp("internet") / "log"
    with path.open("w") as log:
        internet = subprocess.Popen(
            ["unshare", "--net", sys.executable, INTERNET],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    assert internet.stdout.readline(), path.read_text()
    ip("link set lo up")
    ip("link add here type veth peer name there")
    ip(f"link set there netns {internet.pid}")
    ip("link set here up")
    ip(f"address add {CHECKS}/32 dev here")
    ip(f"route add {PUBLIC} dev here")
    ip(f"route add {METADATA} dev here")
    print(file=internet.stdin, flush=True)
    assert internet.stdout.readline(), path.read_text()
    yield path
    internet.kill()
    internet.wait()


@pytest.fixture
def asked(log):
    """What the internet is asked for from now on."""
    before = len(log.read_text())
    return lambda: log.read_text()[before:].split()


@pytest.fixture
def at_home():
    """A server on this machine, and how often it was connected to."""
    connections = []

    class Home(http.server.ThreadingHTTPServer):
        address_family = socket.AF_INET6  # and with it IPv4

        def verify_request(self, *_):
            connections.append(1)
            return True

    with Home(("::", 80), Images) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield connections
        server.shutdown()


@pytest.fixture
def look(world):
    """Shows the model an image."""
    client = openai.OpenAI(base_url=world.base_url, api_key="any", max_retries=0)

    def look(url):
        image = {"type": "image_url", "image_url": {"url": url}}
        message = {"role": "user", "content": [{"type": "text", "text": "What is it?"}, image]}
        return client.chat.completions.create(model=MODEL, messages=[message])

    return look


@pytest.mark.parametrize("path", ["cat.png", f"to/http://{PUBLIC}/cat.png"])
def test_35_an_image_at_a_public_address_is_fetched(world, asked, look, path):
    assert look(f"http://{PUBLIC}/{path}").choices[0].message.content
    assert asked()[-1] == "/cat.png"
    (request,) = world.google.asked()
    (part,) = parts(request, "inlineData")
    assert part["inlineData"]["mimeType"] == "image/png"
    assert base64.b64decode(part["inlineData"]["data"]) == PNG


INWARD = [
    "http://127.0.0.1/cat.png",
    "http://localhost/cat.png",
    "http://[::1]/cat.png",
    "http://[::ffff:127.0.0.1]/cat.png",
    "http://2130706433/cat.png",
    "http://127.1/cat.png",
    "http://0.0.0.0/cat.png",
    f"http://{CHECKS}/cat.png",
    f"http://{METADATA}/latest/meta-data/",
]


@pytest.mark.parametrize("redirected", [False, True], ids=["directly", "by_redirect"])
@pytest.mark.parametrize("url", INWARD)
def test_35_an_inward_address_is_refused_without_a_connection(
    world, asked, at_home, look, url, redirected
):
    with pytest.raises(openai.BadRequestError) as raised:
        look(f"http://{PUBLIC}/to/{url}" if redirected else url)
    assert raised.value.code == "invalid_image_url"
    assert raised.value.param == "messages[0].content[1].image_url"
    assert asked() == ([f"/to/{url}"] if redirected else [])
    assert at_home == []
    assert world.google.recorded() == []
