"""Agents with known truth through the sidecar, in small: no call may ever be taken for another task's, and the judge
that says so is judged itself. The whole, with its knobs and figures, is test/bench/fidelity."""

import sys
from collections import Counter
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).resolve().parents[1] / "bench"))

from workload import scorer_test  # noqa: E402
from workload.__main__ import arguments, judged  # noqa: E402

SMALL = ["--executions", "10", "--in-flight", "5"]


def verdicts(*options):
    measured, score = judged(arguments([*SMALL, *options]).knobs)
    return measured, score.count()


def test_the_judge_finds_what_is_wrong():
    assert not scorer_test.faults()


@pytest.mark.parametrize("options", [
    ["--equal-prompts", "0.3", "--equal-arguments", "0.5"],
    ["--propagate", "some"],
    ["--propagate", "models"],
    ["--propagate", "tools"],
], ids=lambda options: " ".join(options))
def test_no_call_is_taken_for_another_tasks(sidespan, options):
    measured, found = verdicts(*options)
    assert measured.tasks == 10 and sum(found.values()) > 150
    assert found["wrong"] == 0


@pytest.mark.parametrize("who, kinds", [("models", ("mcp", "http json", "http get")), ("tools", ("model",))])
def test_calls_that_carry_no_context_while_others_of_their_task_do(sidespan, who, kinds):
    """Tools' calls beside models' in a named trace are linked to these; models' calls are in turns of their own. No
    sub-agents: one that asks for what its caller asks for is not told apart from it by a call that carries nothing."""
    _, score = judged(arguments([*SMALL, "--propagate", who, "--background", "off", "--delegate", "0"]).knobs)
    found = sum((score.count(kind=kind) for kind in kinds), Counter())
    assert found["wrong"] == 0 and found["link" if who == "models" else "right"] > found["root"]
    assert who == "tools" or score.links_wrong == 0


def test_links_of_calls_that_carry_no_context_stay_in_their_task(sidespan):
    """With sub-agents, too, some of whom ask for the very same as who called them."""
    options = [*SMALL, "--propagate", "models", "--background", "off", "--delegate", "0.3"]
    _, score = judged(arguments(options).knobs)
    works = {call.span: call.work for call, *_ in score.rows}
    linked = [(call.work, works[link]) for call, span, *_ in score.rows for link in span.links if link in works]
    assert len(linked) > 20 and all(own == other for own, other in linked)


def test_lies_of_agents_are_found_to_be_wrong(sidespan):
    measured, found = verdicts("--propagate", "all", "--lies", "0.1")
    assert found["wrong"] == measured.lies > 5
    assert found["right"] > 150
