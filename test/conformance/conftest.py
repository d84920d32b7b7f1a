"""Fixtures and modules of test/integration, for this folder's tests."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "integration"))
pytest.register_assert_rewrite("w3c_cases")


def pytest_addoption(parser):
    parser.addoption("--cases", type=int, default=1_000_000, help="random messages for the differential test")


def pytest_configure(config):
    config.addinivalue_line("markers", "discriminating: fails when no trace context is propagated at all")
