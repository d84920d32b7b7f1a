#include "semconv/mcp_stream.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

namespace sidespan::semconv {
namespace {

TEST_CASE("mcp: the URL that an endpoint event names") {
  struct Row {
    std::string stream;
    std::string named;
    std::string url;  // empty: none
  };
  const std::vector<Row> rows = {
      {"http://a/sse", "/messages/?session_id=1", "http://a:80/messages/?session_id=1"},
      {"https://a:8443/v1/sse?x=/y", "messages?s=1", "https://a:8443/v1/messages?s=1"},
      {"http://a/v1/sse", "?s=1", "http://a:80/v1/sse?s=1"},
      {"http://a/v1/sse", "../m", "http://a:80/m"},
      {"http://a/v1/sse", "./m/..", "http://a:80/v1/"},
      {"http://a/sse", "../../m", "http://a:80/m"},
      {"http://a/sse", "/m?back=../x", "http://a:80/m?back=../x"},
      {"http://a/sse", "http://B:81/m?s=1", "http://b:81/m?s=1"},
      {"http://a/sse", "//b/m", "http://b:80/m"},
      {"http://a/sse", "/m?to=http://b", "http://a:80/m?to=http://b"},
      {"http://a/sse", " /m#part\n", "http://a:80/m"},
      {"http://a/sse", "", ""},
      {"http://a/sse", "#x", ""},
      {"http://a/sse", "ftp:", "http://a:80/ftp:"},
      {"http://a/sse", "http://", ""},
      {"http://a/sse", "/a b", ""},
  };
  for (const Row& row : rows) {
    CAPTURE(row.named);
    const auto url = mcp_endpoint(*http::parse_url(row.stream), row.named);
    CHECK((url ? std::string(url->scheme) + "://" + url->authority.host + ":" +
                     std::to_string(url->port()) + url->path
               : std::string()) == row.url);
  }
}

}  // namespace
}  // namespace sidespan::semconv
