"""Python programs as child processes that use the client."""

import os
import pathlib
import subprocess
import sys

SOURCE = pathlib.Path(__file__).parents[2] / "clients" / "python" / "src"
ENDS_WITHIN_S = 60


def start(program, *arguments, **options):
    """Starts a program given as text. Its standard streams are pipes."""
    environment = {**os.environ, "PYTHONPATH": str(SOURCE), "PYTHONWARNINGS": "ignore"}
    command = [sys.executable, "-c", program, *map(str, arguments)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, env=environment, **{**pipes, **options})


def output(program, *arguments, **options):
    """Runs a program to its end and returns what it printed; fails if it failed."""
    child = start(program, *arguments, stderr=subprocess.PIPE, **options)
    told, errors = child.communicate(timeout=ENDS_WITHIN_S)
    assert child.returncode == 0, errors
    return told
