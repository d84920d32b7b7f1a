// OpenTelemetry's own variables (OTEL_*, SDK environment variable specification) as values of our
// settings. Their rules differ from ours: empty is unset, enumerations ignore case, times are
// milliseconds, and what is not valid is a warning and counts as unset; where that would lose all
// spans (Setting::strict) it is a fault. Pure; used by the rows of the setting table.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "app/config_tree.h"

namespace sidespan::app {

struct StandardValue {
  std::optional<Node> value;  // nothing: the variable says nothing about this setting
  std::string warning;        // one clause, when something in it is not used; may come with a value
};

// One variable that a setting listens to, and how its text becomes the setting's value.
struct StandardVariable {
  std::string_view name;
  StandardValue (*convert)(std::string_view text) = nullptr;
};

namespace standard {

StandardValue as_written(std::string_view text);
StandardValue word(std::string_view text);   // in lower case
StandardValue words(std::string_view text);  // a list
StandardValue milliseconds(std::string_view text);

// OTEL_RESOURCE_ATTRIBUTES: `service.name`, and all the others.
StandardValue resource_name(std::string_view text);
StandardValue resource(std::string_view text);
// OTEL_EXPORTER_OTLP_HEADERS
StandardValue headers(std::string_view text);
// OTEL_EXPORTER_OTLP_ENDPOINT gets v1/traces added, the signal's own is used as it is.
StandardValue base_endpoint(std::string_view text);
StandardValue traces_endpoint(std::string_view text);
// OTEL_TRACES_EXPORTER: `none`, or others without `otlp`, turn the exporter off whatever endpoint
// is named; `otlp` asks for the default endpoint where none is.
StandardValue exporter_off(std::string_view text);
StandardValue exporter_default(std::string_view text);
inline constexpr std::string_view kDefaultEndpoint = "http://localhost:4318/v1/traces";
inline constexpr std::string_view kDefaultGrpcEndpoint = "http://localhost:4317";
// OTEL_PROPAGATORS: names we do not have are left out, with a warning.
StandardValue propagators(std::string_view text);

}  // namespace standard
}  // namespace sidespan::app
