"""One answer of Gemini with google-genai as it comes: URL. Prints the answer's text."""

import sys

from google import genai

client = genai.Client(api_key="secret", http_options={"base_url": sys.argv[1], "timeout": 30000})
print(client.models.generate_content(model="gemini-2.5-flash", contents="Say hello.").text)
