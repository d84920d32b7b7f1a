#include "proxy/model_metrics.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

namespace sidespan::proxy {
namespace {

std::vector<std::string> series(const ModelMetrics& counted) {
  metrics::Snapshot snapshot;
  counted.collect(snapshot);
  std::vector<std::string> out;
  for (const metrics::Family& family : snapshot) {
    for (const metrics::Sample& sample : family.samples) {
      std::string line = family.name;
      for (const auto& [name, value] : sample.labels) line += " " + name + "=" + value;
      line += " n=" + std::to_string(sample.histogram.count) +
              " sum=" + std::to_string(sample.histogram.sum);
      out.push_back(line);
    }
  }
  std::ranges::sort(out);
  return out;
}

TEST_CASE("calls of models are counted by what was called") {
  ModelMetrics counted(10);
  semconv::genai::Call call;
  call.provider = "openai";
  call.request_model = "gpt";
  const ModelMetrics::Outcome fine{
      .host = "api.example", .port = 443, .error_type = {}, .duration = std::chrono::seconds(2)};
  counted.record(call, {.host = "api.example",
                        .port = 443,
                        .error_type = "429",
                        .duration = std::chrono::seconds(1)});
  call.response_model = "gpt-1";
  call.usage = {.input = 10, .output = 3};
  counted.record(call, fine);
  call.time_to_first_chunk = std::chrono::milliseconds(500);
  counted.record(call, fine);
  // Of one that was cut off nobody knows what it took.
  semconv::genai::Call cut;
  cut.provider = "cut";
  cut.usage = {.input = 10, .output = 1};
  cut.usage_partial = true;
  counted.record(cut, fine);
  const std::string asked =
      " gen_ai_operation_name=chat gen_ai_provider_name=openai gen_ai_request_model=gpt";
  const std::string at = " server_address=api.example server_port=443";
  const std::string answered = asked + " gen_ai_response_model=gpt-1" + at;
  CHECK(series(counted) ==
        std::vector<std::string>{
            "gen_ai_client_operation_duration_seconds gen_ai_operation_name=chat "
            "gen_ai_provider_name=cut" +
                at + " n=1 sum=2.000000",
            "gen_ai_client_operation_duration_seconds" + answered + " n=2 sum=4.000000",
            "gen_ai_client_operation_duration_seconds" + asked + at +
                " error_type=429 n=1 sum=1.000000",
            "gen_ai_client_operation_time_to_first_chunk_seconds" + answered + " n=1 sum=0.500000",
            "gen_ai_client_token_usage" + answered + " gen_ai_token_type=input n=2 sum=20.000000",
            "gen_ai_client_token_usage" + answered + " gen_ai_token_type=output n=2 sum=6.000000"});
}

TEST_CASE("series of models over the limit are one") {
  ModelMetrics counted(1);
  semconv::genai::Call call;
  for (const char* model : {"a", "b", "c"}) {
    call.request_model = model;
    counted.record(call, {});
  }
  CHECK(series(counted).size() == 2);
}

}  // namespace
}  // namespace sidespan::proxy
