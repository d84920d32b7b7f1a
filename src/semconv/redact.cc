#include "sidespan/semconv/redact.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "sidespan/base/text.h"

namespace sidespan::semconv {
namespace {

constexpr std::string_view kRedacted = "REDACTED";
constexpr std::string_view kRedactedUserinfo = "REDACTED:REDACTED@";

// http/http-spans, url.full: signed URLs of the big clouds.
constexpr std::array<std::string_view, 7> kSignatureNames = {
    "AWSAccessKeyId",   "Signature", "X-Amz-Credential", "X-Amz-Security-Token", "X-Amz-Signature",
    "X-Goog-Signature", "sig"};
// Ours: what APIs call the key that opens them.
constexpr std::array<std::string_view, 17> kSecretNames = {
    "access_token",     "api_key", "key",     "token",         "password",
    "secret",           "apikey",  "api-key", "x-api-key",     "auth_token",
    "id_token",         "pwd",     "passwd",  "refresh_token", "client_secret",
    "subscription-key", "jwt"};

bool is_one_of(std::string_view text, std::span<const std::string_view> names) {
  return std::ranges::any_of(
      names, [&](std::string_view name) { return text::equal_ignoring_case(text, name); });
}

// Sizes that a secret name may have, one bit each: most names are told apart by that alone.
constexpr uint64_t sizes_of(std::span<const std::string_view> names) {
  uint64_t sizes = 0;
  for (const std::string_view name : names) sizes |= uint64_t{1} << name.size();
  return sizes;
}
constexpr uint64_t kSizes = sizes_of(kSignatureNames) | sizes_of(kSecretNames);

bool may_be_secret(std::string_view name) {
  return name.size() < 64 && ((kSizes >> name.size()) & 1U) != 0;
}

// Where the parameter at the front of `query` ends, if its value is no secret.
size_t parameter_end(std::string_view query) {
  size_t at = 0;
  while (at < query.size() && query[at] != '&' && query[at] != ';') ++at;
  return at;
}

// Header names that no word below gives away.
constexpr std::array<std::string_view, 5> kSecretHeaders = {
    "authentication-info", "proxy-authentication-info", "x-amzn-oidc-data", "x-honeycomb-team",
    "x-auth-key"};
// A header with one of these between its dashes holds a secret.
constexpr std::array<std::string_view, 11> kSecretWords = {
    "authorization", "cookie",    "cookie2",    "secret",      "password", "passwd",
    "passphrase",    "signature", "credential", "credentials", "jwt"};
// "-key" alone does not say it (Idempotency-Key, Sec-WebSocket-Key); with one of these before it
// does.
constexpr std::array<std::string_view, 11> kKeyOwners = {
    "api",       "access",  "account", "application",  "app",     "customer",
    "functions", "private", "secret",  "subscription", "rapidapi"};

// Their values refer to URLs (RFC 9110, RFC 8288; Refresh is HTML's).
constexpr std::array<std::string_view, 5> kReferringHeaders = {"location", "content-location",
                                                               "referer", "link", "refresh"};

// "token", "accesstoken", "apikey"; not the plural, with which rate limits are counted.
bool ends_in(std::string_view word, std::string_view end) {
  return word.size() >= end.size() &&
         text::equal_ignoring_case(word.substr(word.size() - end.size()), end);
}

bool is_secret_word(std::string_view before, std::string_view word) {
  if (is_one_of(word, kSecretWords)) return true;
  if (text::equal_ignoring_case(word, "key")) return is_one_of(before, kKeyOwners);
  return ends_in(word, "apikey");
}

// `counts`: it may be of what models count by the token, as "token-count" and "cost-per-token" do.
bool has_secret_word(std::string_view name, bool counts) {
  if (is_one_of(name, kSecretHeaders)) return true;
  constexpr std::array<std::string_view, 2> kCounted = {"per", "first"};
  std::string_view before;
  for (size_t begin = 0; begin <= name.size();) {
    const size_t end = std::min(name.find_first_of("-_", begin), name.size());
    const std::string_view word = name.substr(begin, end - begin);
    if (is_secret_word(before, word)) return true;
    const bool counted = counts && (end < name.size() || is_one_of(before, kCounted));
    if (!counted && ends_in(word, "token")) return true;
    before = word;
    begin = end + 1;
  }
  return false;
}

}  // namespace

bool is_secret_parameter(std::string_view name, std::span<const std::string> further) {
  std::string decoded;
  if (name.find('%') != std::string_view::npos) {
    decoded = text::percent_decode(name);
    name = decoded;
  }
  const bool known =
      may_be_secret(name) && (is_one_of(name, kSignatureNames) || is_one_of(name, kSecretNames));
  return known || std::ranges::any_of(further, [&](const std::string& own) {
           return text::equal_ignoring_case(name, own);
         });
}

void append_redacted_query(std::string& out, std::string_view query,
                           std::span<const std::string> further) {
  while (!query.empty()) {
    size_t end = parameter_end(query);
    const size_t equals = query.substr(0, end).find('=');
    const bool secret =
        equals != std::string_view::npos && is_secret_parameter(query.substr(0, equals), further);
    if (secret) end = std::min(query.find('&', equals), query.size());
    out.append(query.substr(0, secret ? equals + 1 : end));
    if (secret) out.append(kRedacted);
    if (end < query.size()) out.push_back(query[end]);
    query.remove_prefix(std::min(end + 1, query.size()));
  }
}

bool has_secret(const http::Url& url, std::span<const std::string> further) {
  if (!url.userinfo.empty()) return true;
  std::string_view query = url.path;
  query.remove_prefix(std::min(query.find('?'), query.size()));
  while (!query.empty()) {
    query.remove_prefix(1);  // what parts it from the one before
    const std::string_view parameter = query.substr(0, parameter_end(query));
    const size_t equals = parameter.find('=');
    if (equals != std::string_view::npos &&
        is_secret_parameter(parameter.substr(0, equals), further)) {
      return true;
    }
    query.remove_prefix(parameter.size());
  }
  return false;
}

void append_redacted_url(std::string& out, const http::Url& url,
                         std::span<const std::string> further) {
  out.append(url.scheme).append("://");
  if (!url.userinfo.empty()) out.append(kRedactedUserinfo);
  url.authority.append_to(out);
  const std::string_view path = url.path;
  const size_t query = path.find('?');
  out.append(path.substr(0, query));
  if (query == std::string_view::npos) return;
  out.push_back('?');
  append_redacted_query(out, path.substr(query + 1), further);
}

void append_redacted_reference(std::string& out, std::string_view reference,
                               std::span<const std::string> further) {
  const auto take = [&](size_t end) {
    const std::string_view part = reference.substr(0, end);
    reference.remove_prefix(part.size());
    return part;
  };
  out.append(take(reference.find_first_of("/?#")));
  if (reference.starts_with("//")) {
    out.append(take(2));
    const size_t at = reference.substr(0, reference.find_first_of("/?#")).rfind('@');
    if (at != std::string_view::npos) {
      out.append(kRedactedUserinfo);
      reference.remove_prefix(at + 1);
    }
  }
  out.append(take(reference.find_first_of("?#")));
  // Parameters are in the query, and with OAuth in the fragment.
  while (!reference.empty()) {
    out.append(take(1));
    append_redacted_query(out, take(reference.find('#')), further);
  }
}

std::string redacted_field(std::string_view name, std::string_view value,
                           std::span<const std::string> further) {
  if (!is_one_of(name, kReferringHeaders)) return std::string(value);
  // Each `<URL>` of a Link stands for itself; elsewhere there are no such brackets.
  std::string out;
  while (true) {
    const std::string_view part = value.substr(0, value.find_first_of("<>"));
    append_redacted_reference(out, part, further);
    if (part.size() == value.size()) return out;
    out.push_back(value[part.size()]);
    value.remove_prefix(part.size() + 1);
  }
}

std::string redacted_url(const http::Url& url, std::span<const std::string> further) {
  std::string out;
  append_redacted_url(out, url, further);
  return out;
}

namespace {

// Behind the value that `text` begins with; `quote`: as its member's name is quoted. Each text that
// a JSON text is in doubles its backslashes: with another number of them before a '"', it is such a
// text that ends there, and with an odd multiple of its own, it is no '"' of the value's own.
size_t value_end(std::string_view text, std::string_view quote) {
  const bool is_text = text.starts_with(quote);
  bool inside = false;
  size_t depth = 0;
  for (size_t at = 0; at < text.size();) {
    const char c = text[at];
    if (c == '"' || c == '\\') {
      const size_t end = text.find_first_not_of('\\', at);
      if (end == std::string_view::npos) break;
      const size_t size = end + 1 - at;
      if (text[end] == '"' && size % quote.size() != 0) return at;
      at = text[end] == '"' ? end + 1 : end;
      if (text[end] == '"' && size / quote.size() % 2 != 0) inside = !inside;
      if (is_text && !inside) return at;
      continue;
    }
    ++at;
    if (inside) continue;
    if (c == '{' || c == '[') {
      ++depth;
    } else if (c == '}' || c == ']' || c == ',') {
      if (depth == 0) return at - 1;
      if (c != ',' && --depth == 0) return at;
    }
  }
  return text.size();
}

// Names of members that no word gives away, written together as some write them.
constexpr std::array<std::string_view, 4> kSecretMembers = {"secretkey", "privatekey", "accesskey",
                                                            "secretaccesskey"};

bool is_dash(char c) {
  return c == '-' || c == '_';
}

std::string without_dashes(std::string_view name) {
  std::string out(name);
  std::erase_if(out, is_dash);
  return out;
}

bool is_one_of_without_dashes(std::string_view name, const auto& names) {
  return std::ranges::any_of(names, [&](std::string_view other) {
    return text::equal_ignoring_case(without_dashes(other), name);
  });
}

// Of a name as it stands in JSON, also in a text within: what is no letter of ASCII matters not.
std::string unescaped(std::string_view name) {
  constexpr size_t kDigits = 4;
  std::string out;
  while (!name.empty()) {
    const bool escaped = name.front() == '\\';
    name.remove_prefix(std::min(name.find_first_not_of('\\'), name.size()));
    if (name.empty()) break;
    const bool coded = escaped && name.front() == 'u' && name.size() > kDigits;
    const auto code = coded ? text::parse_hex(name.substr(1, kDigits), true) : std::nullopt;
    constexpr uint64_t kAsciiEnd = 0x80;
    out.push_back(!code ? name.front() : static_cast<char>(std::min(*code, kAsciiEnd)));
    name.remove_prefix(code ? 1 + kDigits : 1);
  }
  return out;
}

// "clientSecret" in the words of "client-Secret".
std::string with_dashes(std::string_view name) {
  std::string out;
  for (const char c : name) {
    const bool begins =
        c >= 'A' && c <= 'Z' && !out.empty() && out.back() >= 'a' && out.back() <= 'z';
    if (begins) out.push_back('-');
    out.push_back(c);
  }
  return out;
}

bool is_secret_member(std::string_view raw, std::span<const std::string> further) {
  const std::string name = unescaped(raw);
  if (is_secret_parameter(name, further)) return true;
  const std::string joined = without_dashes(name);
  if (is_one_of_without_dashes(joined, kSecretNames) ||
      is_one_of_without_dashes(joined, kSecretMembers) ||
      is_one_of_without_dashes(joined, further)) {
    return true;
  }
  return has_secret_word(with_dashes(name), true);
}

constexpr std::string_view kAsciiCode = "u00";

// With the quotes, backslashes and colons that some write as a code ("\u0022") as others write
// them. Of the backslashes before it each text around halves the number, until it is odd: the last
// one is the code's then.
std::string with_plain_marks(std::string_view text) {
  std::string out;
  for (size_t at = text.find(kAsciiCode); at != std::string_view::npos;
       at = text.find(kAsciiCode)) {
    const std::string_view digits = text.substr(at + kAsciiCode.size(), 2);
    const char mark = digits == "22"                     ? '"'
                      : digits == "5c" || digits == "5C" ? '\\'
                      : digits == "3a" || digits == "3A" ? ':'
                                                         : '\0';
    out.append(text.substr(0, at));
    text.remove_prefix(at + kAsciiCode.size());
    const size_t slashes = out.size() - (out.find_last_not_of('\\') + 1);
    if (slashes == 0 || mark == '\0') {
      out.append(kAsciiCode);
      continue;
    }
    text.remove_prefix(digits.size());
    const size_t texts = size_t{1} << static_cast<unsigned>(std::countr_zero(slashes));
    if (mark == '"') out.append(texts - 1, '\\');
    if (mark == '\\') out.append(texts - 1, mark);
    if (mark == ':') out.resize(out.size() - texts);
    out.push_back(mark);
  }
  return out.append(text);
}

// From `at` on, past blanks; those of a text within are written "\n".
size_t behind_blanks(std::string_view text, size_t at) {
  constexpr std::string_view kBlanks = " \t\r\n";
  constexpr std::string_view kWritten = "trn";
  while (true) {
    at = std::min(text.find_first_not_of(kBlanks, at), text.size());
    const size_t letter = std::min(text.find_first_not_of('\\', at), text.size());
    if (letter == at || letter == text.size() || !kWritten.contains(text[letter])) return at;
    at = letter + 1;
  }
}

// Returns whether there was one.
bool append_hiding_members(std::string& out, std::string_view text,
                           std::span<const std::string> further) {
  bool any = false;
  const auto take = [&](size_t end) {
    out.append(text.substr(0, end));
    text.remove_prefix(std::min(end, text.size()));
  };
  // What is between two quotes may be a name; one that opens a text may as well close one.
  while (true) {
    take(text.find('"'));
    const size_t slashes = out.size() - (out.find_last_not_of('\\') + 1);
    const size_t close = text.find('"', 1);
    if (close == std::string_view::npos) {
      take(close);
      return any;
    }
    std::string_view name = text.substr(1, close - 1);
    const size_t inside = name.find_last_not_of('\\') + 1;
    const std::string_view quote = text.substr(1 + inside, close - inside);
    name = name.substr(0, inside);
    const size_t colon = behind_blanks(text, close + 1);
    const bool member = colon < text.size() && text[colon] == ':';
    take(close);
    // Within a text that is JSON both quotes are escaped, as often.
    if (!member || quote.size() != slashes + 1 || !is_secret_member(name, further)) continue;
    const size_t value = behind_blanks(text, colon + 1 - close);
    take(value);
    text.remove_prefix(value_end(text, quote));
    out.append(quote).append(kRedacted).append(quote);
    any = true;
  }
}

}  // namespace

void append_redacted_members(std::string& out, std::string_view text,
                             std::span<const std::string> further) {
  if (text.find(kAsciiCode) == std::string_view::npos) {
    append_hiding_members(out, text, further);
    return;
  }
  std::string hidden;
  const bool any = append_hiding_members(hidden, with_plain_marks(text), further);
  out.append(any ? hidden : text);
}

bool is_secret_header(std::string_view name) {
  return has_secret_word(name, false);
}

}  // namespace sidespan::semconv
