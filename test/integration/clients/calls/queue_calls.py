"""SQS and SNS with boto3 as it comes: SQS_URL SNS_URL. A JSON line for each call with what the SDK reports of it: the
ids of messages, how many there were, what failed, the error's name.
"""

import json
import sys

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

sqs_url, sns_url = sys.argv[1:]


def client(service, url):
    return boto3.client(service, endpoint_url=url, region_name="eu-west-1", aws_access_key_id="id",
                        aws_secret_access_key="secret", config=Config(retries={"total_max_attempts": 1}))


sqs, sns = client("sqs", sqs_url), client("sns", sns_url)


def call(service, action, **what):
    said = {"action": action, "id": None, "received": None, "failed": 0, "error": None, "code": None}
    method = getattr(service, "".join("_" + c.lower() if c.isupper() else c for c in action).strip("_"))
    try:
        answer = method(**what)
    except ClientError as error:
        answer = error.response
        said |= {"error": type(error).__name__, "code": answer["Error"]["Code"]}
    said |= {"request": answer["ResponseMetadata"]["RequestId"], "id": answer.get("MessageId")}
    said["failed"] = len(answer.get("Failed", []))
    if action == "ReceiveMessage" and said["error"] is None:
        messages = answer.get("Messages", [])
        said["received"] = len(messages)
        said["id"] = messages[0]["MessageId"] if len(messages) == 1 else None
    print(json.dumps(said, sort_keys=True), flush=True)
    return answer


queue = call(sqs, "CreateQueue", QueueName="orders")["QueueUrl"]
call(sqs, "SendMessage", QueueUrl=queue, MessageBody="one <MessageId>&")
call(sqs, "SendMessageBatch", QueueUrl=queue, Entries=[{"Id": str(i), "MessageBody": "x" * i} for i in range(1, 4)])
call(sqs, "SendMessageBatch", QueueUrl=queue, Entries=[{"Id": "a", "MessageBody": "refuse"},
                                                        {"Id": "b", "MessageBody": "y"}])
call(sqs, "SendMessageBatch", QueueUrl=queue, Entries=[{"Id": "a", "MessageBody": "refuse"}])
one = call(sqs, "ReceiveMessage", QueueUrl=queue)["Messages"]
more = call(sqs, "ReceiveMessage", QueueUrl=queue, MaxNumberOfMessages=10)["Messages"]
call(sqs, "ReceiveMessage", QueueUrl=queue)
call(sqs, "DeleteMessage", QueueUrl=queue, ReceiptHandle=one[0]["ReceiptHandle"])
call(sqs, "DeleteMessageBatch", QueueUrl=queue,
     Entries=[{"Id": str(i), "ReceiptHandle": m["ReceiptHandle"]} for i, m in enumerate(more)])
call(sqs, "SendMessage", QueueUrl=queue + "-gone", MessageBody="x")
topic = call(sns, "CreateTopic", Name="news")["TopicArn"]
call(sns, "Publish", TopicArn=topic, Message="Action=No&TopicArn=no <MessageId>")
call(sns, "PublishBatch", TopicArn=topic,
     PublishBatchRequestEntries=[{"Id": "a", "Message": "1"}, {"Id": "b", "Message": "refuse"}])
call(sns, "Publish", PhoneNumber="+15550100", Message="x")
call(sns, "Publish", TopicArn=topic + "-gone", Message="x")
