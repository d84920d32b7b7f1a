"""Judges spans against what really belonged together. Pure: values in, verdicts out.

A `Call` is what the workload knows of one request that an origin got: the span that the sidecar put on it, and whose
work it was. Work is what a person would call one task, with everything done for it; inside of it an agent is named by
its path, "0" the one that was asked, "0.2" the second sub-agent of that one. Nothing of it is ever on the wire.

Verdicts, one a call:

| verdict | meaning |
|---|---|
| opens | its work may begin here (a turn's or a background job's first request), and it does, or is with its own work |
| right | its parent is of its own work, and of its own agent or of one that this was called by |
| link | it has no such parent, but a link leads to one |
| root | it has neither, though it had a true parent |
| wrong | its parent is somebody else's or nobody's, or another work had its trace or `sidespan.execution.id` before |

A turn belongs to the call that opened it, and counts for nothing for that call itself: one in the middle of a work that
opens a turn of its own has been lost, even if those after it are together again. So has a sub-agent's first.
"""

from collections import Counter
from dataclasses import dataclass, field

VERDICTS = ("opens", "right", "link", "root", "wrong")


@dataclass(frozen=True, slots=True)
class Call:
    span: tuple  # (trace id, span id)
    work: str
    agent: str
    kind: str  # of the table: "model", "mcp", ...
    may_be_root: bool = False
    sent: tuple = None  # the context that the agent itself put on it: (trace id, span id)
    what: str = ""  # it asked for, in a few words
    asks: str = ""  # a digest of all that it says for itself
    run: tuple = None  # the span that its work was started by, where the proxy's user says so: (trace id, span id)


@dataclass(slots=True)
class Span:
    """What of an exported span is judged."""

    id: tuple  # (trace id, span id)
    parent_id: str
    start: int
    source: str  # sidespan.parent.source
    inferred: bool = False
    step: int = 0  # sidespan.turn.step, where there is one
    execution: str = ""  # sidespan.execution.id
    links: tuple = ()  # of (trace id, span id)

    @classmethod
    def of(cls, plain):
        """From a span as test/integration/spans.py has it."""
        attributes = plain["attributes"]
        return cls((plain["trace_id"], plain["span_id"]), plain["parent_id"], plain["start"],
                   attributes.get("sidespan.parent.source", ""), bool(attributes.get("sidespan.inferred")),
                   attributes.get("sidespan.turn.step", 0), attributes.get("sidespan.execution.id", ""),
                   tuple((link["trace_id"], link["span_id"]) for link in plain["links"]))


@dataclass
class Score:
    rows: list = field(default_factory=list)  # (call, span, verdict, reason)
    links_right: int = 0
    links_wrong: int = 0
    strangers: list = field(default_factory=list)  # spans of requests that no origin got
    missing: list = field(default_factory=list)  # calls whose span never came
    turns: int = 0

    def count(self, **wanted):
        """{verdict: how many} of the calls with this `kind`, or `source`."""
        found = Counter()
        for call, span, verdict, _ in self.rows:
            if all(value == (call.kind if key == "kind" else span.source) for key, value in wanted.items()):
                found[verdict] += 1
        return found

    def count_by_likeness(self, alike, kinds):
        """{verdict: how many} of the calls of these kinds that no other work made just so, or of those that one did."""
        works = {}
        for call, *_ in self.rows:
            works.setdefault(call.asks, set()).add(call.work)
        found = Counter()
        for call, _, verdict, _ in self.rows:
            if call.kind in kinds and (len(works[call.asks]) > 1) == alike:
                found[verdict] += 1
        return found

    def traces_a_work(self):
        """Into how many traces a work falls apart, on average; what belongs to nobody is left out."""
        pairs = {(call.work, span.id[0]) for call, span, *_ in self.rows if call.kind != "background"}
        return ratio(len(pairs), len({work for work, _ in pairs}))

    def reasons(self):
        return Counter(reason for *_, verdict, reason in self.rows if verdict == "wrong")


def precision(found):
    """Of the parents that were given, those that are right. What opens a work has nothing to be found."""
    return ratio(found["right"], found["right"] + found["wrong"])


def recall(found):
    """Of the calls that had a true parent, those that got it."""
    return ratio(found["right"], sum(found[verdict] for verdict in VERDICTS) - found["opens"])


