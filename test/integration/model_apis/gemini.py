"""Google's Gemini API: generateContent, its stream as server-sent events, and embeddings.

Prompt tokens include what was read from a cache; candidates' tokens leave out those of thoughts.
"""

import json

from .scenes import SENTENCE, TEXT, Answer

HOST = "generativelanguage.googleapis.com"


def answer(call):
    model, _, method = call.path.rpartition("/")[2].partition(":")
    refusal = refused(call)
    if refusal:
        return refusal
    if method in ("embedContent", "batchEmbedContents"):
        return embeddings(call, method)
    parts, reason, usage, around = made(call, model)
    if method == "generateContent":
        return Answer(document=around | {"candidates": [candidate(parts, reason)], "usageMetadata": usage})
    return streamed(call, parts, reason, usage, around)


def refused(call):
    if call.scene == "refused":
        code, status, text = 404, "NOT_FOUND", "models/none is not found for API version v1beta."
    elif call.scene == "limited":
        code, status, text = 429, "RESOURCE_EXHAUSTED", "You exceeded your current quota."
    else:
        return None
    details = [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "20s"}] if code == 429 else []
    return Answer(code, {"error": {"code": code, "message": text, "status": status, "details": details}})


def made(call, model):
    given = sum("functionResponse" in part for content in call.document["contents"] for part in content["parts"])
    # Of two calls one has no id: both are documented, and both are met.
    parts = [{"functionCall": {"name": name, "args": arguments}
              | ({"id": f"fc-{call.number:04d}"} if number == 1 else {})}
             for number, name, arguments, _ in call.tools(given)] or [{"text": TEXT}]
    tokens = call.tokens()
    usage = {"promptTokenCount": tokens.input, "candidatesTokenCount": tokens.visible,
             "totalTokenCount": tokens.input + tokens.output,
             "promptTokensDetails": [{"modality": "TEXT", "tokenCount": tokens.input}]}
    if call.scene == "cached":
        usage |= {"cachedContentTokenCount": tokens.cache_read, "thoughtsTokenCount": tokens.reasoning,
                  "cacheTokensDetails": [{"modality": "TEXT", "tokenCount": tokens.cache_read}]}
    call.usage = usage
    around = {"modelVersion": model + "-001", "responseId": f"resp-gemini-{call.number:04d}"}
    return parts, "MAX_TOKENS" if call.scene == "cut" else "STOP", usage, around


def candidate(parts, reason=None):
    return {"content": {"role": "model", "parts": parts}, "index": 0} | ({"finishReason": reason} if reason else {})


def streamed(call, parts, reason, usage, around):
    """Usage comes with each piece, and the last one holds."""
    pieces = [[{"text": piece}] for piece in SENTENCE] if "text" in parts[0] else [[part] for part in parts]
    early = {key: usage[key] for key in ("promptTokenCount", "promptTokensDetails")}
    documents = []
    for number, piece in enumerate(pieces, 1):
        last = number == len(pieces)
        counted = usage if last else early | {"candidatesTokenCount": number,
                                              "totalTokenCount": usage["promptTokenCount"] + number}
        documents.append(around | {"usageMetadata": counted,
                                   "candidates": [candidate(piece, reason if last else None)]})
    broken = call.scene == "broken"
    documents = documents[:3] if broken else documents
    if "alt=sse" in call.query:
        events = [b"data: " + json.dumps(document).encode() + b"\r\n\r\n" for document in documents]
        return Answer(events=events, kind="text/event-stream", broken=broken)
    marks = [b"["] + [b",\r\n"] * (len(documents) - 1)
    events = [mark + json.dumps(document, indent=1).encode() for mark, document in zip(marks, documents)]
    return Answer(events=[*events, b"]"], broken=broken)


def embeddings(call, method):
    values = {"values": [0.25, -0.5, 0.125]}
    if method == "embedContent":
        return Answer(document={"embedding": values})
    return Answer(document={"embeddings": [values for _ in call.document["requests"]]})
