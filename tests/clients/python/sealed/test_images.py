"""Images by address. Runs in a network of its own, whose only interface has a
public address, that of cloud metadata, and loopback; see `tests/clients/run`.
"""

import base64
import http.server
import threading

import openai
import pytest

from world import MODEL, parts

PUBLIC = "1.2.3.4"
METADATA = "169.254.169.254"
LOOPBACK = "127.0.0.1"

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


class Images(http.server.ThreadingHTTPServer):
    """Serves one image, and redirects `/to/…` to the rest of the path."""

    def __init__(self, host):
        self.asked = []
        super().__init__((host, 80), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.asked.append(self.path)
        if self.path.startswith("/to/"):
            self.send_response(302)
            self.send_header("Location", self.path.removeprefix("/to/"))
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(200)
        self.send_header("Content-Type", "image/png")
        self.send_header("Content-Length", str(len(PNG)))
        self.end_headers()
        self.wfile.write(PNG)

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def servers():
    servers = {host: Images(host) for host in (PUBLIC, METADATA, LOOPBACK)}
    yield servers
    for server in servers.values():
        server.shutdown()
        server.server_close()


@pytest.fixture
def look(world, servers):
    """Shows the model an image."""
    for server in servers.values():
        server.asked.clear()
    client = openai.OpenAI(base_url=world.base_url, api_key="any", max_retries=0)

    def look(url):
        image = {"type": "image_url", "image_url": {"url": url}}
        message = {"role": "user", "content": [{"type": "text", "text": "What is it?"}, image]}
        return client.chat.completions.create(model=MODEL, messages=[message])

    return look


def test_35_an_image_at_a_public_address_is_fetched(world, servers, look):
    assert look(f"http://{PUBLIC}/cat.png").choices[0].message.content
    look(f"http://{PUBLIC}/to/http://{PUBLIC}/cat.png")
    assert servers[PUBLIC].asked[0] == "/cat.png"
    for request in world.google.asked():
        (part,) = parts(request, "inlineData")
        assert part["inlineData"]["mimeType"] == "image/png"
        assert base64.b64decode(part["inlineData"]["data"]) == PNG


INWARD = [
    f"http://{LOOPBACK}/cat.png",
    "http://localhost/cat.png",
    "http://[::ffff:127.0.0.1]/cat.png",
    "http://2130706433/cat.png",
    "http://127.1/cat.png",
    "http://0.0.0.0/cat.png",
    f"http://{METADATA}/latest/meta-data/",
]


@pytest.mark.parametrize("redirected", [False, True], ids=["directly", "by_redirect"])
@pytest.mark.parametrize("url", INWARD)
def test_35_an_inward_address_is_refused_without_a_connection(
    world, servers, look, url, redirected
):
    with pytest.raises(openai.BadRequestError) as raised:
        look(f"http://{PUBLIC}/to/{url}" if redirected else url)
    assert raised.value.code == "invalid_image_url"
    assert raised.value.param == "messages[0].content[1].image_url"
    assert len(servers[PUBLIC].asked) == redirected
    assert servers[LOOPBACK].asked == servers[METADATA].asked == []
    assert world.google.recorded() == []
