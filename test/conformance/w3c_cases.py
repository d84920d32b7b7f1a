"""The 41 cases of W3C's trace-context validation (Level 2), stated anew: what goes in, what must come out.

A case is a function of `send`. `send(*lines)` calls the service under test with these header lines, exactly as they are
written here, and returns what its one outgoing call carried; `send.calls(3, *lines)` has it make three.

Most cases want a new trace for a bad header, which a hop that propagates nothing gives as well. The sixteen of
DISCRIMINATING are those that such a hop fails: a share of passed cases says nothing, these sixteen do.
"""

import re

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = "b7ad6b7169203331"
GOOD = f"traceparent: 00-{TRACE}-{PARENT}-01"
NO_TRACE, NO_PARENT = "0" * 32, "0" * 16

DISCRIMINATING = (
    "02_traceparent_alone",
    "05_traceparent_name_in_any_case",
    "07_version_cc",
    "23_traceparent_white_space",
    "25_both_headers",
    "27_tracestate_name_in_any_case",
    "28_tracestate_empty",
    "29_tracestate_in_three_headers",
    "30_tracestate_duplicate_keys",
    "31_tracestate_every_legal_character",
    "32_tracestate_white_space",
    "34_tracestate_at_signs",
    "35_tracestate_member_limit",
    "36_tracestate_key_length",
    "38_three_calls",
    "41_random_flag",
)


class Outgoing:
    """The context of one outgoing call; made only from exactly one valid traceparent of version 00."""

    FORM = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})")

    def __init__(self, request):
        values = request.all("traceparent")
        assert len(values) == 1, f"traceparent {values}"
        match = self.FORM.fullmatch(values[0])
        assert match, f"traceparent {values[0]!r}"
        self.trace_id, self.parent_id, flags = match.groups()
        assert self.trace_id != NO_TRACE and self.parent_id != NO_PARENT
        self.flags = int(flags, 16)
        states = request.all("tracestate")
        assert len(states) <= 1, f"tracestate in {len(states)} headers"
        members = (member.strip(" \t") for state in states for member in state.split(","))
        self.members = [tuple(member.split("=", 1)) for member in members if member]
        self.keys = [member[0] for member in self.members]

    def continues(self):
        assert self.trace_id == TRACE, f"another trace: {self.trace_id}"
        assert self.parent_id != PARENT, "the parent-id went through unchanged"
        return self

    def restarts(self, *forbidden):
        assert self.trace_id not in (TRACE, *forbidden), f"the trace {self.trace_id} of a bad header goes on"
        return self

    def has(self, *members):
        """These members, in this order; one of the hop's own may be in front or between."""
        wanted = [member for member in self.members if member in members]
        assert wanted == list(members), f"tracestate {self.members}"
        return self

    def lacks(self, *keys):
        assert not set(keys) & set(self.keys), f"tracestate {self.members}"
        return self


def traceparent(value):
    return f"traceparent: {value}"


def tracestate(value):
    return f"tracestate: {value}"


def all_restart(send, *values):
    for value in values:
        send(traceparent(value)).restarts()


# traceparent


def case_01_both_missing(send):
    send()


def case_02_traceparent_alone(send):
    send(GOOD).continues()


def case_03_traceparent_twice(send):
    other = "4bf92f3577b34da6a3ce929d0e0e4736"
    send(GOOD, traceparent(f"00-{other}-00f067aa0ba902b7-01")).restarts(other)


def case_04_traceparent_misnamed(send):
    send(f"trace-parent: 00-{TRACE}-{PARENT}-01").restarts()
    send(f"trace.parent: 00-{TRACE}-{PARENT}-01").restarts()


def case_05_traceparent_name_in_any_case(send):
    for name in ("TraceParent", "TrAcEpArEnT", "TRACEPARENT"):
        send(f"{name}: 00-{TRACE}-{PARENT}-01").continues()


def case_06_version_00_with_more(send):
    all_restart(send, f"00-{TRACE}-{PARENT}-01.", f"00-{TRACE}-{PARENT}-01-what-comes-in-later-versions")


