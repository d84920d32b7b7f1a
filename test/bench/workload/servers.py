"""The origins, a process each: `python -m workload.servers model|tools KNOBS`. Prints its ports; when its input ends it
writes down which span every request came with, and ends.
"""

import asyncio
import gc
import json
import sys
from pathlib import Path

from .http1 import Served, serve
from .model_server import Model
from .tool_server import Tools

FIRST = {"model": 0, "tools": 1_000_000_000}  # numbers of one are none of the other


async def main():
    role, knobs = sys.argv[1], json.loads(sys.argv[2])
    origin = Model(knobs) if role == "model" else Tools(knobs)
    served = Served(FIRST[role])
    listeners = [await serve(origin.handle, served) for _ in range(1 if role == "model" else knobs["tool_servers"])]
    print(json.dumps([port for _, port in listeners]), flush=True)
    await asyncio.to_thread(sys.stdin.read)
    served.write(Path(knobs["served"]))


if __name__ == "__main__":
    gc.disable()  # as in the agents
    asyncio.run(main())
