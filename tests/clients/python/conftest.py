"""Gives each check a world of its own, and its log if the check fails."""

import os

import pytest

from world import World

# Nothing here may speak to anyone but this machine.
for name in list(os.environ):
    if name.lower() in ("http_proxy", "https_proxy", "all_proxy"):
        del os.environ[name]
for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID"):
    os.environ.pop(name, None)


@pytest.fixture
def start_world(request):
    """Starts a world with settings of one's choice."""
    worlds = []

    def start(**settings):
        worlds.append(World(**settings))
        return worlds[-1]

    yield start
    for world in worlds:
        failed = getattr(request.node, "failed", False)
        if failed:
            print(world.proxy.log())
        world.close()


@pytest.fixture
def world(start_world):
    return start_world()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    if outcome.get_result().failed:
        item.failed = True
