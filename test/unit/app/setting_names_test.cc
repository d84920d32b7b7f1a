#include "app/setting_names.h"

#include <doctest/doctest.h>

#include <string>

namespace sidespan::app {
namespace {

TEST_CASE("what is said about keys that are no settings") {
  struct Row {
    const char* name;
    std::string key;
    const char* sentence;
  };
  const Row rows[] = {
      {"a letter missing", "log.levl", "is not a setting; is 'log.level' meant?"},
      {"a letter too many", "listen.egresss", "is not a setting; is 'listen.egress' meant?"},
      {"a letter changed", "workerz", "is not a setting; is 'workers' meant?"},
      {"a section", "servce", "is not a setting; is 'service' meant?"},
      {"right word, wrong section", "service.endpoint",
       "is not a setting; is 'export.otlp.endpoint' meant?"},
      {"nothing like it", "zebra", "is not a setting"},
      {"a short word is like many", "a", "is not a setting"},
      {"a section of a later version", "store", "is not in this version"},
      {"a key in one", "store.max_bytes", "is not in this version"},
      {"a later key of a known section", "listen.transparent", "is not in this version"},
      {"only whole names are later ones", "storex", "is not a setting"},
      {"very long", std::string(100'000, 'x'), "is not a setting"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    CHECK(unknown_key_sentence(row.key) == row.sentence);
  }
}

TEST_CASE("what is said about variables that name no setting") {
  struct Row {
    const char* name;
    std::string variable;
    const char* sentence;
  };
  const Row rows[] = {
      {"a letter missing", "SIDESPAN_LISTEN_EGRES",
       "names no setting; is 'SIDESPAN_LISTEN_EGRESS' meant?"},
      {"a part missing", "SIDESPAN_LOGLEVEL", "names no setting; is 'SIDESPAN_LOG_LEVEL' meant?"},
      {"its section left out", "SIDESPAN_OTLP_ENDPOINT",
       "names no setting; is 'SIDESPAN_EXPORT_OTLP_ENDPOINT' meant?"},
      {"a place", "SIDESPAN_STATEDIR", "names no setting; is 'SIDESPAN_STATE_DIR' meant?"},
      {"nothing like it", "SIDESPAN_ZEBRA", "names no setting"},
      {"a short word is like many", "SIDESPAN_TO", "names no setting"},
      {"very long", "SIDESPAN_" + std::string(100'000, 'X'), "names no setting"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    CHECK(unknown_variable_sentence(row.variable) == row.sentence);
  }
}

TEST_CASE("sections are what keys stand in") {
  CHECK(is_section("export"));
  CHECK(is_section("export.otlp"));
  CHECK_FALSE(is_section("export.otlp.endpoint"));
  CHECK_FALSE(is_section("exp"));
  CHECK_FALSE(is_section("workers"));
}

TEST_CASE("edit distance") {
  CHECK(edit_distance("", "") == 0);
  CHECK(edit_distance("abc", "") == 3);
  CHECK(edit_distance("", "abc") == 3);
  CHECK(edit_distance("kitten", "sitting") == 3);
  CHECK(edit_distance("level", "levl") == 1);
}

}  // namespace
}  // namespace sidespan::app
