#include "signed_request.h"

#include "sidespan/base/text.h"
#include "sidespan/trace/w3c.h"

namespace sidespan::proxy {
namespace {

constexpr std::string_view kListInField = "SignedHeaders=";
constexpr std::string_view kListInQuery = "X-Amz-SignedHeaders=";
constexpr std::string_view kReserved = "x-amz-";

// The list behind `key`, which stands at the beginning or behind a separator.
std::string_view list_behind(std::string_view key, std::string_view text, std::string_view ends) {
  for (size_t at = text.find(key); at != std::string_view::npos; at = text.find(key, at + 1)) {
    const bool whole = at == 0 || ends.contains(text[at - 1]);
    if (!whole) continue;
    const std::string_view list = text.substr(at + key.size());
    return list.substr(0, list.find_first_of(ends));
  }
  return {};
}

}  // namespace

std::string SignedFields::names_in(std::string_view authorization, std::string_view path) {
  if (authorization.starts_with(kScheme)) {
    return std::string(list_behind(kListInField, authorization, ", "));
  }
  const size_t query = path.find('?');
  if (query == std::string_view::npos) return {};
  return text::percent_decode(std::string(list_behind(kListInQuery, path.substr(query + 1), "&")));
}

SignedFields::SignedFields(std::string_view authorization, std::string_view path) {
  const std::string list = names_in(authorization, path);
  if (list.empty()) return;
  signed_ = true;
  names_ = ";" + text::lower(list) + ";";
  covers_traceparent_ = covers(trace::kTraceparentField);
  std::optional<std::string_view> rest = list;
  while (rest) {
    if (const auto field = trace::vendor_field(text::split_first(rest, ';'))) {
      if (!field->baggage) formats_ |= trace::VendorFormats{1} << field->format;
    }
  }
}

bool SignedFields::covers(std::string_view name) const {
  if (!signed_) return false;
  const std::string wanted = ";" + text::lower(name) + ";";
  return names_.contains(wanted);
}

bool SignedFields::covers_context_of(std::string_view name) const {
  // A tracestate may not change where its traceparent does not.
  if (covers_traceparent_ && text::equal_ignoring_case(name, trace::kTracestateField)) return true;
  const auto field = trace::vendor_field(name);
  return field && !field->baggage && (formats_ >> field->format & 1U) != 0;
}

bool SignedWriter::may_set(std::string_view name) {
  const bool may = !covered_.covers(name) && !covered_.covers_context_of(name) &&
                   !trace::starts_with_ignoring_case(name, kReserved);
  blocked_ |= !may;
  return may;
}

void SignedWriter::remove_prefix(std::string_view prefix) {
  headers_.remove_if([&](http::Field field) {
    return trace::starts_with_ignoring_case(field.name, prefix) && !covered_.covers(field.name);
  });
}

}  // namespace sidespan::proxy