def case_07_version_cc(send):
    send(traceparent(f"cc-{TRACE}-{PARENT}-01")).continues()
    send(traceparent(f"cc-{TRACE}-{PARENT}-01-what-comes-in-later-versions")).continues()
    all_restart(send, f"cc-{TRACE}-{PARENT}-01.what-comes-in-later-versions")


def case_08_version_ff(send):
    all_restart(send, f"ff-{TRACE}-{PARENT}-01")


def case_09_version_illegal_character(send):
    all_restart(send, f".0-{TRACE}-{PARENT}-01", f"0.-{TRACE}-{PARENT}-01")


def case_10_version_too_long(send):
    all_restart(send, f"000-{TRACE}-{PARENT}-01", f"0000-{TRACE}-{PARENT}-01")


def case_11_version_too_short(send):
    all_restart(send, f"0-{TRACE}-{PARENT}-01")


def case_12_trace_id_zero(send):
    all_restart(send, f"00-{NO_TRACE}-{PARENT}-01")


def case_13_trace_id_illegal_character(send):
    all_restart(send, f"00-.{TRACE[1:]}-{PARENT}-01", f"00-{TRACE[:-1]}.-{PARENT}-01")


def case_14_trace_id_too_long(send):
    long = TRACE + "5"
    send(traceparent(f"00-{long}-{PARENT}-01")).restarts(long[:32], long[1:])


def case_15_trace_id_too_short(send):
    short = TRACE[:31]
    send(traceparent(f"00-{short}-{PARENT}-01")).restarts("0" + short, short + "0")


def case_16_parent_id_zero(send):
    all_restart(send, f"00-{TRACE}-{NO_PARENT}-01")


def case_17_parent_id_illegal_character(send):
    all_restart(send, f"00-{TRACE}-.{PARENT[1:]}-01", f"00-{TRACE}-{PARENT[:-1]}.-01")


def case_18_parent_id_too_long(send):
    all_restart(send, f"00-{TRACE}-{PARENT}5-01")


def case_19_parent_id_too_short(send):
    all_restart(send, f"00-{TRACE}-{PARENT[:15]}-01")


def case_20_flags_illegal_character(send):
    all_restart(send, f"00-{TRACE}-{PARENT}-.0", f"00-{TRACE}-{PARENT}-0.")


def case_21_flags_too_long(send):
    all_restart(send, f"00-{TRACE}-{PARENT}-001")


def case_22_flags_too_short(send):
    all_restart(send, f"00-{TRACE}-{PARENT}-1")


def case_23_traceparent_white_space(send):
    value = f"00-{TRACE}-{PARENT}-01"
    for padded in (f" {value}", f"\t{value}", f"{value} ", f"{value}\t", f"\t {value} \t"):
        send(f"traceparent:{padded}").continues()


# tracestate


def case_24_tracestate_without_traceparent(send):
    one, two = send(tracestate("foo=1")), send(tracestate("foo=1,bar=2"))
    assert len(one.members) == len(two.members), f"{one.members} and {two.members}"


def case_25_both_headers(send):
    send(GOOD, tracestate("foo=1,bar=2")).continues().has(("foo", "1"), ("bar", "2"))


def case_26_tracestate_misnamed(send):
    send(GOOD, "trace-state: foo=1").lacks("foo")
    send(GOOD, "trace.state: foo=1").lacks("foo")


def case_27_tracestate_name_in_any_case(send):
    for name in ("TraceState", "TrAcEsTaTe", "TRACESTATE"):
        send(GOOD, f"{name}: foo=1").continues().has(("foo", "1"))


def case_28_tracestate_empty(send):
    send(GOOD, tracestate("")).continues()
    send(GOOD, tracestate(""), tracestate("foo=1")).continues().has(("foo", "1"))
    send(GOOD, tracestate("foo=1"), tracestate("")).continues().has(("foo", "1"))


