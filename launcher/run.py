"""Runs `telegram-channel` in an environment of the plugin's own, which it makes once and never changes.

    python -I -S run.py DATA COMMAND [ARGUMENT ...]

It needs `uv`, and the network the first time. The environment lies below DATA, a directory that outlives
updates of the plugin, under a name that belongs to exactly these requirements: an update with other ones
makes another, while sessions that run go on with theirs. It is made beside its place and then moved there,
so what stands there is whole, however many sessions start at once. Later starts look whether it is there,
and nothing else: no network, no lock, no writing, also where the plugin's own directory is read-only.

Only the standard library, because nothing else is there yet, and little of it, because every start pays.
Nothing is ever written to stdout, which belongs to the protocol.
"""

import os
import sys
import zlib
from pathlib import Path

HERE = Path(__file__).resolve().parent
SOURCES = HERE.parent / "src"
REQUIREMENTS = HERE / "requirements.txt"
INSIDE = "--inside"
"""Says that the interpreter is already the one of the environment."""
PREFIX = "env-"
KEPT = 3
"""How many environments stay, so that sessions of older versions keep theirs."""
STALE_S = 3600
"""An unfinished environment of this age was given up."""
NOT_FOR_UV = ("VIRTUAL_ENV", "CONDA_PREFIX", "UV_PYTHON", "UV_SYSTEM_PYTHON", "UV_PROJECT_ENVIRONMENT")
"""Variables by which the operator's own project would choose the Python."""


class NotMade(Exception):
    """The environment could not be made; the text says why, for the operator."""


def main(arguments: list[str]) -> int:
    """Run the command; returns its exit code, unless this process becomes the command."""
    inside = arguments[:1] == [INSIDE]
    if inside:
        del arguments[0]
    if len(arguments) < 2:
        return _failed("usage: run.py DATA COMMAND [ARGUMENT ...]")
    data = Path(arguments[0]).absolute()
    if inside:
        return _run(data, arguments[1:])
    python = _python_of(data / environment_name())
    if not python.exists():
        try:
            make(data)
        except (NotMade, OSError) as fault:
            return _failed(f"the environment below {data} could not be made: {fault}")
    command = [str(python), "-I", str(HERE / "run.py"), INSIDE, *arguments]
    if sys.platform == "win32":  # there a process cannot become another one
        import subprocess

        return subprocess.call(command)
    os.execv(command[0], command)  # noqa: S606 - a list, and no shell in sight
    return 0


def environment_name() -> str:
    """The name that belongs to the requirements."""
    return f"{PREFIX}{zlib.crc32(REQUIREMENTS.read_bytes()):08x}"


def make(data: Path) -> None:
    """Make the environment and put it in its place, unless somebody else is faster.

    Raises:
        NotMade: uv is missing, or it failed.
        OSError: there is no room, or no permission.
    """
    import shutil

    uv = os.environ.get("UV") or shutil.which("uv")
    if not uv:
        raise NotMade("uv was not found; install it (https://docs.astral.sh/uv) and start again.")
    sys.stderr.write("telegram-channel: making the environment; this happens once and needs the network.\n")
    data.mkdir(parents=True, exist_ok=True)
    _tidy(data)
    environment = data / environment_name()
    unfinished = data / f".{environment.name}.{os.getpid()}"
    try:
        _uv(uv, data, "venv", "--python", ">=3.11", str(unfinished))
        hashed = ("--require-hashes", "--only-binary", ":all:", "--compile-bytecode", "-r", str(REQUIREMENTS))
        _uv(uv, data, "pip", "install", "--python", str(_python_of(unfinished)), *hashed)
        _put(unfinished, environment)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _uv(uv: str, data: Path, *arguments: str) -> None:
    """Run uv where no project of the operator's is in sight."""
    import subprocess

    done = subprocess.run(
        [uv, *arguments, "--quiet", "--no-progress"],
        cwd=data,
        # uv and whatever it builds have no business with the bot's token either.
        env={
            key: value
            for key, value in os.environ.items()
            if key not in NOT_FOR_UV and not key.startswith("TELEGRAM_")
        },
        stdin=subprocess.DEVNULL,
        stdout=sys.stderr,
        check=False,
    )
    if done.returncode:
        raise NotMade(f"`uv {arguments[0]}` failed. It needs the network this one time; then start again.")


def _put(unfinished: Path, environment: Path) -> None:
    """Move a finished environment to its place."""
    import shutil

    if environment.exists() and not _python_of(environment).exists():
        # The Python it was made from is gone.
        broken = unfinished.with_name(f"{unfinished.name}.broken")
        environment.replace(broken)
        shutil.rmtree(broken, ignore_errors=True)
    try:
        unfinished.rename(environment)
    except OSError:
        if not _python_of(environment).exists():
            raise


def _tidy(data: Path) -> None:
    """Remove what was given up, and the oldest environments."""
    import shutil
    import time

    for left in data.glob(f".{PREFIX}*"):
        if time.time() - left.stat().st_mtime > STALE_S:
            shutil.rmtree(left, ignore_errors=True)
    finished = sorted(data.glob(f"{PREFIX}*"), key=lambda one: one.stat().st_mtime, reverse=True)
    for old in finished[KEPT - 1 :]:
        shutil.rmtree(old, ignore_errors=True)


def _python_of(environment: Path) -> Path:
    return environment / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")


def _run(data: Path, arguments: list[str]) -> int:
    """The program itself: this interpreter has everything it needs."""
    if not os.access(SOURCES, os.W_OK):
        # Compiled files could not be kept beside the sources, and would be made again at every start.
        sys.pycache_prefix = str(data / "pycache")
    sys.path.insert(0, str(SOURCES))
    sys.argv = ["telegram-channel", *arguments]
    from telegram_channel.__main__ import main as run

    return run()


def _failed(sentence: str) -> int:
    sys.stderr.write(f"telegram-channel: {sentence}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
