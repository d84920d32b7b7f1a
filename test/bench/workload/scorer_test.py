"""The scorer judged by hand-made truth: every verdict and every way to be wrong has a row that must come out so."""

from .scorer import Call, Scorer, Span, precision, recall


def span(trace, own, parent="", start=0, **more):
    return Span((trace, own), parent, start, more.pop("source", "echo"), **more)


def call(trace, own, work, kind="model", agent="0", **more):
    return Call((trace, own), work, agent, kind, **more)


# Two tasks at once, "A" in trace t1 under turn T1, "B" in trace t2 under turn T2, each with a model call that opens it.
BASE_SPANS = [span("t1", "T1", start=1, inferred=True, source="root"), span("t1", "a0", "T1", 1, step=1),
              span("t2", "T2", start=2, inferred=True, source="root"), span("t2", "b0", "T2", 2, step=1, execution="T2")]
BASE_CALLS = [call("t1", "a0", "A", may_be_root=True), call("t2", "b0", "B", may_be_root=True)]
OTHERS = {"y": call("t3", "y", "A", agent="0.1")}  # whose calls further spans are

# name, the call, its span, further spans, the verdict, the reason
ROWS = [
    ("in its turn", call("t1", "x", "A"), span("t1", "x", "T1", 5), [], "right", ""),
    ("under the model call that asked", call("t1", "x", "A"), span("t1", "x", "a0", 5), [], "right", ""),
    ("in another's turn", call("t2", "x", "A"), span("t2", "x", "T2", 5), [], "wrong", "another work"),
    ("in another's turn, which began before by the clock but has its own first step",
     call("t2", "x", "A"), span("t2", "x", "T2", 0), [], "wrong", "another work"),
    ("under another's call", call("t2", "x", "A"), span("t2", "x", "b0", 5), [], "wrong", "another work"),
    ("without parent", call("t9", "x", "A"), span("t9", "x", "", 5), [], "root", ""),
    ("a link to its turn", call("t9", "x", "A"), span("t9", "x", "", 5, links=(("t1", "T1"),)), [], "link", ""),
    ("links to both candidates", call("t9", "x", "A"),
     span("t9", "x", "", 5, links=(("t2", "b0"), ("t1", "a0"))), [], "link", ""),
    ("a link to another's turn", call("t9", "x", "A"), span("t9", "x", "", 5, links=(("t2", "T2"),)), [], "root", ""),
    ("a right link does not heal a wrong parent", call("t2", "x", "A"),
     span("t2", "x", "T2", 5, links=(("t1", "T1"),)), [], "wrong", "another work"),
    ("a root in another's trace", call("t2", "x", "A"), span("t2", "x", "", 5), [], "wrong",
     "another work in its trace"),
    ("a parent that nobody emitted", call("t1", "x", "A"), span("t1", "x", "gone", 5), [], "wrong",
     "a parent that nobody emitted"),
    ("a parent of that id in another trace", call("t1", "x", "A"), span("t1", "x", "T2", 5), [], "wrong",
     "a parent that nobody emitted"),
    ("the right turn, which itself is in another's", call("t2", "x", "C"), span("t2", "x", "T3", 6),
     [span("t2", "T3", "T2", 5, inferred=True)], "wrong", "another work"),
    ("its own turn, and nothing more, for what opens a work", call("t3", "x", "C", may_be_root=True),
     span("t3", "x", "T3", 6, step=1), [span("t3", "T3", "", 6, inferred=True)], "opens", ""),
    ("a plain root, for what opens a work", call("t3", "x", "C", may_be_root=True), span("t3", "x"), [], "opens", ""),
    ("its own turn, and nothing more, in the middle of a work", call("t3", "x", "A"), span("t3", "x", "T3", 6, step=1),
     [span("t3", "T3", "", 6, inferred=True)], "root", ""),
    ("its own turn in the turn before", call("t1", "x", "A"), span("t1", "x", "T3", 6, step=1),
     [span("t1", "T3", "T1", 6, inferred=True)], "right", ""),
    ("its own turn with a link to the turn before", call("t3", "x", "A"), span("t3", "x", "T3", 6, step=1),
     [span("t3", "T3", "", 6, inferred=True, links=(("t1", "T1"),))], "link", ""),
    ("a link to its own turn alone", call("t3", "x", "A"), span("t3", "x", "T3", 6, step=1, links=(("t3", "T3"),)),
     [span("t3", "T3", "", 6, inferred=True)], "root", ""),
    ("a root that says another's execution", call("t9", "x", "C", may_be_root=True),
     span("t9", "x", start=7, execution="T2"), [], "wrong", "another work has its execution"),
    ("a root that says an execution of its own", call("t9", "x", "C", may_be_root=True),
     span("t9", "x", execution="x"), [], "opens", ""),
    ("the turn before of its work, for what may open a turn", call("t1", "x", "A", may_be_root=True),
     span("t1", "x", "T1", 6), [], "opens", ""),
    ("parents in a circle", call("t1", "x", "A"), span("t1", "x", "T3", 6),
     [span("t1", "T3", "T4", 5, inferred=True), span("t1", "T4", "T3", 5, inferred=True)], "wrong", "a circle"),
    ("another's turn, for what opens a work", call("t1", "x", "C", may_be_root=True), span("t1", "x", "T1", 6), [],
     "wrong", "another work"),
    ("a job that has nothing to do with anybody, in a turn", call("t1", "x", "job7", "background", may_be_root=True),
     span("t1", "x", "T1", 6), [], "wrong", "another work"),
    ("a sub-agent in its caller's turn", call("t1", "x", "A", agent="0.1"), span("t1", "x", "T1", 5), [],
     "right", ""),
    ("a sub-agent that nothing joins to its caller", call("t3", "x", "A", agent="0.1"),
     span("t3", "x", "T3", 5), [span("t3", "T3", "", 5, inferred=True)], "root", ""),
    ("a sub-agent whose own turn is in its caller's", call("t1", "x", "A", agent="0.1"),
     span("t1", "x", "T3", 5), [span("t1", "T3", "a0", 5, inferred=True)], "right", ""),
    ("a sub-agent joined by a link", call("t3", "x", "A", agent="0.1"),
     span("t3", "x", "T3", 5, links=(("t1", "a0"),)), [span("t3", "T3", "", 5, inferred=True)], "link", ""),
    ("a sub-agent whose turn has the link", call("t3", "x", "A", agent="0.1"), span("t3", "x", "T3", 5),
     [span("t3", "T3", "", 5, inferred=True, links=(("t1", "T1"),))], "link", ""),
    ("a sub-agent with a link to its own turn alone", call("t3", "x", "A", agent="0.1"),
     span("t3", "x", "T3", 5, links=(("t3", "T3"),)), [span("t3", "T3", "", 5, inferred=True)], "root", ""),
    ("a sub-agent after its own turn's first", call("t3", "x", "A", agent="0.1"), span("t3", "x", "T3", 5, step=2),
     [span("t3", "T3", "", 4, inferred=True), span("t3", "y", "T3", 4, step=1)], "right", ""),
    ("a sub-agent in the turn of one with a name like its own", call("t3", "x", "A", agent="0.11"),
     span("t3", "x", "T3", 5, step=2), [span("t3", "T3", "", 4, inferred=True), span("t3", "y", "T3", 4, step=1)],
     "wrong", "another agent of its work"),
    ("a sub-agent with a link to another one", call("t9", "x", "A", agent="0.2"),
     span("t9", "x", "", 5, links=(("t3", "y"),)), [span("t3", "y", "", 4)], "root", ""),
    ("the context that was sent", call("t5", "x", "A", sent=("t5", "s")), span("t5", "x", "s", 5), [], "right", ""),
    ("its run", call("t7", "x", "A", run=("t7", "r")), span("t7", "x", "r", 5), [], "right", ""),
    ("its turn in its run", call("t7", "x", "A", run=("t7", "r")), span("t7", "x", "T3", 5, step=1),
     [span("t7", "T3", "r", 5, inferred=True)], "right", ""),
    ("a new root instead of its run", call("t9", "x", "A", run=("t7", "r")), span("t9", "x", "", 5), [], "root", ""),
    ("another's turn instead of its run", call("t1", "x", "C", run=("t7", "r")), span("t1", "x", "T1", 5), [],
     "wrong", "another work"),
    ("the context that was sent, for a sub-agent's first", call("t5", "x", "A", agent="0.1", sent=("t5", "s")),
     span("t5", "x", "s", 5), [], "right", ""),
    ("a turn instead of the context that was sent", call("t1", "x", "A", sent=("t5", "s")), span("t1", "x", "T1", 5),
     [], "wrong", "not the context that was sent"),
    ("a new root instead of the context that was sent", call("t9", "x", "A", sent=("t5", "s")),
     span("t9", "x", "", 5), [], "root", ""),
]


