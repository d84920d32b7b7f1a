#include "app/rare_line.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

namespace sidespan::app {
namespace {

class Lines final : public Log {
 public:
  void write(LogLevel, std::string_view message, std::initializer_list<LogField> fields) override {
    lines.push_back(std::string(message) + " " + std::string(fields.begin()->value));
  }
  bool enabled(LogLevel) const override { return true; }

  std::vector<std::string> lines;
};

TEST_CASE("a rare line is written at once, then once a minute with what has come since") {
  Lines log;
  RareLine line("lost");
  const MonoTime start(std::chrono::hours(1));
  line.look(0, start, log);
  CHECK(log.lines.empty());
  line.look(2, start, log);
  line.look(2, start + std::chrono::minutes(2), log);
  CHECK(log.lines == std::vector<std::string>{"lost 2"});
  line.look(5, start + std::chrono::seconds(59), log);
  CHECK(log.lines.size() == 1);
  line.look(7, start + std::chrono::seconds(60), log);
  CHECK(log.lines == std::vector<std::string>{"lost 2", "lost 5"});
}

}  // namespace
}  // namespace sidespan::app
