"""Fixtures of this folder, and the outcome of a test for the fixtures that clean up after it."""

import pytest

from fixtures import (  # noqa: F401
    authority, collector, intercepting, origin, sidecar, sidespan, sink, tls_origin)


def pytest_addoption(parser):
    parser.addoption("--aborts", type=int, default=600, help="calls that break off in test_aborts")
    parser.addoption("--handshakes", type=int, default=1500, help="that break off in test_tls_endurance")
    parser.addoption("--names", type=int, default=400, help="that are asked for in test_tls_endurance")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if call.when == "call" and report.failed:
        item.call_failed = True
    return report