def ratio(part, whole):
    return part / whole if whole else None


def of_or_under(agent, other):
    """Whether `agent` is `other`, or was called by it, at whatever distance."""
    return agent == other or agent.startswith(other + ".")


class Scorer:
    def __init__(self, calls, spans):
        self._calls = {call.span: call for call in calls}
        assert len(self._calls) == len(calls), "two requests carried the same span"
        self._spans = {span.id: span for span in spans}
        self._ours = {call.sent: call for call in calls if call.sent}
        self._ours |= {call.run: Call(call.run, call.work, "0", "run") for call in calls if call.run}
        self._owners = self._turn_owners(spans)
        self._trace_owners = self._first_with(lambda span: span.id[0])
        self._execution_owners = self._first_with(lambda span: span.execution)

    def score(self):
        score = Score(turns=sum(span.inferred for span in self._spans.values()))
        for call in self._calls.values():
            span = self._spans.get(call.span)
            if span is None:
                score.missing.append(call)
                continue
            verdict, reason = self._judge(call, span)
            score.rows.append((call, span, verdict, reason))
            right = sum(self._related(call, link) for link in span.links)
            score.links_right += right
            score.links_wrong += len(span.links) - right
        score.strangers = [span for span in self._spans.values() if span.id not in self._calls and not span.inferred]
        return score

    def _turn_owners(self, spans):
        """Who a turn belongs to: who made the call that opened it."""
        first = {}
        for span in spans:
            call, turn = self._calls.get(span.id), (span.id[0], span.parent_id)
            if call and span.parent_id and self._inferred(turn):
                order = (span.step or float("inf"), span.start)
                if turn not in first or order < first[turn][0]:
                    first[turn] = (order, call)
        return {turn: call for turn, (_, call) in first.items()}

    def _inferred(self, span_id):
        return span_id in self._spans and self._spans[span_id].inferred

    def _first_with(self, key):
        first = {}
        for call in self._calls.values():
            span = self._spans.get(call.span)
            if span and (key(span) not in first or span.start < first[key(span)][0]):
                first[key(span)] = (span.start, call.work)
        return {shared: work for shared, (_, work) in first.items()}

    def _owner(self, span_id):
        """The call that a span is of, ours, a turn's, the agent's own or its run; None of one that nobody emitted."""
        return self._calls.get(span_id) or self._ours.get(span_id) or self._owners.get(span_id)

    def _judge(self, call, span):
        verdict, reason = self._judge_parents(call, span)
        if verdict != "wrong" and self._trace_owners[span.id[0]] != call.work:
            return "wrong", "another work in its trace"
        if verdict != "wrong" and span.execution and self._execution_owners[span.execution] != call.work:
            return "wrong", "another work has its execution"
        if verdict == "root" and any(self._related(call, link) for link in self._links(span)):
            return "link", ""
        if verdict in ("root", "right") and call.may_be_root:
            return "opens", ""
        return verdict, reason

    def _judge_parents(self, call, span):
        if call.sent:
            given = (span.id[0], span.parent_id)
            return (("right", "") if given == call.sent else ("wrong", "not the context that was sent")
                    if span.parent_id else ("root", ""))
        found, seen = False, set()
        while span and span.parent_id:
            parent = (span.id[0], span.parent_id)
            if parent in seen:
                return "wrong", "a circle"
            seen.add(parent)
            owner = self._owner(parent)
            if owner is None and not self._inferred(parent):
                return "wrong", "a parent that nobody emitted"
            if owner and owner is not call:
                if owner.work != call.work:
                    return "wrong", "another work"
                if not of_or_under(call.agent, owner.agent):
                    return "wrong", "another agent of its work"
                found = True
            span = self._spans.get(parent)
        return ("right" if found else "root"), ""

    def _links(self, span):
        """Its own, and those of the turns that it is in: a turn stands for what its calls have in common."""
        links = list(span.links)
        while span.parent_id and self._inferred((span.id[0], span.parent_id)):
            span = self._spans[span.id[0], span.parent_id]
            links += span.links
        return links

    def _related(self, call, span_id):
        owner = self._owner(span_id)
        return (owner is not None and owner is not call and owner.work == call.work
                and of_or_under(call.agent, owner.agent))
