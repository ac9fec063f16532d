"""`t2s ui`: Dagster's webserver and daemon on the instance of the data root, as one process to stop."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import IO
from urllib.error import URLError
from urllib.request import urlopen

from t2s_pipeline.assets.instance import dagster_home, instance_at
from t2s_pipeline.assets.liveness import settle_dead_runs
from t2s_pipeline.errors import T2SError
from t2s_pipeline.llm.budget import process_scope
from t2s_pipeline.settings import DataPaths, Settings

HOST = "127.0.0.1"
"""Anyone who reaches the UI can start runs, so only this machine can."""

_STOP_S = 20.0
"""Time for Dagster's processes to end before they are killed."""
_POLL_S = 0.5


def serve(settings: Settings, *, port: int, ready: Callable[[str], None]) -> int:
    """Serve the UI until it is interrupted or ends; `ready` gets the address once it answers.

    Returns the exit code: 0 when a person stopped it.

    Raises:
        T2SError: the port is taken, or Dagster ended by itself.
    """
    paths = DataPaths(settings.data)
    _require_free(port)
    home = dagster_home(paths)
    with instance_at(paths) as instance:
        settle_dead_runs(instance, paths, now=datetime.now(tz=UTC))
    log = home / "ui.log"
    with _interruptible(), log.open("wb") as output:
        dagster = _start(settings, paths, home, port, output)
        try:
            address = f"http://{HOST}:{port}"
            while dagster.poll() is None and not _answers(address):
                time.sleep(_POLL_S)
            if dagster.poll() is None:
                ready(address)
            dagster.wait()
        except KeyboardInterrupt:
            return 0
        finally:
            _stop(dagster)
    raise T2SError(f"Dagster ended with code {dagster.returncode}; the reason is at the end of {log}.")


def _start(
    settings: Settings, paths: DataPaths, home: Path, port: int, output: IO[bytes]
) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "dagster", "dev", "--host", HOST, "--port", str(port)]
    command += ["--workspace", str(home / "workspace.yaml"), "--log-level", "warning"]
    # A session of its own: Ctrl-C reaches this process only, which then stops the others in order.
    return subprocess.Popen(
        command,
        env=dagster_environment(settings, paths, home),
        cwd=home,
        stdout=output,
        stderr=output,
        start_new_session=True,
    )


def dagster_environment(settings: Settings, paths: DataPaths, home: Path) -> dict[str, str]:
    """What the processes of Dagster are told: this data root, this engine, and one budget."""
    return {
        # Every run is a process of its own; together they spend one budget for as long as the UI is open.
        "T2S_BUDGET_SCOPE": process_scope(),
        **os.environ,
        "DAGSTER_HOME": str(home),
        "T2S_DATA": str(paths.root),
        "T2S_ENGINE": settings.engine,
        "PYTHONWARNINGS": "ignore",
    }


@contextmanager
def _interruptible() -> Iterator[None]:
    """Have SIGINT and SIGTERM raise KeyboardInterrupt here, and end programs started meanwhile: a shell
    that starts us in the background would otherwise have both ignore SIGINT.
    """
    before = {
        name: signal.signal(name, signal.default_int_handler) for name in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)


def _stop(dagster: subprocess.Popen[bytes]) -> None:
    """Stop Dagster and everything it started."""
    if dagster.poll() is None:
        dagster.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired, KeyboardInterrupt):
            dagster.wait(timeout=_STOP_S)
    with suppress(ProcessLookupError):
        os.killpg(dagster.pid, signal.SIGKILL)


def _require_free(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise T2SError(
                f"Port {port} cannot be used ({error.strerror}); choose another one with --port."
            ) from error


def _answers(address: str) -> bool:
    try:
        with urlopen(f"{address}/server_info", timeout=2) as reply:
            return bool(reply.status == 200)
    except (URLError, OSError):
        return False
