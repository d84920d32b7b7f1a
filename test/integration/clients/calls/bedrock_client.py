"""The client of boto3 that both drivers of Bedrock use, and what it says of an error."""

import boto3
from botocore.config import Config

from driving import fault

client = boto3.client("bedrock-runtime", region_name="us-east-1", aws_access_key_id="id",
                      aws_secret_access_key="secret", config=Config(retries={"total_max_attempts": 1}))


def describe(error):
    answer = getattr(error, "response", None) or {}
    return fault(error, status=answer.get("ResponseMetadata", {}).get("HTTPStatusCode"),
                 type=answer.get("Error", {}).get("Code"))  # which is what AWS's field calls the type
