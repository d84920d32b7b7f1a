"""agents_run.py with OpenTelemetry's own instrumentations of the openai SDK and of its HTTP client: ROUNDS API.

Prints what that prints, and then as one JSON line the spans that the instrumentations made.
"""

import json
import runpy
import sys
from pathlib import Path

from opentelemetry import trace
from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor
from opentelemetry.instrumentation.openai_v2 import OpenAIInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

finished = InMemorySpanExporter()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(finished))
trace.set_tracer_provider(provider)
HTTPXClientInstrumentor().instrument()
OpenAIInstrumentor().instrument()
runpy.run_path(str(Path(__file__).with_name("agents_run.py")), run_name="__main__")
sys.stdout.flush()
print(json.dumps([{"name": span.name, "span_id": f"{span.context.span_id:016x}",
                   "attributes": {key: value for key, value in span.attributes.items() if isinstance(value, (str, int))}}
                  for span in finished.get_finished_spans()]))
