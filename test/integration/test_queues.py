"""SQS and SNS by boto3 under `sidespan run`: each call is one span that says where to, how many, and what came of it.

boto3 is unmodified and signs its calls; the server speaks the shapes that AWS documents (queue_service.py). What a span
must say follows from what the SDK reports, which names a call by the id of its request.
"""

import json
from pathlib import Path

import pytest

import peers
from meaning import ABSENT, differences
from otlp_sink import OtlpSink
from queue_service import ACCOUNT, QueueService
from sidecar import exporting, run

CALLS = Path(__file__).resolve().parent / "clients" / "calls"
TIMEOUT = 240
TYPES = {"SendMessage": "send", "SendMessageBatch": "send", "ReceiveMessage": "receive", "DeleteMessage": "settle",
         "DeleteMessageBatch": "settle", "Publish": "send", "PublishBatch": "send"}
# In the order of queue_calls.py: where to, and how many messages are sent along.
SCRIPT = [("CreateQueue", "orders", None), ("SendMessage", "orders", None), ("SendMessageBatch", "orders", 3),
          ("SendMessageBatch", "orders", 2), ("SendMessageBatch", "orders", 1), ("ReceiveMessage", "orders", None),
          ("ReceiveMessage", "orders", None), ("ReceiveMessage", "orders", None), ("DeleteMessage", "orders", None),
          ("DeleteMessageBatch", "orders", 4), ("SendMessage", "orders-gone", None), ("CreateTopic", "news", None),
          ("Publish", "news", None), ("PublishBatch", "news", 2), ("Publish", None, None),
          ("Publish", "news-gone", None)]


@pytest.fixture(scope="module")
def talked(tmp_path_factory):
    """[(what the SDK said, the span)] of each call, and the address of the service."""
    directory = tmp_path_factory.mktemp("queues")
    sink = OtlpSink()
    with QueueService() as service:
        done = run(directory, [f"{peers.made('sdks')}/bin/python", CALLS / "queue_calls.py", service.url, service.url],
                   exporting(sink.endpoint), timeout=TIMEOUT)
        assert done.returncode == 0, done.stderr
        said = [json.loads(line) for line in done.stdout.splitlines()]
        spans = {span["span_id"]: span for span in sink.wait(1 + len(said), where=lambda s: s["name"] != "CONNECT")}
        sent = {seen["request"]: spans[seen["traceparent"].split("-")[2]] for seen in service.seen}
    sink.stop()
    return [(one, sent[one["request"]]) for one in said], service.url


def expected(said, destination, entries, url):
    service = "sns" if said["action"].startswith("Publish") or said["action"] == "CreateTopic" else "sqs"
    name = said["action"]
    queue = destination and service == "sqs"
    topic = destination and service == "sns"
    # A batch of which nothing was taken failed.
    failed = said["failed"]
    error = said["error"] if said["code"] else None
    if error and service == "sns":
        error = said["code"]
    if failed and failed == entries:
        error = "InvalidParameterValue"
    return {
        "messaging.system": "aws_sqs" if service == "sqs" else "aws.sns",
        "messaging.operation.name": name,
        "messaging.operation.type": TYPES.get(name, ABSENT),
        "messaging.destination.name": destination or ABSENT,
        "messaging.message.id": said["id"] or ABSENT,
        "messaging.batch.message_count": entries or (said["received"] if said["received"] is not None else ABSENT),
        "sidespan.messaging.failed": failed or ABSENT,
        "aws.request_id": said["request"],
        "aws.sqs.queue.url": f"{url}/{ACCOUNT}/{destination}" if queue else ABSENT,
        "aws.sns.topic.arn": f"arn:aws:sns:eu-west-1:{ACCOUNT}:{destination}" if topic else ABSENT,
        "error.type": error or ABSENT,
    }


@pytest.mark.parametrize("at", range(len(SCRIPT)), ids=[f"{at}-{row[0]}" for at, row in enumerate(SCRIPT)])
def test_a_call_is_one_span_that_says_what_it_did(at, talked, sidespan):
    calls, url = talked
    action, destination, entries = SCRIPT[at]
    said, span = calls[at]
    assert said["action"] == action
    wanted = expected(said, destination, entries, url)
    assert not differences(span["attributes"], wanted), said
    assert span["name"] == (f"{action} {destination}" if destination else action)
    assert span["kind"] == ("PRODUCER" if TYPES.get(action) == "send" else "CLIENT")
    assert span["status"] == ("ERROR" if wanted["error.type"] != ABSENT else "UNSET")


def test_what_was_to_be_met_was_met(talked, sidespan):
    calls, _ = talked
    assert len(calls) == len(SCRIPT)
    assert [said["received"] for said, _ in calls if said["received"] is not None] == [1, 4, 0]
    assert [said["failed"] for said, _ in calls if said["failed"]] == [1, 1, 1]
    assert {said["error"] for said, _ in calls} >= {"QueueDoesNotExist"}


def test_no_text_of_a_message_is_in_a_span(talked, sidespan):
    for _, span in talked[0]:
        assert "+1555" not in json.dumps(span["attributes"])
        assert "secret" not in json.dumps(span["attributes"])
