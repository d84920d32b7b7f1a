"""One request with Python's urllib as it comes: METHOD URL [BODY]. Prints the status code."""

import sys
import urllib.error
import urllib.request

method, url, *body = sys.argv[1:]
request = urllib.request.Request(url, method=method, data=body[0].encode() if body else None)
try:
    with urllib.request.urlopen(request, timeout=30) as response:
        response.read()
        print(response.status)
except urllib.error.HTTPError as answer:
    print(answer.code)
