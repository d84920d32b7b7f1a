"""The propagators of OpenTelemetry and Datadog as they are published: one JSON line in, one out.

    {"do": "inject", "format": "b3", "trace_id": HEX, "span_id": HEX, "sampled": true}  ->  {header: value}
    {"do": "extract", "format": "b3", "headers": {...}}  ->  {"trace_id": HEX, "span_id": HEX, "sampled": true} or null
"""

import json
import os
import sys

os.environ.update(DD_TRACE_ENABLED="false", DD_TRACE_PROPAGATION_STYLE="datadog",
                  DD_INSTRUMENTATION_TELEMETRY_ENABLED="false", DD_REMOTE_CONFIGURATION_ENABLED="false")

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.propagators.aws import AwsXRayPropagator
from opentelemetry.propagators.b3 import B3MultiFormat, B3SingleFormat
from opentelemetry.propagators.jaeger import JaegerPropagator
from opentelemetry.propagators.ot_trace import OTTracePropagator
from opentelemetry.propagators.textmap import Getter

OPENTELEMETRY = {"b3": B3SingleFormat, "b3multi": B3MultiFormat, "jaeger": JaegerPropagator, "xray": AwsXRayPropagator,
                 "ottrace": OTTracePropagator}


class Headers(Getter):
    """As web frameworks have them: names in any case."""

    def get(self, carrier, key):
        return [carrier[key.lower()]] if key.lower() in carrier else None

    def keys(self, carrier):
        return list(carrier)


class OpenTelemetry:
    def __init__(self, name):
        self.propagator = OPENTELEMETRY[name]()

    def inject(self, trace_id, span_id, sampled):
        headers = {}
        span = trace.NonRecordingSpan(trace.SpanContext(int(trace_id, 16), int(span_id, 16), False,
                                                        trace.TraceFlags(int(sampled))))
        self.propagator.inject(headers, trace.set_span_in_context(span, Context()))
        return headers

    def extract(self, headers):
        context = trace.get_current_span(self.propagator.extract(headers, Context(), Headers())).get_span_context()
        if not context.is_valid:
            return None
        return {"trace_id": f"{context.trace_id:032x}", "span_id": f"{context.span_id:016x}",
                "sampled": context.trace_flags.sampled}


class Datadog:
    def inject(self, trace_id, span_id, sampled):
        from ddtrace.propagation.http import HTTPPropagator
        from ddtrace.trace import Context as DatadogContext
        headers = {}
        context = DatadogContext(trace_id=int(trace_id, 16), span_id=int(span_id, 16),
                                 sampling_priority=2 if sampled else -1)
        HTTPPropagator.inject(context, headers)
        return headers

    def extract(self, headers):
        from ddtrace.propagation.http import HTTPPropagator
        context = HTTPPropagator.extract(headers)
        if not context.trace_id:
            return None
        return {"trace_id": f"{context.trace_id:032x}", "span_id": f"{context.span_id:016x}",
                "sampled": context.sampling_priority > 0, "priority": context.sampling_priority}


for line in sys.stdin:
    asked = json.loads(line)
    judge = Datadog() if asked["format"] == "datadog" else OpenTelemetry(asked["format"])
    answer = (judge.inject(asked["trace_id"], asked["span_id"], asked["sampled"]) if asked["do"] == "inject"
              else judge.extract({name.lower(): value for name, value in asked["headers"].items()}))
    print(json.dumps(answer), flush=True)
