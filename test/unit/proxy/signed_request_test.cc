#include "proxy/signed_request.h"

#include <doctest/doctest.h>

#include <string>

namespace sidespan::proxy {
namespace {

std::string authorization(const std::string& names) {
  return "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260101/us-east-1/sqs/aws4_request, "
         "SignedHeaders=" +
         names + ", Signature=00";
}

http::Headers signing(const std::string& names) {
  http::Headers headers;
  headers.add("authorization", authorization(names));
  return headers;
}

}  // namespace

TEST_CASE("what a signature covers") {
  struct Row {
    std::string name;
    std::string authorization;
    std::string path;
    bool is_signed;
    bool covers_host;
  };
  for (const Row& row : {
           Row{"header", authorization("host;x-amz-date"), "/", true, true},
           Row{"header without blanks",
               "AWS4-HMAC-SHA256 Credential=a,SignedHeaders=host;date,Signature=0", "/", true,
               true},
           Row{"asymmetric", "AWS4-ECDSA-P256-SHA256 Credential=a, SignedHeaders=host, Signature=0",
               "/", true, true},
           Row{"any case", authorization("Host"), "/", true, true},
           Row{"others", authorization("x-host;hosts"), "/", true, false},
           Row{"no list", "AWS4-HMAC-SHA256 Credential=a, Signature=0", "/", false, false},
           Row{"bearer", "Bearer SignedHeaders=host", "/", false, false},
           Row{"presigned", "", "/k?X-Amz-Date=1&X-Amz-SignedHeaders=host%3Bdate&X-Amz-Signature=0",
               true, true},
           Row{"only in the path", "", "/X-Amz-SignedHeaders=host", false, false},
           Row{"part of another parameter", "", "/?aX-Amz-SignedHeaders=host", false, false},
           Row{"none", "", "/?a=b", false, false},
       }) {
    CAPTURE(row.name);
    const SignedFields fields(row.authorization, row.path);
    CHECK(static_cast<bool>(fields) == row.is_signed);
    CHECK(fields.covers("HOST") == row.covers_host);
    CHECK_FALSE(fields.covers("traceparent"));
  }
}

TEST_CASE("what is covered stays as it is") {
  http::Headers headers = signing("host;traceparent;x-b3-traceid");
  headers.add("traceparent", "signed");
  headers.add("tracestate", "old=1");
  headers.add("X-B3-TraceId", "signed");
  headers.add("X-B3-SpanId", "agent's");
  const SignedFields fields(headers.find("authorization").value(), "/");
  SignedWriter writer(headers, fields);
  CHECK_FALSE(writer.blocked());
  writer.set("uber-trace-id", "ours");
  CHECK_FALSE(writer.blocked());
  writer.set("traceparent", "ours");
  CHECK(writer.blocked());
  writer.set("tracestate", "ours=1");
  writer.set("x-b3-spanid", "ours");
  writer.set("x-amz-trace", "ours");
  CHECK(headers.find("traceparent") == "signed");
  CHECK(headers.find("tracestate") == "old=1");
  CHECK(headers.find("x-b3-spanid") == "agent's");
  CHECK(headers.find("uber-trace-id") == "ours");
  CHECK_FALSE(headers.contains("x-amz-trace"));
  writer.remove("traceparent");
  writer.remove("tracestate");
  writer.remove_prefix("x-b3-");
  CHECK(headers.contains("traceparent"));
  CHECK_FALSE(headers.contains("tracestate"));
  CHECK(headers.contains("x-b3-traceid"));
  CHECK_FALSE(headers.contains("x-b3-spanid"));
}

}  // namespace sidespan::proxy
