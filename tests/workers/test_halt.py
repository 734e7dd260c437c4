"""Ctrl-Z halts a run with its lanes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

_CODE = """
import subprocess, sys
from pipeline.workers.halt import halted_together
other = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, process_group=0)
with other, halted_together(lambda: [other.pid]):
    print(other.pid, flush=True)
    sys.stdin.readline()
    other.stdin.write(b"it goes on\\n")
    other.stdin.flush()
    print(other.stdout.readline().decode(), end="", flush=True)
    other.stdin.close()
"""


def test_others_halt_with_a_process_and_go_on_with_it() -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", _CODE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, process_group=0
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        other = int(process.stdout.readline())
        for _ in range(2):
            process.send_signal(signal.SIGTSTP)
            os.waitid(os.P_PID, process.pid, os.WSTOPPED)
            while _state(other) != "T":
                os.sched_yield()  # the signal was sent before, and comes when it does
            process.send_signal(signal.SIGCONT)
            os.waitid(os.P_PID, process.pid, os.WCONTINUED)
        said, _ = process.communicate("\n", timeout=60)
    finally:
        process.kill()
        process.communicate()
    assert said == "it goes on\n"


def _state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
