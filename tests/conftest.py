"""What holds for every test: none of the developer's surroundings reach it, and in CI no test is skipped unseen."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import time
from collections.abc import Generator

import pytest
from hypothesis import HealthCheck, settings

from pipeline.workers import process
from tests import buckets

_UNWANTED = ("PYTHON", "PIPELINE_", "XDG_", "COVERAGE_", "GIT_", "AWS_", "AZURE_", "GOOGLE_")  # prefixes
_UNWANTED_NAMES = {"COLUMNS", "LINES", "FORCE_COLOR", "NO_COLOR", "CLICOLOR_FORCE", "LANGUAGE", "TQDM_DISABLE"}

settings.register_profile(  # nothing depends on time: the machine may be busy
    "pipeline",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize="CI" in os.environ,
    print_blob=True,
)
settings.load_profile("pipeline")


def pytest_configure(config: pytest.Config) -> None:
    """Before anything is collected: a home of our own, one locale, one time zone, one umask."""
    for name in list(os.environ):
        if name.startswith(_UNWANTED) or name in _UNWANTED_NAMES or name.lower().endswith("_proxy"):
            del os.environ[name]
    os.environ.update(HOME=tempfile.mkdtemp(prefix="pipeline-home-"), LC_ALL="C.UTF-8", TZ="UTC", TERM="dumb")
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGUSR1):
        if signal.getsignal(number) is signal.SIG_IGN:  # as a shell's background jobs inherit SIGINT, and nohup SIGHUP
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    time.tzset()
    process._PASSED |= {"MARK", "VICTIM", "MISCHIEF", "KILLS", "WARMED", "TCP", "UDP"}  # by which children are told
    os.umask(0o022)
    home = os.environ["HOME"]
    config.add_cleanup(lambda: shutil.rmtree(home, ignore_errors=True))


def _no_skip_in_ci(report: pytest.TestReport | pytest.CollectReport) -> None:
    """In CI a missing tool is a failure: a skip that starts with "needs " would hide that nothing was tested."""
    if os.environ.get("CI") != "true" or not report.skipped or not isinstance(report.longrepr, tuple):
        return
    path, line, text = report.longrepr
    reason = str(text).removeprefix("Skipped: ")
    if reason.startswith("needs "):
        report.outcome = "failed"
        report.longrepr = f"{path}:{line}: skipped in CI: {reason}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    _no_skip_in_ci(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    _no_skip_in_ci(report)
    return report


@pytest.fixture(scope="session")
def s3() -> Generator[buckets.Service]:
    """A real S3 server on loopback, one for all tests."""
    with buckets.serving() as service:
        yield service
