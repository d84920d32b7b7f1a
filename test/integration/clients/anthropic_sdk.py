"""One message with the anthropic SDK as it comes: URL [stream]. Prints the answer's text."""

import sys

import anthropic

url, *how = sys.argv[1:]
client = anthropic.Anthropic(api_key="secret", base_url=url, max_retries=0, timeout=30)
asked = {"model": "claude-sonnet-5-5", "max_tokens": 16, "messages": [{"role": "user", "content": "Say hello."}]}
if how == ["stream"]:
    with client.messages.stream(**asked) as stream:
        print("".join(stream.text_stream))
else:
    print(client.messages.create(**asked).content[0].text)
