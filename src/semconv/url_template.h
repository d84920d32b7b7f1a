// `spans.url_templates`: paths with variables, "/v1/users/{id}", which name a client span without
// naming every user (url.template).
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace sidespan::semconv {

// Segment by segment: "{...}" stands for one that is not empty, all else for itself. `path` has no
// query.
bool matches_template(std::string_view pattern, std::string_view path);

// The first template that matches; empty when none does. A view into `templates`.
std::string_view template_of(std::span<const std::string> templates, std::string_view path);

}  // namespace sidespan::semconv
