"""An agent as they are: Python's standard library, some trace headers of its own here and there, no word of sidespan.

Says on stdout what it did, a JSON line a call. SIGUSR1 asks it for one more. When it is told to end, it finishes what it
does and makes two last calls, as agents do that flush a memory or sign off from a queue.
"""

import json
import signal
import sys
import threading
import time
import urllib.error
import urllib.request

PLAIN, SECURE = "http://127.0.0.1:8080", "https://localhost:8443"
OWN = "00-4bf92f3577b34da6a3ce929d0e0e4736-{:016x}-01"

asked, told_to_end = threading.Event(), threading.Event()
signal.signal(signal.SIGUSR1, lambda number, frame: asked.set())
signal.signal(signal.SIGTERM, lambda number, frame: told_to_end.set())


def call(path, body=None, origin=PLAIN, **headers):
    request = urllib.request.Request(origin + path, data=body, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            status, content = answer.status, answer.read()
    except urllib.error.HTTPError as answer:
        status, content = answer.code, answer.read()
    except OSError as fault:
        status, content = 0, str(fault).encode()
    print(json.dumps({"path": path, "url": request.full_url, "method": request.get_method(), "status": status,
                      "traceparent": headers.get("traceparent"), "tracestate": headers.get("tracestate"),
                      "answer": content.decode()[:200]}), flush=True)


def at_once(path, count, **how):
    threads = [threading.Thread(target=call, args=(f"{path}/{number}",), kwargs=how) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def main():
    for number in range(4):
        call(f"/plain/{number}")
    for number in range(1, 5):
        call(f"/traced/{number}", traceparent=OWN.format(number), tracestate="acme=agent")
    call("/upload", body=b"x" * 100_000)
    call("/upload-traced", body=b"y" * 10, traceparent=OWN.format(9))
    call("/missing")
    at_once("/parallel", 8)
    for number in range(3):
        call(f"/secure/{number}", origin=SECURE)
    for number in range(1, 4):
        call(f"/secure-traced/{number}", origin=SECURE, traceparent=OWN.format(number), tracestate="acme=agent")
    call("/secure-upload", body=b"z" * 100_000, origin=SECURE)
    at_once("/secure-parallel", 4, origin=SECURE)
    print(json.dumps({"waiting": True}), flush=True)
    while not told_to_end.wait(0.1):
        if asked.is_set():
            asked.clear()
            call("/asked", origin=SECURE)
    time.sleep(0.3)
    call("/last-secure", origin=SECURE, traceparent=OWN.format(254))
    call("/last", traceparent=OWN.format(255))
    return 0


sys.exit(main())
