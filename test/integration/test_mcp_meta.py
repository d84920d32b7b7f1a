"""`mcp.inject_meta`: an MCP request over HTTP gets its span's context into `params._meta`, and nothing else of it
changes. What is no such request, is signed, packed or too long passes as it is."""

import json

import pytest

from origin import Origin, Reply
from wire import Wire

HEAD = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
CALL = b'{"jsonrpc":"2.0",  "id":1,"method":"tools/call","params":{"name":"x","arguments":{"n":1.0e2,"t":"\\u00e9"}}}'
