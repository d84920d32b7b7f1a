"""An agent as they are: Python's standard library, some trace headers of its own here and there, no word of sidespan.

Says on stdout what it did, a JSON line a call. When it is told to end, it finishes what it does and makes one last
call, as agents do that flush a memory or sign off from a queue.
"""

import json
import signal
import sys
import threading
import time
import urllib.error
import urllib.request

ORIGIN = "http://127.0.0.1:8080"
OWN = "00-4bf92f3577b34da6a3ce929d0e0e4736-{:016x}-01"

told_to_end = threading.Event()
signal.signal(signal.SIGTERM, lambda number, frame: told_to_end.set())


def call(path, body=None, **headers):
    request = urllib.request.Request(ORIGIN + path, data=body, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            status, content = answer.status, answer.read()
    except urllib.error.HTTPError as answer:
        status, content = answer.code, answer.read()
    except OSError as fault:
        status, content = 0, str(fault).encode()
    print(json.dumps({"path": path, "method": request.get_method(), "status": status,
                      "traceparent": headers.get("traceparent"), "answer": content.decode()[:200]}), flush=True)


def main():
    for number in range(4):
        call(f"/plain/{number}")
    for number in range(1, 5):
        call(f"/traced/{number}", traceparent=OWN.format(number), tracestate="acme=agent")
    call("/upload", body=b"x" * 100_000)
    call("/upload-traced", body=b"y" * 10, traceparent=OWN.format(9))
    call("/missing")
    threads = [threading.Thread(target=call, args=(f"/parallel/{number}",)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(json.dumps({"waiting": True}), flush=True)
    told_to_end.wait()
    time.sleep(0.3)
    call("/last", traceparent=OWN.format(255))
    return 0


sys.exit(main())
