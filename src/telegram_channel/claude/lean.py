"""Loads the MCP SDK for a stdio server in half the time and half the memory of a plain import.

`import mcp` brings its client, its HTTP server, OAuth, starlette, uvicorn and an HTTP library along, and
builds validators for every message of every revision. A session over stdio needs a fifth of that, and
every Claude Code session, `claude -p` and `claude mcp list` starts a server and waits for it.

Inside `lean_sdk()` three things are different, and all three are put back at its end:

1. The packages `mcp`, `mcp.server` and `mcp.server.lowlevel` are bare: their `__init__` files, which only
   re-export, do not run.
2. The modules that only `Server.streamable_http_app` uses are stand-ins; that method does not work after.
3. pydantic models that are defined meanwhile build their validators when first used (pydantic's
   documented `defer_build`) instead of at once.

For the `serve` process only: nothing else there imports `mcp`, so nobody misses what is left out. It works
with exactly one version of the SDK, the one the plugin is pinned to; with any other it raises, and whoever
calls it imports plainly then. `tests/claude/test_lean.py` says what to look at when the pin is moved.
"""

import importlib.util
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

TESTED_VERSION = "2.3.0"
BARE_PACKAGES = ("mcp", "mcp.server", "mcp.server.lowlevel")
STAND_INS = (
    "mcp.server.auth",
    "mcp.server.auth.middleware",
    "mcp.server.auth.middleware.auth_context",
    "mcp.server.auth.middleware.bearer_auth",
    "mcp.server.auth.provider",
    "mcp.server.auth.routes",
    "mcp.server.auth.settings",
    "mcp.server.streamable_http",
    "mcp.server.streamable_http_manager",
    "mcp.server.transport_security",
    "starlette",
    "starlette.applications",
    "starlette.middleware",
    "starlette.middleware.authentication",
    "starlette.routing",
)


class _StandIn(ModuleType):
    """A module in which every name is an empty class."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (), {})


@contextmanager
def lean_sdk(
    version: str = TESTED_VERSION,
    bare_packages: Sequence[str] = BARE_PACKAGES,
    stand_ins: Sequence[str] = STAND_INS,
) -> Iterator[None]:
    """Import what a stdio server needs of the SDK inside this context, and only once per process.

    Raises:
        ImportError: the SDK was loaded before, is not the `version` this was tested with, or is not laid
            out as expected. Nothing was changed then.
    """
    if "mcp" in sys.modules or "starlette" in sys.modules:
        raise ImportError("the SDK is loaded already")
    paths = _places(version)
    import pydantic

    config = pydantic.BaseModel.model_config
    before = set(sys.modules)
    try:
        _place_bare_packages(bare_packages, paths)
        for name in stand_ins:
            sys.modules[name] = _StandIn(name)
        pydantic.BaseModel.model_config = {**config, "defer_build": True}
        yield
    except BaseException:
        # Whoever loaded any of it holds on to stand-ins: it has to be loaded again, too.
        for name in set(sys.modules) - before:
            if name.partition(".")[0] in ("mcp", "mcp_types", "telegram_channel"):
                del sys.modules[name]
        raise
    finally:
        pydantic.BaseModel.model_config = config
        for name in stand_ins:
            sys.modules.pop(name, None)


def _places(version: str) -> list[str]:
    """Where the package `mcp` of exactly this version lies."""
    spec = importlib.util.find_spec("mcp")
    if spec is None or not spec.submodule_search_locations:
        raise ImportError("there is no package mcp")
    paths = list(spec.submodule_search_locations)
    # What pip and uv write beside it; asking importlib.metadata would cost more than this file saves.
    if not Path(paths[0]).with_name(f"mcp-{version}.dist-info").is_dir():
        raise ImportError(f"mcp is not version {version}")
    return paths


def _place_bare_packages(names: Sequence[str], paths: Sequence[str]) -> None:
    for name in names:
        package = ModuleType(name)
        package.__path__ = [path + name.removeprefix("mcp").replace(".", "/") for path in paths]
        sys.modules[name] = package
        parent, _, child = name.rpartition(".")
        if parent:
            setattr(sys.modules[parent], child, package)