def judged(calls, spans, name):
    score = Scorer(calls, spans).score()
    return next((verdict, reason) for one, _, verdict, reason in score.rows if one.span[1] == name)


def faults():
    """What does not come out as it must, as sentences."""
    found = []
    for name, one, own, more, verdict, reason in ROWS:
        there = BASE_CALLS + [OTHERS[other.id[1]] for other in more if other.id[1] in OTHERS] + [one]
        for calls, spans in ((there, BASE_SPANS + more + [own]), (there[::-1], [own] + more + BASE_SPANS[::-1])):
            got = judged(calls, spans, "x")
            if got != (verdict, reason):
                found.append(f"{name}: {got} instead of {(verdict, reason)}")
    return found + sibling_faults() + likeness_faults() + count_faults()


def sibling_faults():
    """Two sub-agents of one task: neither's turn may take the other's calls, nor those of who called them."""
    spans = BASE_SPANS + [span("t1", "S1", "a0", 3, inferred=True), span("t1", "s1", "S1", 3, step=1),
                          span("t1", "s2", "S1", 4, step=2), span("t1", "up", "S1", 5, step=3)]
    calls = BASE_CALLS + [call("t1", "s1", "A", agent="0.1"), call("t1", "s2", "A", agent="0.2"),
                          call("t1", "up", "A")]
    wanted = {"s1": "right", "s2": "wrong", "up": "wrong"}
    return [f"sub-agents: {name} is {judged(calls, spans, name)[0]} instead of {verdict}"
            for name, verdict in wanted.items() if judged(calls, spans, name)[0] != verdict]


