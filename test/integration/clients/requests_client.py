"""One request with requests as it comes: METHOD URL [BODY]. Prints the status code."""

import sys

import requests

method, url, *body = sys.argv[1:]
print(requests.request(method, url, data=body[0] if body else None, timeout=30).status_code)
