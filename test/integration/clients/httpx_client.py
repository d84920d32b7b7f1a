"""One request with httpx as it comes: METHOD URL [BODY]. Prints the status code."""

import sys

import httpx

method, url, *body = sys.argv[1:]
print(httpx.request(method, url, content=body[0] if body else None, timeout=30).status_code)
