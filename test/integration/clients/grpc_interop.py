"""A client and a server of the service that test_grpc_interop.py describes, by grpcio as it comes:
grpc_interop.py client TARGET plain|tls, grpc_interop.py server HOST [CERTIFICATE KEY]."""

import sys
import threading
import time
from concurrent import futures
from pathlib import Path

import grpc

SERVICE = "/sidespan.test.Interop/"
TIMEOUT = 30


def unary(message, context):
    given = dict(context.invocation_metadata())
    if "x-echo" in given:
        context.send_initial_metadata([("x-echo", given["x-echo"])])
    if "x-echo-bin" in given:
        context.set_trailing_metadata([("x-echo-bin", given["x-echo-bin"])])
    return message


def up(messages, _):
    return b"%d" % sum(len(message) for message in messages)


def down(message, _):
    count, size = map(int, message.split(b","))
    return (bytes(size) for _ in range(count))


def both(messages, _):
    return messages


def fail(message, context):
    context.abort(grpc.StatusCode.FAILED_PRECONDITION, message.decode())


def slow(message, context):
    end = time.monotonic() + 3
    while context.is_active() and time.monotonic() < end:
        time.sleep(0.05)
    return message


class Service(grpc.GenericRpcHandler):
    METHODS = {
        "Unary": grpc.unary_unary_rpc_method_handler(unary),
        "Fail": grpc.unary_unary_rpc_method_handler(fail),
        "Slow": grpc.unary_unary_rpc_method_handler(slow),
        "Up": grpc.stream_unary_rpc_method_handler(up),
        "Down": grpc.unary_stream_rpc_method_handler(down),
        "Both": grpc.stream_stream_rpc_method_handler(both),
    }

    def service(self, details):
        handler = self.METHODS.get(details.method.removeprefix(SERVICE))
        if handler:
            parent = dict(details.invocation_metadata).get("traceparent")
            print("call", details.method.removeprefix(SERVICE), parent, flush=True)
        return handler


def server(host, *pair):
    program = grpc.server(futures.ThreadPoolExecutor(8))
    program.add_generic_rpc_handlers((Service(),))
    if pair:
        certificate, key = (Path(name).read_bytes() for name in pair)
        port = program.add_secure_port(f"{host}:0", grpc.ssl_server_credentials([(key, certificate)]))
    else:
        port = program.add_insecure_port(f"{host}:0")
    program.start()
    print("port", port, flush=True)
    program.wait_for_termination()


def outcome(call):
    """The code of a call that was made, whatever it is."""
    return call.code().value[0]


def collected(call):
    answers = list(call)
    return outcome(call), len(answers)


def tried(call):
    try:
        return call()
    except grpc.RpcError as error:
        return error


def ping_pong(channel, times, last):
    turns = futures.Future()

    def messages():
        yield b"ping"
        for _ in range(times - 1):
            ready.acquire()
            yield b"ping"
        turns.result()

    ready = threading.Semaphore(0)
    call = channel.stream_stream(SERVICE + "Both")(messages(), timeout=TIMEOUT)
    done = 0
    for _ in range(times):
        next(call)
        done += 1
        ready.release()
    last(call)
    turns.set_result(None)
    tried(lambda: next(call, None))
    return outcome(call), done


def client(target, secure):
    channel = grpc.secure_channel(target, grpc.ssl_channel_credentials()) if secure else grpc.insecure_channel(target)
    method = channel.unary_unary(SERVICE + "Unary")
    for name, size in (("empty", 0), ("large", 300_000)):
        answer, call = method.with_call(bytes(size), timeout=TIMEOUT)
        print(name, outcome(call), len(answer))
    sizes = (1000, 20, 100_000)
    answer, call = channel.stream_unary(SERVICE + "Up").with_call((bytes(n) for n in sizes), timeout=TIMEOUT)
    print("up", outcome(call), answer.decode())
    print("down", *collected(channel.unary_stream(SERVICE + "Down")(b"5,1000", timeout=TIMEOUT)))
    print("both", *collected(channel.stream_stream(SERVICE + "Both")(iter([b"a", b"b", b"c"]), timeout=TIMEOUT)))
    print("pingpong", *ping_pong(channel, 4, lambda call: None))

    never = futures.Future()
    call = channel.stream_unary(SERVICE + "Up").future(iter(never.result, None), timeout=TIMEOUT)
    time.sleep(0.2)
    call.cancel()
    print("cancel_begin", outcome(call))
    never.set_result(None)
    print("cancel_first", *ping_pong(channel, 1, lambda call: call.cancel()))
    print("deadline", outcome(tried(lambda: channel.unary_unary(SERVICE + "Slow")(b"", timeout=0.4))))
    error = tried(lambda: channel.unary_unary(SERVICE + "Fail")("näh: 不行 😀\n\tend".encode(), timeout=TIMEOUT))
    print("status", outcome(error), error.details().encode().hex())
    metadata = [("x-echo", "a word"), ("x-echo-bin", b"\x00\xffab\x01")]
    _, call = method.with_call(b"", metadata=metadata, timeout=TIMEOUT)
    print("metadata", outcome(call), dict(call.initial_metadata())["x-echo"],
          dict(call.trailing_metadata())["x-echo-bin"].hex())
    for name, path in (("no_method", SERVICE + "Missing"), ("no_service", "/sidespan.test.Missing/Unary")):
        print(name, outcome(tried(lambda: channel.unary_unary(path)(b"", timeout=TIMEOUT))))
    gzip = {"compression": grpc.Compression.Gzip, "timeout": TIMEOUT}
    answer, call = method.with_call(bytes(20_000), **gzip)
    print("gzip", outcome(call), len(answer))
    messages = iter([bytes(9000), b"0", b""])
    print("gzip_stream", *collected(channel.stream_stream(SERVICE + "Both")(messages, **gzip)))


if __name__ == "__main__":
    what, where, *rest = sys.argv[1:]
    if what == "server":
        server(where, *rest)
    else:
        client(where, rest == ["tls"])
