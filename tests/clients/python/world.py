"""The built program with the stand-in for Google behind it, for one check each.

What the stand-in can be told stands at the top of `src/simulator/script.rs`; its
switches in `src/simulator/state.rs`.
"""

import base64
import json
import os
import pathlib
import subprocess
import tempfile
import urllib.request

PROGRAM = os.environ["GEMINI_PROXY"]

# Gemini 3 wants thought signatures; 2.5 bears no JSON mode beside functions.
MODEL = "gemini-3.5-flash"
MODEL_2 = "gemini-2.5-flash"

# What Google gives for histories that none of its models produced.
SENTINEL = "skip_thought_signature_validator"

USAGE = {
    "promptTokenCount": 11,
    "candidatesTokenCount": 5,
    "thoughtsTokenCount": 2,
    "totalTokenCount": 18,
}


class World:
    """A stand-in, a proxy before it, and the folder that both live in."""

    def __init__(self, **settings):
        self._folder = tempfile.TemporaryDirectory(prefix="gemini-proxy-client-")
        self.google = Google(pathlib.Path(self._folder.name))
        self.proxy = Proxy(self.google, settings)

    @property
    def base_url(self):
        return self.proxy.address + "/v1"

    def close(self):
        self.proxy.stop()
        self.google.process.kill()
        self.google.process.wait()
        self._folder.cleanup()


class Google:
    """`gemini-proxy simulator`."""

    def __init__(self, folder):
        self.folder = folder
        self.process, self.address = start(["simulator", "--port", "0"], folder, {})

    def say(self, *items):
        """What to answer next, one item for a request."""
        self.tell("script", list(items))

    def tell(self, command, body=None):
        data = json.dumps(body or {}).encode()
        return fetch(f"{self.address}/_simulator/{command}", data)

    def recorded(self):
        """All requests for generation, as they came."""
        every = fetch(f"{self.address}/_simulator/requests")
        return [one for one in every if "enerateContent" in one["path"]]

    def asked(self):
        """Each of them: the `GenerateContentRequest` in it."""
        return [json.loads(one["body"])["request"] for one in self.recorded()]


class Proxy:
    """`gemini-proxy serve`, signed in to Code Assist."""

    def __init__(self, google, settings):
        tokens = google.folder / "tokens.json"
        tokens.write_text(json.dumps(google.tell("sign_in")))
        self.google = google
        self.settings = {
            "CODE_ASSIST_ENDPOINT": google.address,
            "GOOGLE_OAUTH_TOKEN_URL": google.address + "/token",
            "PROXY_PORT": "0",
            **settings,
        }
        self.start()

    def start(self):
        self.process, self.address = start(["serve"], self.google.folder, self.settings)

    def stop(self):
        self.process.kill()
        self.process.wait()

    def restart(self):
        """At the same address, with an empty memory."""
        self.stop()
        self.settings["PROXY_PORT"] = self.address.rpartition(":")[2]
        self.start()

    def log(self):
        return (self.google.folder / "serve.log").read_text()


def start(arguments, folder, settings):
    """With no environment but its own. The process, and the address it says first."""
    log = folder / f"{arguments[0]}.log"
    with log.open("a") as stderr:
        process = subprocess.Popen(
            [PROGRAM, *arguments],
            cwd=folder,
            env={"HOME": str(folder), "TMPDIR": str(folder), "NO_BROWSER": "1", **settings},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        )
    address = process.stdout.readline().strip()
    assert address, log.read_text()
    return process, address


def fetch(url, data=None):
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, data, timeout=60) as answer:
        return json.load(answer)


def response(*parts, finish="STOP", **more):
    """One `GenerateContentResponse`, to be the only or the last of an answer."""
    candidate = {"content": {"role": "model", "parts": list(parts)}, "index": 0}
    if finish:
        candidate["finishReason"] = finish
    return {"candidates": [candidate], "usageMetadata": USAGE, **more}


def text(words):
    return {"text": words}


def call(name, args=None, signature=None):
    part = {"functionCall": {"name": name, "args": args or {}}}
    if signature:
        part["thoughtSignature"] = signature
    return part


def signature(name):
    """An opaque value such as Google's are."""
    return base64.b64encode(f"signature {name}".encode()).decode()


def parts(request, kind):
    """The parts of one kind, such as `functionCall`, in all turns of a request."""
    turns = request["contents"]
    return [part for turn in turns for part in turn["parts"] if kind in part]


def signatures(request):
    """Those on the function calls of a request, in order."""
    return [part.get("thoughtSignature") for part in parts(request, "functionCall")]
