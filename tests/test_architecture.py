"""The house rules that a machine can check: who may import whom, and what the core may never touch."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "src" / "telegram_channel"
ROOMS = ("core", "bridge", "tg", "claude", "storage", "cli", "demo")

# Which parts of the package a room may import, and which third-party packages.
MAY_IMPORT = {
    "core": {"errors", "core"},
    "bridge": {"errors", "core", "ports", "bridge"},
    "tg": {"errors", "core", "ports", "tg"},
    "claude": {"errors", "core", "ports", "claude"},
    "storage": {"errors", "core", "ports", "storage"},
}
THIRD_PARTY = {
    "core": set(),
    "bridge": set(),
    "tg": {"telegram", "telegramify_markdown", "pyromark", "httpx"},
    "claude": {"mcp", "mcp_types", "anyio", "pydantic", "psutil"},
    "storage": {"filelock"},
}
ONLY_IN = {
    "psutil": {"claude/launch.py"},
    "filelock": {"storage/lease.py"},
}
NEVER_IN_CORE = {"asyncio", "os", "time", "random", "secrets", "logging", "sqlite3", "socket", "subprocess"}
NEVER_IN_BRIDGE = {"sqlite3", "socket", "subprocess"}
STANDARD = sys.stdlib_module_names
LONGEST_MODULE = 400
LONGEST_FUNCTION = 80


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def name_of(module: Path) -> str:
    return module.relative_to(PACKAGE).as_posix()


def imports(module: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(module.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name_of(module)} uses a relative import"
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def package_parts(module: Path) -> set[str]:
    """The rooms and top-level modules of this package that a module imports."""
    return {name.split(".")[1] for name in imports(module) if name.startswith("telegram_channel.")}


def third_party(module: Path) -> set[str]:
    roots = {name.split(".")[0] for name in imports(module)}
    return {root for root in roots if root not in STANDARD and root != "telegram_channel"}


@pytest.mark.parametrize("module", modules(), ids=name_of)
def test_arrows_point_inward(module: Path) -> None:
    """MUST H1: rooms import only what the house allows."""
    room = name_of(module).split("/")[0]
    if room in MAY_IMPORT:
        assert package_parts(module) <= MAY_IMPORT[room]
        assert third_party(module) <= THIRD_PARTY[room]
    elif room == "ports":
        assert package_parts(module) <= {"errors", "core", "ports"}
    elif room == "errors.py":
        assert not package_parts(module)


@pytest.mark.parametrize("module", modules(), ids=name_of)
def test_the_core_and_the_flows_touch_nothing_outside(module: Path) -> None:
    roots = {name.split(".")[0] for name in imports(module)}
    room = name_of(module).split("/")[0]
    if room == "core":
        assert not roots & NEVER_IN_CORE
        assert "datetime.now" not in module.read_text("utf-8")
    if room == "bridge":
        assert not roots & NEVER_IN_BRIDGE


@pytest.mark.parametrize("module", modules(), ids=name_of)
def test_a_foreign_package_has_one_door(module: Path) -> None:
    name = name_of(module)
    for package, doors in ONLY_IN.items():
        if package in third_party(module):
            assert name in doors
    if "telegram" in third_party(module):
        assert name.startswith("tg/")
    assert not any(found.startswith("telegram.ext") for found in imports(module))
    if "mcp" in third_party(module) or "mcp_types" in third_party(module):
        assert name.startswith(("claude/", "demo/"))


@pytest.mark.parametrize("module", modules(), ids=name_of)
def test_a_module_can_be_read_in_one_sitting(module: Path) -> None:
    text = module.read_text("utf-8")
    tree = ast.parse(text)
    if text.strip():
        assert ast.get_docstring(tree), "the first sentence says which rule the module holds"
    assert text.count("\n") <= LONGEST_MODULE
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            length = node.end_lineno - node.lineno + 1
            assert length <= LONGEST_FUNCTION, f"{node.name} has {length} lines"


def test_no_module_has_a_name_that_explains_nothing() -> None:
    stems = {part for module in modules() for part in module.relative_to(PACKAGE).with_suffix("").parts}
    assert not stems & {"utils", "util", "helpers", "helper", "manager", "common", "misc"}


def test_public_definitions_say_what_they_do() -> None:
    silent = [
        f"{name_of(module)}:{node.name}"
        for module in modules()
        for node in ast.parse(module.read_text("utf-8")).body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        and not (node.name.startswith("_") or ast.get_docstring(node))
    ]
    assert silent == []
