"""One Converse call of Amazon Bedrock with boto3 as it comes: URL. Prints the answer's text."""

import sys

import boto3
from botocore.config import Config

client = boto3.client("bedrock-runtime", endpoint_url=sys.argv[1], region_name="us-east-1", aws_access_key_id="id",
                      aws_secret_access_key="secret", config=Config(retries={"total_max_attempts": 1}))
answer = client.converse(modelId="anthropic.claude-3-haiku-20240307-v1:0",
                         messages=[{"role": "user", "content": [{"text": "Say hello."}]}])
print(answer["output"]["message"]["content"][0]["text"])
