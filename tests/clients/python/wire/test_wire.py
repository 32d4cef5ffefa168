"""curl and bare HTTP: what no SDK sends, and the bytes that SDKs hide."""

import http.client
import json
import subprocess

import pytest

from silence import ANSWER, ask_all
from world import MODEL, parts

HI = {"model": MODEL, "messages": [{"role": "user", "content": "hi"}]}
FIND = {"type": "function", "function": {"name": "find"}}


def curl(world, body, *options):
    """The status, and the body as JSON."""
    done = subprocess.run(
        ["curl", "--silent", "--show-error", "--noproxy", "*", "--max-time", "60"]
        + ["--write-out", "\n%{http_code}", "--header", "Content-Type: application/json"]
        + ["--data-binary", "@-", *options, f"{world.base_url}/chat/completions"],
        input=body,
        capture_output=True,
        timeout=70,
    )
    assert done.returncode == 0, done.stderr
    answer, _, status = done.stdout.rpartition(b"\n")
    return int(status), json.loads(answer)


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b'{"model":', 400, "invalid_json"),
        (b"[]", 400, "invalid_json"),
        (b'{"x":"' + b"y" * (40 << 20) + b'"}', 413, "request_too_large"),
    ],
    ids=["cut", "no_object", "40_MiB"],
)
def test_30_a_bad_body_is_refused_in_openais_envelope(world, body, status, code):
    answered, answer = curl(world, body)
    assert (answered, answer["error"]["code"]) == (status, code)
    assert set(answer["error"]) == {"message", "type", "param", "code"}
    assert answer["error"]["type"] == "invalid_request_error"
    assert answer["error"]["message"]


@pytest.mark.parametrize("header", ["Transfer-Encoding: chunked", "Expect: 100-continue"])
def test_30_a_body_may_come_in_chunks_or_when_told_to(world, header):
    status, answer = curl(world, json.dumps(HI).encode(), "--header", header)
    assert status == 200
    assert answer["choices"][0]["message"]["content"]


def chat(world, messages, **more):
    body = {"model": MODEL, "messages": messages, **more}
    status, answer = curl(world, json.dumps(body).encode())
    assert status == 200, answer
    return world.google.asked()[-1]["contents"]


def called(*ids):
    calls = [
        {"id": id, "type": "function", "function": {"name": "find", "arguments": "{}"}}
        for id in ids
    ]
    return {"role": "assistant", "content": None, "tool_calls": calls}


def found(id):
    return {"role": "tool", "tool_call_id": id, "content": f"result of {id}"}


def test_32_results_that_are_late_missing_or_interrupted_are_put_in_order(world):
    messages = [
        {"role": "user", "content": "Find three."},
        called("call_a", "call_b", "call_c"),
        found("call_c"),
        {"role": "user", "content": "Hurry up."},
        found("call_a"),
    ]
    contents = chat(world, messages, tools=[FIND])
    assert [turn["role"] for turn in contents] == ["user", "model", "user"]
    answers = parts({"contents": contents}, "functionResponse")
    outputs = [part["functionResponse"]["response"]["output"] for part in answers]
    assert outputs == ["result of call_a", "(no result)", "result of call_c"]
    # The results first; what the user said comes after them.
    assert contents[-1]["parts"][:3] == answers
    assert contents[-1]["parts"][3:] == [{"text": "Hurry up."}]


SYSTEM = {"role": "system", "content": "Be brief."}
USER = {"role": "user", "content": "hi"}
ASSISTANT = {"role": "assistant", "content": "Hello."}


@pytest.mark.parametrize(
    "messages",
    [
        [SYSTEM],
        [ASSISTANT, USER],
        [USER, ASSISTANT],
        [{**USER, "content": ""}],
        [{**SYSTEM, "content": ""}, USER, {**ASSISTANT, "content": ""}, {**USER, "content": ""}],
    ],
    ids=["only_system", "assistant_first", "assistant_last", "empty", "all_empty"],
)
def test_33_odd_histories_are_answered(world, messages):
    contents = chat(world, messages)
    roles = [turn["role"] for turn in contents]
    assert roles[0] == roles[-1] == "user"
    assert all(before != after for before, after in zip(roles, roles[1:], strict=False))


def comments(base_url):
    """The lines of a stream that are no data, and the text in those that are."""
    host = base_url.removeprefix("http://").removesuffix("/v1")
    connection = http.client.HTTPConnection(host, timeout=60)
    connection.request("POST", "/v1/chat/completions", json.dumps({**HI, "stream": True}))
    lines = connection.getresponse().read().decode().split("\n")
    others = [line for line in lines if line and not line.startswith("data: ")]
    chunks = [line.removeprefix("data: ") for line in lines if line.startswith("data: {")]
    deltas = [json.loads(chunk)["choices"][0]["delta"] for chunk in chunks]
    return others, "".join(delta.get("content") or "" for delta in deltas)


def test_23_silence_is_filled_with_comments_on_the_wire():
    others, words = ask_all({"wire": comments})["wire"].result()
    assert words == ANSWER
    assert others and all(line.startswith(":") for line in others)
