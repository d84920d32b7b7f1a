#include "app/setting_standard.h"

#include <doctest/doctest.h>

#include <string>

#include "app/setting_table.h"

namespace sidespan::app {
namespace {

struct Row {
  const char* name;
  StandardValue (*convert)(std::string_view);
  const char* text;
  const char* value;    // as YAML; empty: none
  const char* warning;  // empty: none
};

TEST_CASE("OpenTelemetry's variables as values of settings") {
  namespace s = standard;
  const Row rows[] = {
      {"as written", s::as_written, " My Agent ", "\"My Agent\"", ""},
      {"enumerations ignore case", s::word, "AlwaysOn", "alwayson", ""},
      {"lists", s::words, "GET, POST,,", "[GET, POST]", ""},
      {"milliseconds", s::milliseconds, "10000", "10000ms", ""},
      {"a unit is no number", s::milliseconds, "10s", "",
       "'10s' is no number of milliseconds; it is ignored"},
      {"a negative time", s::milliseconds, "-1", "",
       "'-1' is no number of milliseconds; it is ignored"},

      {"attributes", s::resource, "a=b, c.d = e", "{a: b, c.d: e}", ""},
      {"percent-encoding", s::resource, "a=b%2Cc%20d", "{a: \"b,c d\"}", ""},
      {"a value with =", s::resource, "a=b=c", "{a: \"b=c\"}", ""},
      {"the last of a name counts", s::resource, "a=b,a=c", "{a: c}", ""},
      {"without the name", s::resource, "service.name=x,a=b", "{a: b}", ""},
      {"the name alone", s::resource, "service.name=x", "", ""},
      {"the name", s::resource_name, "a=b,service.name=x", "x", ""},
      {"no name", s::resource_name, "a=b", "", ""},
      {"an empty name", s::resource_name, "service.name=", "", ""},
      {"one mistake spoils all", s::resource, "a=b,c", "",
       "is no list of key=value; it is ignored"},
      {"an empty key", s::resource, "=b", "", "is no list of key=value; it is ignored"},
      {"half an escape", s::resource, "a=b%2", "", "is not well percent-encoded; it is ignored"},
      {"no hex", s::resource_name, "service.name=%zz", "",
       "is not well percent-encoded; it is ignored"},
      {"no UTF-8", s::resource, "a=%ff", "", "is not well percent-encoded; it is ignored"},

      {"headers", s::headers, "Authorization=Bearer%20x,b=c", "{Authorization: \"Bearer x\", b: c}",
       ""},
      {"a mistake in headers", s::headers, "geheim", "",
       "is no list of key=value; it is ignored, and exports go out without its headers"},
      {"half an escape in headers", s::headers, "Authorization=Basic abc%", "",
       "is not well percent-encoded; it is ignored, and exports go out without its headers"},

      {"a base", s::base_endpoint, "http://c:4318", "http://c:4318/v1/traces", ""},
      {"a base with slash", s::base_endpoint, "http://c:4318/", "http://c:4318/v1/traces", ""},
      {"a base with path", s::base_endpoint, "http://c/p", "http://c/p/v1/traces", ""},
      {"the signal's own", s::traces_endpoint, "http://c/p", "http://c/p", ""},
      {"the signal's own without path", s::traces_endpoint, "http://c:1",
       "{url: http://c:1, path: /}", ""},
      {"the signal's own with a slash", s::traces_endpoint, "http://c:1/",
       "{url: http://c:1/, path: /}", ""},

      {"no exporter", s::exporter_off, "None", "off", ""},
      {"ours does not say off", s::exporter_off, "otlp", "", ""},
      {"another exporter", s::exporter_off, "zipkin", "off",
       "'zipkin' is not in this version, only otlp and none; nothing is exported"},
      {"two others", s::exporter_off, "console,zipkin", "off",
       "'console', 'zipkin' is not in this version, only otlp and none; nothing is exported"},
      {"ours and another", s::exporter_off, "otlp,console", "",
       "'console' is not in this version, only otlp and none; it is left out"},
      {"no name at all", s::exporter_off, ",", "", ""},
      {"ours has an endpoint", s::exporter_default, "OTLP", "http://localhost:4318/v1/traces", ""},
      {"none has not", s::exporter_default, "none", "", ""},

      {"propagators", s::propagators, "TraceContext,baggage", "[tracecontext, baggage]", ""},
      {"no propagators", s::propagators, "tracecontext,none", "[none]", ""},
      {"all of OpenTelemetry's names", s::propagators,
       "tracecontext,baggage,b3,b3multi,jaeger,xray,ottrace",
       "[tracecontext, baggage, b3, b3multi, jaeger, xray, ottrace]", ""},
      {"vendors' names", s::propagators, "Datadog,gcp", "[datadog, gcp]", ""},
      {"one we have not", s::propagators, "xray-lambda,tracecontext", "[tracecontext]",
       "'xray-lambda' is not in this version and left out"},
      {"none that we have", s::propagators, "b4,x", "",
       "'b4', 'x' is not in this version and left out"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    const StandardValue value = row.convert(row.text);
    CHECK((value.value ? to_yaml(*value.value) : "") == row.value);
    CHECK(value.warning == row.warning);
  }
}

}  // namespace
}  // namespace sidespan::app
