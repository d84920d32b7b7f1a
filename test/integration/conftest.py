"""Fixtures of this folder, and the outcome of a test for the fixtures that clean up after it."""

import pytest

from fixtures import collector, origin, sidecar, sidespan, sink  # noqa: F401


def pytest_addoption(parser):
    parser.addoption("--aborts", type=int, default=600, help="calls that break off in test_aborts")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if call.when == "call" and report.failed:
        item.call_failed = True
    return report
