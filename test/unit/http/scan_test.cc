#include "http/scan.h"

#include <doctest/doctest.h>

#include <memory>
#include <string>

using namespace sidespan;
using namespace sidespan::http;

namespace {

// Its own place on the heap, so that ASan sees a read beyond either end.
class Exact {
 public:
  explicit Exact(std::string_view text)
      : size_(text.size()), bytes_(std::make_unique<char[]>(text.size())) {
    text.copy(bytes_.get(), text.size());
  }
  std::string_view view() const { return {bytes_.get(), size_}; }

 private:
  size_t size_;
  std::unique_ptr<char[]> bytes_;
};

// Texts of `usual` with one byte that is `odd`, wherever that may be.
template <class Kind, char kUsual>
void check_one(std::string usual, char odd) {
  for (size_t size = 0; size <= 50; ++size) {
    std::string text;
    while (text.size() < size) text += usual;
    text.resize(size);
    for (size_t place = 0; place < size + 1; ++place) {
      std::string with = text;
      if (place < size) with[place] = odd;
      const Exact exact(with);
      for (const size_t at : {size_t{0}, size_t{1}, size / 2, size}) {
        if (at > size) continue;
        size_t end = at;
        while (end < size && scan::is_in(Kind::kTable, with[end])) ++end;
        const bool same = scan::end_of<Kind, kUsual>(exact.view(), at) == end &&
                          scan::end_one_by_one<Kind>(exact.view(), at) == end;
        REQUIRE_MESSAGE(same, "size ", size, ", byte ", static_cast<int>(odd), " at ", place,
                        ", from ", at);
      }
    }
  }
}

// `doubted` is of the kind, but has to be looked up.
template <class Kind, char kUsual>
void check_all(std::string usual, std::string doubted) {
  for (int c = 0; c < 256; ++c) {
    check_one<Kind, kUsual>(usual, static_cast<char>(c));
    check_one<Kind, kUsual>(doubted, static_cast<char>(c));
  }
}

}  // namespace

TEST_CASE("scan: a run ends where its bytes, one by one, say so") {
  check_all<scan::Token, ':'>("Content-Type", "x_1");
  check_all<scan::Token, '\0'>("GET", "!");
  check_all<scan::Value, '\r'>("gzip, br;q=0.5\x80\xff", "\t");
  check_all<scan::Value, '\0'>("OK", "a\t");
  check_all<scan::Target, '\0'>("http://a.example/~x?y=%20", "!");
  check_all<scan::HostName, ':'>("api-1.example.com", "_");
}

TEST_CASE("scan: a count is that of the bytes, one by one") {
  for (const size_t size : {0, 1, 15, 16, 17, 31, 32, 47, 50, 4064, 4079, 4080, 4095, 9000}) {
    for (const char other : {' ', '\x7f', '\x80', '\xff'}) {
      CHECK(scan::count_at_most(Exact(std::string(size, '\x1f')).view(), '\x1f') == size);
      CHECK(scan::count_at_most(Exact(std::string(size, other)).view(), '\x1f') == 0);
      for (size_t place = 0; place < size; place += 1 + size / 60) {
        std::string text(size, other);
        text[place] = '\r';
        CHECK(scan::count_at_most(Exact(text).view(), '\x1f') == 1);
      }
    }
  }
}

TEST_CASE("scan: what is doubtless is of the kind") {
#if defined(__SSE2__)
  for (int c = 0; c < 256; ++c) {
    const std::string same(16, static_cast<char>(c));
    CAPTURE(c);
    const auto holds = [&]<class Kind>(Kind) {
      const unsigned doubts = scan::doubts_at<Kind>(same.data());
      return doubts == 0xffff || (doubts == 0 && scan::is_in(Kind::kTable, static_cast<char>(c)));
    };
    CHECK(holds(scan::Token()));
    CHECK(holds(scan::Value()));
    CHECK(holds(scan::Target()));
    CHECK(holds(scan::HostName()));
  }
#endif
}