def likeness_faults():
    """Two works ask the same, one of them twice; a third asks for what nobody else does."""
    calls = BASE_CALLS + [call("t1", "a1", "A", "http", asks="same"), call("t1", "a2", "A", "http", asks="same"),
                          call("t2", "b1", "B", "http", asks="same"), call("t1", "own1", "A", "http", asks="own"),
                          call("t1", "own2", "A", "http", asks="own")]
    spans = BASE_SPANS + [span("t1", name, "T1", 5) for name in ("a1", "a2", "own1", "own2")] + [
        span("t2", "b1", "T2", 5)]
    score = Scorer(calls, spans).score()
    got = [dict(score.count_by_likeness(alike, ["http"])) for alike in (True, False)]
    return [] if got == [{"right": 3}, {"right": 2}] else [f"likeness: {got}"]


def count_faults():
    """Ten calls of which four are right, one wrong, one linked, two roots; two open; and the figures of them."""
    calls = BASE_CALLS + [call("t1", f"r{n}", "A", "http") for n in range(3)] + [
        call("t1", "w", "B", "http"), call("t2", "k", "B"), call("t8", "l", "B", "http"), call("t9", "n", "B"),
        call("t7", "m", "A", "http")]
    spans = BASE_SPANS + [span("t1", f"r{n}", "T1", 5) for n in range(3)] + [
        span("t1", "w", "T1", 5), span("t2", "k", "T2", 5), span("t8", "l", "", 5, source="root", links=(("t2", "T2"),)),
        span("t9", "n", "", 5, source="root"), span("t7", "m", "", 5, source="root", links=(("t2", "T2"),))]
    calls.append(call("t6", "never", "A"))
    spans.append(span("t6", "stranger"))
    score = Scorer(calls, spans).score()
    http = score.count(kind="http")
    got = {"all": dict(score.count()), "http": dict(http), "echo": dict(score.count(source="echo")),
           "precision": precision(http), "recall": recall(http), "recall of all": recall(score.count()),
           "links": (score.links_right, score.links_wrong),
           "missing": [one.span[1] for one in score.missing], "strangers": [one.id[1] for one in score.strangers],
           "turns": score.turns, "traces": score.traces_a_work(), "reasons": dict(score.reasons())}
    wanted = {"all": {"opens": 2, "right": 4, "wrong": 1, "link": 1, "root": 2},
              "http": {"right": 3, "wrong": 1, "link": 1, "root": 1}, "echo": {"opens": 2, "right": 4, "wrong": 1},
              "precision": 0.75, "recall": 0.5, "recall of all": 0.5, "links": (1, 1), "missing": ["never"],
              "strangers": ["stranger"],
              "turns": 2, "traces": 3.0, "reasons": {"another work": 1}}
    return [f"counts: {key} is {got[key]} instead of {wanted[key]}" for key in wanted if got[key] != wanted[key]]
