"""`capture.redact` holds in every URL that a span shows, wherever the URL stood: in a request, in a field, in a body."""

import json

from wire import Client

SECRETS = "https://user:secret@h/x?ticket=secret&token=secret&page=2"
SHOWN = "https://REDACTED:REDACTED@h/x?ticket=REDACTED&token=REDACTED&page=2"
MCP = [("Content-Type", "application/json"), ("Accept", "application/json, text/event-stream"),
       ("Mcp-Protocol-Version", "2025-03-26")]
SQS = [("Content-Type", "application/x-amz-json-1.0"), ("X-Amz-Target", "AmazonSQS.SendMessage")]


def read(number):
    return {"jsonrpc": "2.0", "id": number, "method": "resources/read", "params": {"uri": SECRETS}}


def test_secrets_of_urls_stay_inside_wherever_they_stand(sidecar, origin, sink):
    side = sidecar({"capture": {"redact": ["ticket"], "request_headers": ["referer"]}})
    with Client(side.egress) as agent:
        agent.ask("GET", origin.url("/page?ticket=secret&token=secret&page=2"), [("Referer", SECRETS)])
        agent.ask("POST", origin.url("/mcp"), MCP, json.dumps(read(1)).encode())
        agent.ask("POST", origin.url("/batch"), MCP, json.dumps([read(2), read(3)]).encode())
        agent.ask("POST", origin.url("/"), SQS, json.dumps({"QueueUrl": SECRETS, "MessageBody": "m"}).encode())
    spans = sink.wait(6)
    assert "secret" not in json.dumps([span["attributes"] for span in spans])
    page, = [span["attributes"] for span in spans if "/page" in span["attributes"].get("url.full", "")]
    assert page["url.full"] == origin.url("/page?ticket=REDACTED&token=REDACTED&page=2")
    assert page["http.request.header.referer"] == [SHOWN]
    resources = [span["attributes"]["mcp.resource.uri"] for span in spans if span["name"] == "resources/read"]
    queues = [span["attributes"]["aws.sqs.queue.url"] for span in spans if span["name"].startswith("SendMessage")]
    assert resources == [SHOWN] * 3 and queues == [SHOWN]
