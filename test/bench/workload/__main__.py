"""test/bench/fidelity: knobs, runs and the table. Exit status 0 fine, 1 a wrong parent, 2 it could not be measured."""

import argparse
import os
import sys
from collections import Counter

from . import scorer_test
from .harness import Failed, measure
from .scorer import VERDICTS, Scorer, precision, ratio, recall

KINDS = ("model", "mcp", "http json", "http get", "http form", "prefetch", "after 202", "retry", "background")
QUICK = {"executions": 60, "in_flight": 8}
# What a sweep turns, one at a time, away from the defaults.
SWEEP = [{}, {"in_flight": 1, "executions": 60}, {"in_flight": 4, "executions": 200}, {"in_flight": 64},
         {"vocabulary": 30}, {"equal_prompts": 0.5}, {"equal_arguments": 0.5}, {"propagate": "some"},
         {"propagate": "models"}, {"propagate": "tools"}, {"propagate": "all"},
         {"stream": "all"}, {"stream": "none"}, {"chunked": 1.0}, {"common_pages": 1.0}, {"unasked": 0.5}, {"parallel": 6}, {"turns": 4},
         {"tool_servers": 4}, {"errors": 0.2}, {"delegate": 0.2}, {"retrieve": 1.0}, {"credential": 0.5},
         {"credential": 1.0}, {"workers": 2}]


def share(text):
    value = float(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text} is no share, 0 to 1")
    return value


def positive(text):
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is less than 1")
    return value


def arguments(words=None):
    """What is asked for, with the knobs apart as `knobs`."""
    parser = argparse.ArgumentParser(prog="test/bench/fidelity", formatter_class=argparse.ArgumentDefaultsHelpFormatter,
                                     epilog="SIDESPAN_ variables are settings of the program that is measured.")
    parser.add_argument("--sidespan", metavar="FILE", help="the program, else SIDESPAN_BIN, else build/src/app/sidespan")
    parser.add_argument("--quick", action="store_true", help="a few seconds: 60 tasks, 8 at once")
    parser.add_argument("--sweep", action="store_true", help="a row each for other values of the knobs")
    parser.add_argument("--self-test", action="store_true", help="judge the judge; needs no program")
    parser.add_argument("--wrong", type=int, metavar="N", default=0, help="show up to N wrong ones")
    parser.add_argument("--lost", action="store_true", help="show which calls were lost: what they asked for, and how")
    knobs = parser.add_argument_group("knobs")
    knobs.add_argument("--seed", type=int, default=1,
                       help="of tasks and models; ids, refusals and times are never the same")
    knobs.add_argument("--executions", type=positive, default=400, help="tasks in all")
    knobs.add_argument("--in-flight", type=positive, default=16, help="of them at once, in all processes")
    knobs.add_argument("--agents", type=positive, default=2, help="agent processes")
    knobs.add_argument("--workers", type=positive, default=1, help="threads of the sidecar")
    knobs.add_argument("--turns", type=positive, default=2, help="of a person in a conversation, about")
    knobs.add_argument("--steps", type=positive, default=3, help="of a model in a turn, about")
    knobs.add_argument("--parallel", type=positive, default=3, help="tools that a model asks for at once, at most")
    knobs.add_argument("--tool-servers", type=positive, default=1, help="among which tasks choose")
    knobs.add_argument("--equal-prompts", type=share, default=0.05, help="share of tasks with one of three prompts")
    knobs.add_argument("--equal-arguments", type=share, default=0.1,
                       help="share of tasks whose tools are asked for what others ask for, too")
    knobs.add_argument("--vocabulary", type=positive, default=300,
                       help="cities, last names and topics; the fewer, the more tasks have in common by chance")
    knobs.add_argument("--propagate", choices=("none", "some", "models", "tools", "all"), default="none",
                       help="whether agents send context: none of their libraries (models, HTTP, MCP), one or two, that "
                            "of models alone, all but that, or all")
    knobs.add_argument("--stream", choices=("all", "some", "none"), default="some", help="answers of models")
    knobs.add_argument("--errors", type=share, default=0.03,
                       help="share of requests that are refused (429, 500), to be sent again")
    knobs.add_argument("--delegate", type=share, default=0.03,
                       help="share of a model's tool calls that go to a sub-agent")
    knobs.add_argument("--prefetch", type=share, default=0.2, help="share of searches whose results are read unasked")
    knobs.add_argument("--retrieve", type=share, default=0.1,
                       help="share of turns that begin with an embedding and a search, before a model is asked")
    knobs.add_argument("--sessions", type=share, default=0.1,
                       help="share of tasks whose requests to models have a session's id in a header")
    knobs.add_argument("--credential", type=share, default=0.0,
                       help="share of tasks that name what started them in the proxy's user: run:TRACEPARENT")
    knobs.add_argument("--background", choices=("on", "off"), default="on", help="probes and jobs that belong to nobody")
    knobs.add_argument("--coincidences", type=share, default=0.0,
                       help="share of job rounds that ask for an order which a task is just about; no evidence on the "
                            "wire tells them apart")
    knobs.add_argument("--unasked", type=share, default=0.0,
                       help="share of job rounds that ask for what everybody's models ask for")
    knobs.add_argument("--common-pages", type=share, default=0.25,
                       help="share of searches that find the page that all others find, first of all")
    knobs.add_argument("--chunked", type=share, default=0.05, help="share of bodies whose length is not told")
    knobs.add_argument("--pause", type=float, default=0.05, help="of a person between turns, in seconds, about")
    knobs.add_argument("--lies", type=share, default=0.0,
                       help="share of requests that carry another task's context, where agents send any; a check of the "
                            "check: as many must come out wrong")
    knobs.add_argument("--latency", type=float, default=0.02, help="of a model, in seconds, about; tools take a quarter")
    if parser.parse_args(words).quick:
        parser.set_defaults(**QUICK)
    options = parser.parse_args(words)
    names = [action.dest for action in knobs._group_actions]
    options.knobs = {name: getattr(options, name) for name in names}
    return options