def case_29_tracestate_in_three_headers(send):
    out = send(GOOD, tracestate("foo=1,bar=2"), tracestate("rojo=1,congo=2"), tracestate("baz=3"))
    out.continues().has(("foo", "1"), ("bar", "2"), ("rojo", "1"), ("congo", "2"), ("baz", "3"))


def case_30_tracestate_duplicate_keys(send):
    for states in (["foo=1,foo=1"], ["foo=1,foo=2"], ["foo=1", "foo=1"], ["foo=1", "foo=2"]):
        out = send(GOOD, *map(tracestate, states)).continues()
        assert "foo" in out.keys, f"tracestate {out.members}"


def case_31_tracestate_every_legal_character(send):
    key = "abcdefghijklmnopqrstuvwxyz0123456789_-*/"
    value = "".join(chr(code) for code in range(0x20, 0x7F) if chr(code) not in ",=")
    send(GOOD, tracestate(f"{key}={value}")).continues().has((key, value))


def case_32_tracestate_white_space(send):
    three = (("foo", "1"), ("bar", "2"), ("baz", "3"))
    send(GOOD, tracestate("foo=1 \t , \t bar=2, \t baz=3")).continues().has(*three)
    send(GOOD, tracestate("foo=1\t \t,\t \tbar=2,\t \tbaz=3")).continues().has(*three)
    for padded in (" foo=1", "\tfoo=1", "foo=1 ", "foo=1\t", "\t foo=1 \t"):
        send(GOOD, f"tracestate:{padded}").continues().has(("foo", "1"))


def case_33_tracestate_illegal_keys(send):
    send(GOOD, tracestate("foo =1")).lacks("foo", "foo ")
    send(GOOD, tracestate("FOO=1")).lacks("foo", "FOO")
    send(GOOD, tracestate("foo.bar=1")).lacks("foo", "bar", "foo.bar")


def case_34_tracestate_at_signs(send):
    for key in ("foo@", "foo@@bar", "foo@bar@baz"):
        send(GOOD, tracestate(f"{key}=1,bar=2")).continues().has((key, "1"), ("bar", "2"))
    send(GOOD, tracestate("@foo=1,bar=2")).lacks("@foo", "foo", "bar")


def case_35_tracestate_member_limit(send):
    members = [(f"bar{number:02}", f"{number:02}") for number in range(1, 34)]
    text = ["=".join(member) for member in members]
    lines = [tracestate(",".join(text[begin:begin + 8])) for begin in range(0, 32, 8)]
    send(GOOD, *lines).continues().has(*members[:32])
    send(GOOD, *lines, tracestate(text[32])).lacks(*dict(members))


def case_36_tracestate_key_length(send):
    for key in ("z" * 256, f"{'t' * 240}@{'v' * 14}", f"{'t' * 241}@{'v' * 14}", f"t@{'v' * 15}"):
        send(GOOD, tracestate("foo=1"), tracestate(f"{key}=1")).continues().has(("foo", "1"), (key, "1"))
    send(GOOD, tracestate("foo=1"), tracestate(f"{'z' * 257}=1")).lacks("foo", "z" * 257)


def case_37_tracestate_illegal_values(send):
    send(GOOD, tracestate("foo=bar=baz,bar=3")).lacks("foo", "bar")
    send(GOOD, tracestate("foo=,bar=3")).lacks("foo", "bar")


# several calls, and what Level 2 adds


def three_parents(outs):
    assert len({out.parent_id for out in outs}) == 3, "a parent-id is used twice"
    return outs


def case_38_three_calls(send):
    for out in three_parents(send.calls(3, GOOD)):
        out.continues()


def case_39_three_calls_without_traceparent(send):
    three_parents(send.calls(3))


def case_40_three_calls_with_zero_trace_id(send):
    three_parents(send.calls(3, traceparent(f"00-{NO_TRACE}-{PARENT}-01")))


def case_41_random_flag(send):
    out = send(traceparent(f"00-{TRACE}-{PARENT}-02")).continues()
    assert out.flags & 2, f"flags {out.flags:02x}"


CASES = {name[len("case_"):]: case for name, case in list(globals().items()) if name.startswith("case_")}
