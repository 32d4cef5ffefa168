"""The README's table of clients, against the pins and the checks; and its examples."""

import json
import pathlib
import re
import subprocess
import sys

import pytest

CLIENTS = pathlib.Path(__file__).parents[2]
README = (CLIENTS / "../../README.md").resolve().read_text()

# What a check of this number is about. Silence (23) is said of all, and what
# bare HTTP shows (30, 32, 33) of none.
SUBJECTS = {
    "answers": {1, 2},
    "streams": {3, 4, 5, 36},
    "usage": {6, 7, 8, 9},
    "functions": {10, 11, 12, 13, 14, 15, 31},
    "JSON": {16, 17, 18, 19},
    "media": {34, 35},
    "failures": {20, 21, 22, 24, 25, 26, 27, 28, 29},
    "Responses": {37, 38, 39, 40},
}
SILENCE = 23

# Each client's packages, its checks, and how it is called where silence is checked.
ROWS = {
    "OpenAI SDK for Python": (["openai"], ["openai_sdk/test_*.py", "sealed/test_*.py"], "openai"),
    "OpenAI SDK for Node": (["openai"], ["openai*.test.mjs"], '"openai"'),
    "OpenAI Agents SDK for Python": (["openai-agents"], ["*/test_agents_sdk.py"], "agents"),
    "OpenAI Agents SDK for JavaScript": (["@openai/agents"], ["agents.test.mjs"], "@openai/agents"),
    "LangChain for Python": (
        ["langchain", "langchain-openai"],
        ["*/test_langchain.py"],
        "langchain_openai",
    ),
    "LangChain for JavaScript": (
        ["@langchain/core", "@langchain/openai"],
        ["langchain.test.mjs"],
        "@langchain/openai",
    ),
    "AI SDK": (
        ["ai", "@ai-sdk/openai", "@ai-sdk/openai-compatible"],
        ["ai-sdk*.test.mjs"],
        "@ai-sdk/openai-compatible",
    ),
    "Codex": (["@openai/codex"], ["codex.test.mjs"], "twenty seconds of silence"),
    "Pydantic AI": (["pydantic-ai-slim"], ["*/test_pydantic_ai.py"], "pydantic_ai"),
    "instructor": (["instructor"], ["*/test_instructor.py"], "instructor"),
    "LiteLLM": (["litellm"], ["*/test_litellm.py"], "litellm"),
    "LlamaIndex": (["llama-index-llms-openai-like"], ["*/test_llama_index.py"], "openai_like"),
    "llm": (["llm"], ["*/test_llm.py"], "llm.default_plugins"),
}


def table():
    """Of each client: the versions, and what is checked."""
    _, section = README.split("### Clients known to work\n")
    lines = [line for line in section.split("\n## ")[0].splitlines() if line.startswith("| ")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]
    return {client: (versions, checked) for client, versions, checked in cells}


def python_pins():
    """The clients' own pins: the first paragraph of each file."""
    for path in sorted(CLIENTS.glob("python/openai-*.txt"), reverse=True):
        for line in path.read_text().split("\n\n")[0].splitlines():
            if not line.startswith("#"):
                name, version = re.fullmatch(r"([\w-]+)(?:\[\w+\])?==([\w.]+)", line).groups()
                yield name, version


def node_pins():
    pins = json.loads((CLIENTS / "node/package.json").read_text())["dependencies"]
    # The language that all of them take schemas in; no client.
    return [pin for pin in pins.items() if pin[0] != "zod"]


def numbers(patterns):
    paths = [path for pattern in patterns for path in CLIENTS.glob(f"*/{pattern}")]
    assert paths
    names = [re.findall(r"(?:def test_|test\([\"`])(\d\d)", path.read_text()) for path in paths]
    return {int(number) for found in names for number in found} - {SILENCE}


@pytest.mark.parametrize("client", ROWS)
def test_the_versions_are_those_pinned(client):
    packages, checks, _ = ROWS[client]
    pins = list(node_pins() if checks[0].endswith(".mjs") else python_pins())
    versions = {name: [found for own, found in pins if own == name] for name in packages}
    shown = ", ".join(f"`{name}` {', '.join(versions[name])}" for name in packages)
    assert table()[client][0] == shown


@pytest.mark.parametrize("client", ROWS)
def test_what_is_said_to_be_checked_is_checked(client):
    _, checks, spelling = ROWS[client]
    found = numbers(checks)
    subjects = [subject for subject, its in SUBJECTS.items() if its & found]
    assert table()[client][1] == ", ".join(subjects)
    silent = ["node/silence.test.mjs", "node/codex.test.mjs"]
    if not checks[0].endswith(".mjs"):
        silent = ["python/*/test_silence.py"]
    paths = [path for pattern in silent for path in CLIENTS.glob(pattern)]
    assert any(spelling in path.read_text() for path in paths)


def test_every_pin_has_a_row_and_every_row_a_client():
    assert list(table()) == list(ROWS)
    pinned = {name for name, _ in [*python_pins(), *node_pins()]}
    assert pinned == {name for packages, _, _ in ROWS.values() for name in packages}


def test_every_number_has_a_check():
    found = numbers(["*/test_*.py", "*.test.mjs"]) | {SILENCE}
    assert found == set(range(1, 41))


@pytest.mark.parametrize("name", ["agent.py", "agent.mjs", "ai.mjs"])
def test_an_example_runs_as_it_stands(world, name, tmp_path):
    (example,) = re.findall(rf"```\w+ {re.escape(name)}\n(.*?)```", README, re.DOTALL)
    assert "http://127.0.0.1:3000/v1" in example
    path = tmp_path / name
    path.write_text(example.replace("http://127.0.0.1:3000/v1", world.base_url))
    interpreter = sys.executable
    if name.endswith(".mjs"):
        # Where a module stands says where its packages are.
        (tmp_path / "node_modules").symlink_to(CLIENTS / "node/node_modules")
        interpreter = "node"
    ran = subprocess.run([interpreter, path], capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0, ran.stderr
    assert "The tool get_weather answered: “It is sunny in " in ran.stdout
    assert [one["status"] for one in world.google.recorded()] == [200, 200]