def percent(value):
    return "" if value is None else f"{100 * value:.2f} %"


def line(name, found):
    return (f"{name:<26}{sum(found.values()):>8}" + "".join(f"{found[verdict]:>8}" for verdict in VERDICTS)
            + f"{percent(precision(found)):>11}{percent(recall(found)):>11}")


def head(title):
    return (f"{title:<26}{'calls':>8}" + "".join(f"{verdict:>8}" for verdict in VERDICTS)
            + f"{'precision':>11}{'recall':>11}")


def judged(knobs):
    measured = measure(knobs)
    score = Scorer(measured.calls, measured.spans).score()
    for what, these in (("calls without their span", score.missing), ("spans that no origin saw", score.strangers)):
        if these:
            raise Failed(f"{len(these)} {what}, like {these[0]}")
    return measured, score


def show_lost(score):
    """By what they asked for: how many had a true parent, and what became of those that did not get it."""
    rows = {}
    for call, span, verdict, _ in score.rows:
        if verdict != "opens":
            found = rows.setdefault((call.kind, call.what), Counter())
            # A link beside none of its own work's spans is told apart from nothing at all.
            found["elsewhere" if verdict == "root" and span.links else verdict] += 1
    verdicts = ("right", "link", "elsewhere", "root", "wrong")
    print("\n" + f"{'lost':<44}" + "".join(f"{verdict:>11}" for verdict in verdicts))
    for (kind, what), found in sorted(rows.items(), key=lambda row: row[1]["right"] - row[1].total()):
        if found["right"] < found.total():
            print(f"{kind + ': ' + what:<44}" + "".join(f"{found[verdict]:>11}" for verdict in verdicts))


def show(knobs, measured, score, wrong):
    print("  ".join(f"{name}={value}" for name, value in knobs.items()))
    calls = len(measured.calls)
    print(f"{measured.tasks} tasks, {calls} calls in {measured.seconds:.1f} s ({calls / measured.seconds:.0f}/s); "
          f"sidespan used {1e6 * measured.sidecar_seconds / calls:.0f} us of a processor a call; {score.turns} turns\n")
    print(head("kind"))
    for kind in KINDS:
        if found := score.count(kind=kind):
            print(line(kind, found))
    print("\n" + head("sidespan.parent.source"))
    for source in sorted({span.source for _, span, *_ in score.rows}):
        print(line(source or "(none)", score.count(source=source)))
    print("\n" + head("said"))
    tools = [kind for kind in KINDS if kind not in ("model", "background")]
    print(line("by one task: to models", score.count_by_likeness(False, ["model"])))
    print(line("by one task: to tools", score.count_by_likeness(False, tools)))
    print(line("alike by several", score.count_by_likeness(True, ["model", *tools])))
    print("\n" + line("all", score.count()))
    if measured.lies:
        print(f"\n{measured.lies} lies were told")
    links = score.links_right + score.links_wrong
    print(f"\ntraces a task: {score.traces_a_work():.1f}")
    print(f"links: {links}, of which {score.links_right} lead to the call's own work "
          f"({percent(ratio(score.links_right, links)) or 'none'})")
    waited, seconds = measured.held
    if waited:
        print(f"heads that waited for their bodies: {waited:.0f}, {1e3 * seconds / waited:.2f} ms each")
    for reason, count in score.reasons().most_common():
        print(f"wrong: {count} {reason}")
    for call, span, verdict, reason in score.rows:
        if verdict == "wrong" and wrong > 0:
            wrong -= 1
            print(f"  {reason}: {call} {span}")


def sweep(knobs):
    print(head("knob") + f"{'/s':>8}")
    status = 0
    for turned in SWEEP:
        measured, score = judged(knobs | turned)
        found = score.count()
        name = ", ".join(f"{key}={value}" for key, value in turned.items() if key != "executions") or "as by default"
        print(line(name, found) + f"{len(measured.calls) / measured.seconds:>8.0f}", flush=True)
        status |= found["wrong"] > 0
    return status


def main():
    options = arguments()
    if options.self_test:
        faults = scorer_test.faults()
        print("\n".join(faults) or f"{len(scorer_test.ROWS)} verdicts, sub-agents and counts come out as they must")
        return 1 if faults else 0
    if options.sidespan:
        os.environ["SIDESPAN_BIN"] = options.sidespan
    try:
        if not os.access(os.environ["SIDESPAN_BIN"], os.X_OK):
            raise Failed(f"{os.environ['SIDESPAN_BIN']} is no program")
        if options.sweep:
            return sweep(options.knobs)
        measured, score = judged(options.knobs)
        show(options.knobs, measured, score, options.wrong)
        if options.lost:
            show_lost(score)
        return 1 if score.count()["wrong"] else 0
    except (Failed, AssertionError) as why:
        print(f"not measured: {why}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
