"""A server that speaks the documented shapes of SQS (AWS JSON 1.0) and SNS (query protocol, XML), for boto3 to talk to.

    with QueueService() as service:
        service.url                        # http://127.0.0.1:PORT, of both
        service.seen                       # {action, traceparent, status, request id} of each call

Queues and topics live as long as it does. A message whose text is "refuse" is not taken where it is one of a batch.
"""

import json
import threading
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

ACCOUNT = "123456789012"
REFUSED = "InvalidParameterValue"


class Refused(Exception):
    def __init__(self, name, code, status=400):
        super().__init__(name)
        self.name, self.code, self.status = name, code, status


class QueueService:
    def __init__(self):
        self.seen = []
        self.queues = {}
        self.topics = set()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._server.service = self
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self):
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()

    def sqs(self, action, asked):
        """The answer's document."""
        if action == "CreateQueue":
            self.queues[asked["QueueName"]] = []
            return {"QueueUrl": f"{self.url}/{ACCOUNT}/{asked['QueueName']}"}
        queue = self.queues.get(asked["QueueUrl"].rpartition("/")[2])
        if queue is None:
            raise Refused("QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue")
        if action == "SendMessage":
            return self._taken(queue, asked["MessageBody"])
        if action == "SendMessageBatch":
            return _batch(asked["Entries"], lambda one: self._taken(queue, one["MessageBody"]), "MessageBody")
        if action == "ReceiveMessage":
            count = asked.get("MaxNumberOfMessages", 1)
            found = [queue.pop(0) for _ in range(min(count, len(queue)))]
            return {"Messages": found} if found else {}
        if action == "DeleteMessageBatch":
            return _batch(asked["Entries"], lambda one: {}, "ReceiptHandle")
        return {}

    @staticmethod
    def _taken(queue, body):
        message = {"MessageId": str(uuid.uuid4()), "ReceiptHandle": uuid.uuid4().hex, "Body": body}
        queue.append(message)
        return {"MessageId": message["MessageId"]}

    def sns(self, action, asked):
        """The result's XML."""
        if action == "CreateTopic":
            arn = f"arn:aws:sns:eu-west-1:{ACCOUNT}:{asked['Name']}"
            self.topics.add(arn)
            return f"<TopicArn>{arn}</TopicArn>"
        if "TopicArn" in asked and asked["TopicArn"] not in self.topics:
            raise Refused("NotFound", "NotFound", 404)
        if action == "Publish":
            return f"<MessageId>{uuid.uuid4()}</MessageId>"
        entries = []
        while f"PublishBatchRequestEntries.member.{len(entries) + 1}.Id" in asked:
            at = f"PublishBatchRequestEntries.member.{len(entries) + 1}."
            entries.append({"Id": asked[at + "Id"], "Message": asked[at + "Message"]})
        answer = _batch(entries, lambda one: {"MessageId": str(uuid.uuid4())}, "Message")
        return "".join(f"<{kind}>{''.join(_member(one) for one in answer.get(kind, []))}</{kind}>"
                       for kind in ("Failed", "Successful"))


def _member(one):
    fields = (f"<{name}>{escape(str(value).lower() if value is True else value)}</{name}>"
              for name, value in one.items())
    return f"<member>{''.join(fields)}</member>"


def _batch(entries, take, text):
    good = [{"Id": one["Id"]} | take(one) for one in entries if one[text] != "refuse"]
    bad = [{"Id": one["Id"], "Code": REFUSED, "SenderFault": True} for one in entries if one[text] == "refuse"]
    return {name: some for name, some in (("Successful", good), ("Failed", bad)) if some}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        target = self.headers.get("X-Amz-Target", "")
        if target:
            self._json(target.removeprefix("AmazonSQS."), json.loads(body))
        else:
            asked = {name: values[0] for name, values in parse_qs(body.decode(), keep_blank_values=True).items()}
            self._query(asked["Action"], asked)

    def _json(self, action, asked):
        status, extra = 200, {}
        try:
            answer = self.server.service.sqs(action, asked)
        except Refused as fault:
            status, answer = fault.status, {"__type": f"com.amazonaws.sqs#{fault.name}", "message": "no"}
            extra = {"x-amzn-query-error": f"{fault.code};Sender"}
        self._answer(action, status, "application/x-amz-json-1.0", json.dumps(answer), extra)

    def _query(self, action, asked):
        status = 200
        try:
            inside = self.server.service.sns(action, asked)
            text = f"<{action}Response xmlns=\"http://sns.amazonaws.com/doc/2010-03-31/\"><{action}Result>{inside}" \
                   f"</{action}Result><ResponseMetadata><RequestId>%s</RequestId></ResponseMetadata></{action}Response>"
        except Refused as fault:
            status = fault.status
            text = f"<ErrorResponse><Error><Type>Sender</Type><Code>{fault.code}</Code><Message>no</Message></Error>" \
                   "<RequestId>%s</RequestId></ErrorResponse>"
        self._answer(action, status, "text/xml", text, {})

    def _answer(self, action, status, kind, text, extra):
        request = str(uuid.uuid4())
        data = text.replace("%s", request).encode()
        self.server.service.seen.append({"action": action, "traceparent": self.headers.get("traceparent"),
                                         "status": status, "request": request})
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": len(data), "x-amzn-RequestId": request}.items():
            self.send_header(name, str(value))
        for name, value in extra.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        pass
