"""The smuggling corpus, smuggling/*.jsonl: one case a line, what each must become, and why.

`bytes` is a text whose characters are bytes, or a list of texts and [text, repeat] pairs. In it {u} is the case's own
URL at the origin, {o} the origin's host and port, {n} the last segment of that URL.

requests   verdict `pass`: the origin gets `got`, [method, what follows its own path, body] each, plainly framed.
           A status: `got` (nothing, if it is not there) reaches the origin, then the agent gets that status and a
           close. With `cut` the head may have reached the origin by then, a whole message never. With `or` that status is as good.
answers    to a request with `method` (GET). `pass`: the agent gets `status` (200) and `body`, and the connection is
           used again exactly if `reuse`. 502: it gets that, and the connection is over. `cut`: 502, or an answer that
           breaks off, and the connection is over. `end: close`: the origin closes behind the bytes.
           `again`: how often the request is asked once more.
"""

import json
from pathlib import Path

FOLDER = Path(__file__).resolve().parent / "smuggling"


def load(name):
    lines = (FOLDER / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    cases = [json.loads(line) for line in lines]
    for number, case in enumerate(cases):
        case["n"] = f"{name[0]}{number}"
    return cases


def data_of(case, address):
    """The bytes of a case for an origin at that address."""
    parts = case["bytes"] if isinstance(case["bytes"], list) else [case["bytes"]]
    text = "".join(part if isinstance(part, str) else part[0] * part[1] for part in parts)
    return filled(text, case, address)


def filled(text, case, address):
    text = text.replace("{u}", f"http://{address}/{case['n']}").replace("{o}", address).replace("{n}", case["n"])
    return text.encode("latin-1")
