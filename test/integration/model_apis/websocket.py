"""OpenAI's Responses API over a WebSocket: each `response.create` of the client is answered with the typed events that a
stream of server-sent events would have, a message each."""

import json

from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory
from websockets.frames import Opcode
from websockets.protocol import State
from websockets.server import ServerProtocol

from . import openai_responses


def serve(sock, request, called, packed):
    """Speaks until the client ends; `called(document, raw)` makes a Call of each create. `packed`: by permessage-deflate,
    where the client offers it."""
    protocol = ServerProtocol(extensions=[ServerPerMessageDeflateFactory()] if packed else [])
    protocol.receive_data(request.raw)
    handshake, = protocol.events_received()
    protocol.send_response(protocol.accept(handshake))
    _flush(sock, protocol)
    while protocol.state is not State.CLOSED:
        data = sock.recv(65536)
        if data:
            protocol.receive_data(data)
        else:
            protocol.receive_eof()
        for frame in protocol.events_received():
            if frame.opcode is Opcode.TEXT:
                call = called(json.loads(frame.data), frame.data)
                events = _events(call)
                for event in events[:len(events) // 2] if call.scene == "broken" else events:
                    protocol.send_text(json.dumps(event).encode())
                    _flush(sock, protocol)
                if call.scene == "broken":
                    return False
        _flush(sock, protocol)
    return False


def _events(call):
    events = openai_responses.events_of(call, openai_responses.made(call))
    return [event | {"sequence_number": number} for number, event in enumerate(events)]


def _flush(sock, protocol):
    for data in protocol.data_to_send():
        if data:
            sock.sendall(data)
