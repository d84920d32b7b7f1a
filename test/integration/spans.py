"""Spans as plain dicts, the same from OTLP protobuf (the sink) and OTLP JSON (the Collector's file).

A span: name, kind ("CLIENT"), trace_id, span_id, parent_id (lower-case hex, "" without a parent), flags, tracestate,
start and end (nanoseconds), status ("UNSET", "OK", "ERROR"), message, attributes (Python values), events, links
({trace_id, span_id, flags, attributes}), resource (attributes), scope (name, version), schema_url.
"""

import base64

KINDS = ("UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER")
STATUSES = ("UNSET", "OK", "ERROR")


def is_turn(span):
    """No request stands behind it: it was inferred from calls that belong together."""
    return span["attributes"].get("sidespan.inferred", False)


def from_protobuf(message):
    """Every span of one ExportTraceServiceRequest."""
    found = []
    for resource_spans in message.resource_spans:
        resource = _proto_attributes(resource_spans.resource.attributes)
        for scope_spans in resource_spans.scope_spans:
            around = {
                "resource": resource,
                "scope": (scope_spans.scope.name, scope_spans.scope.version),
                "schema_url": scope_spans.schema_url or resource_spans.schema_url,
            }
            found += [_proto_span(span) | around for span in scope_spans.spans]
    return found


def _proto_span(span):
    return {
        "name": span.name,
        "kind": KINDS[span.kind],
        "trace_id": span.trace_id.hex(),
        "span_id": span.span_id.hex(),
        "parent_id": span.parent_span_id.hex(),
        "flags": span.flags,
        "tracestate": span.trace_state,
        "start": span.start_time_unix_nano,
        "end": span.end_time_unix_nano,
        "status": STATUSES[span.status.code],
        "message": span.status.message,
        "attributes": _proto_attributes(span.attributes),
        "events": [
            {"name": event.name, "time": event.time_unix_nano, "attributes": _proto_attributes(event.attributes)}
            for event in span.events
        ],
        "links": [
            {
                "trace_id": link.trace_id.hex(),
                "span_id": link.span_id.hex(),
                "flags": link.flags,
                "attributes": _proto_attributes(link.attributes),
            }
            for link in span.links
        ],
    }


def _proto_attributes(pairs):
    return _unique((pair.key, _proto_value(pair.value)) for pair in pairs)


def _proto_value(value):
    shape = value.WhichOneof("value")
    if shape == "array_value":
        return [_proto_value(item) for item in value.array_value.values]
    if shape == "kvlist_value":
        return _proto_attributes(value.kvlist_value.values)
    return getattr(value, shape) if shape else None


def from_json(document):
    """Every span of one line of OTLP JSON."""
    found = []
    for resource_spans in document.get("resourceSpans", []):
        resource = _json_attributes(resource_spans.get("resource", {}))
        for scope_spans in resource_spans.get("scopeSpans", []):
            scope = scope_spans.get("scope", {})
            around = {
                "resource": resource,
                "scope": (scope.get("name", ""), scope.get("version", "")),
                "schema_url": scope_spans.get("schemaUrl") or resource_spans.get("schemaUrl", ""),
            }
            found += [_json_span(span) | around for span in scope_spans.get("spans", [])]
    return found


def _json_span(span):
    status = span.get("status", {})
    return {
        "name": span.get("name", ""),
        "kind": KINDS[span.get("kind", 0)],
        "trace_id": span["traceId"].lower(),
        "span_id": span["spanId"].lower(),
        "parent_id": span.get("parentSpanId", "").lower(),
        "flags": span.get("flags", 0),
        "tracestate": span.get("traceState", ""),
        "start": int(span["startTimeUnixNano"]),
        "end": int(span["endTimeUnixNano"]),
        "status": STATUSES[status.get("code", 0)],
        "message": status.get("message", ""),
        "attributes": _json_attributes(span),
        "events": [
            {"name": event["name"], "time": int(event["timeUnixNano"]), "attributes": _json_attributes(event)}
            for event in span.get("events", [])
        ],
        "links": [
            {
                "trace_id": link["traceId"].lower(),
                "span_id": link["spanId"].lower(),
                "flags": link.get("flags", 0),
                "attributes": _json_attributes(link),
            }
            for link in span.get("links", [])
        ],
    }


def _json_attributes(holder):
    return _unique((pair["key"], _json_value(pair.get("value", {}))) for pair in holder.get("attributes", []))


def _json_value(value):
    for shape, content in value.items():
        if shape == "arrayValue":
            return [_json_value(item) for item in content.get("values", [])]
        if shape == "kvlistValue":
            return _unique((pair["key"], _json_value(pair["value"])) for pair in content.get("values", []))
        if shape == "intValue":
            return int(content)
        if shape == "bytesValue":
            return base64.b64decode(content)
        return content
    return None


def _unique(pairs):
    """A dict, unless a key comes twice: OTLP forbids that, and a dict would hide it."""
    result = {}
    for key, value in pairs:
        assert key not in result, f"attribute {key} is there twice"
        result[key] = value
    return result


def seconds(span):
    return (span["end"] - span["start"]) / 1e9
