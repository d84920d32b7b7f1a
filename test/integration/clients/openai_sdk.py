"""One chat completion with the openai SDK as it comes: URL [stream]. Prints the answer's text."""

import sys

import openai

url, *how = sys.argv[1:]
client = openai.OpenAI(api_key="secret", base_url=url + "/v1", max_retries=0, timeout=30)
asked = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Say hello."}]}
if how == ["stream"]:
    with client.chat.completions.create(stream=True, **asked) as chunks:
        print("".join(chunk.choices[0].delta.content or "" for chunk in chunks))
else:
    print(client.chat.completions.create(**asked).choices[0].message.content)
