// Any bytes as an answer whose media type the first one says, packed or not: in one piece it is
// taken for what a plain reading takes it for, and what is told of it is what its documents, or the
// words of its text, are. What is a text, or JSON without a fault, is the same at any cuts; what is
// no text is, wherever it is cut behind the bytes that are looked at.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "../support/http_script.h"
#include "proxy/answer_reader.h"
#include "sidespan/base/text.h"
#include "sidespan/http/deflate.h"
#include "sidespan/json/picker.h"

using namespace sidespan;
using http::script::Cuts;
using semconv::BodyFraming;

namespace {

constexpr lineage::HashKey kKey{3, 5};
constexpr size_t kLooks = 512;
constexpr size_t kDocumentBytes = 4096;

struct Dropped final : lineage::Overflow {
  void forget(uint64_t) override {}
};

std::vector<uint64_t> hashes_of(const lineage::Gleaned& gleaned) {
  std::vector<uint64_t> hashes;
  for (const lineage::Value& value : gleaned.values) hashes.push_back(value.hash);
  return hashes;
}

std::vector<uint64_t> words_of(std::string_view text) {
  Dropped dropped;
  lineage::TextGleaner gleaner(kKey, dropped);
  gleaner.feed(text);
  gleaner.finish();
  return hashes_of(gleaner.take());
}

struct Told {
  std::string documents = {};
  std::vector<uint64_t> words = {};
  bool operator==(const Told&) const = default;
};

class Watcher final : public semconv::DocumentWatcher {
 public:
  json::Handler* begin_request_document() override { std::abort(); }
  void end_request_document() override { std::abort(); }
  void begin_answer(bool) override {
    if (std::exchange(begun_, true)) std::abort();
  }
  json::Handler* begin_response_document() override {
    if (std::exchange(open_, true)) std::abort();
    copy_.begin(kDocumentBytes);
    return &copy_;
  }
  void end_response_document() override {
    if (!std::exchange(open_, false)) std::abort();
    told.append(copy_.text()).append("\n");
  }
  bool open() const { return open_; }

  std::string told;

 private:
  bool begun_ = false;
  bool open_ = false;
  json::JsonCopy copy_;
};

// The documents as a reader of bodies finds them, and whether all are JSON.
struct Documents final : semconv::BodySink {
  Documents(BodyFraming framing, std::string_view bytes) {
    semconv::BodyReader reader(framing, {}, {}, *this);
    reader.feed(bytes);
    broke_off = !sound;
    reader.finish(true);
    sound = sound && reader.state() == semconv::BodyReader::State::kReading;
  }
  json::Handler* begin_document(std::string_view) override {
    copy.begin(kDocumentBytes);
    return &copy;
  }
  void end_document(bool whole) override {
    sound = sound && whole;
    told.append(copy.text()).append("\n");
  }

  json::JsonCopy copy;
  std::string told;
  bool sound = true;
  bool broke_off = false;  // and before its end
};

struct Type {
  std::string_view name;  // empty: none is said
  enum class As : uint8_t { kUnknown, kWords, kJson, kEvents, kNothing } as;
};
constexpr std::array<Type, 8> kTypes = {{{"", Type::As::kUnknown},
                                         {"application/octet-stream", Type::As::kUnknown},
                                         {"text/html; charset=utf-8", Type::As::kWords},
                                         {"application/xml", Type::As::kWords},
                                         {"application/json", Type::As::kJson},
                                         {"text/event-stream", Type::As::kEvents},
                                         {"image/png", Type::As::kNothing},
                                         {"font/woff2", Type::As::kNothing}}};

// nullopt: nobody makes a reader of it.
std::optional<Told> read(const Type& type, std::string_view bytes, bool packed, Cuts cuts,
                         size_t at_once = 0) {
  http::Headers headers;
  if (!type.name.empty()) headers.add("Content-Type", type.name);
  if (packed) headers.add("Content-Encoding", "gzip");
  const std::string body = packed ? http::gzip(bytes) : std::string(bytes);
  Watcher watcher;
  Dropped dropped;
  const auto reader = proxy::AnswerReader::make(headers, watcher, kKey, dropped);
  if (!reader) return std::nullopt;
  const auto feed = [&](std::string_view piece) { reader->feed(std::string(piece)); };
  const std::string_view begin = std::string_view(body).substr(0, at_once);
  if (!begin.empty()) feed(begin);
  cuts.cut(std::string_view(body).substr(begin.size()), feed);
  reader->finish(true);
  if (watcher.open()) std::abort();
  Told told{std::move(watcher.told), hashes_of(reader->take_text())};
  if (!hashes_of(reader->take_text()).empty()) std::abort();
  return told;
}

// Its first bytes, of which the last character may be cut.
bool is_text_plainly(std::string_view bytes) {
  std::string begin(bytes.substr(0, kLooks));
  if (begin.starts_with("%PDF-") || begin.contains('\0')) return false;
  for (size_t cut = 0; cut < 4 && cut <= begin.size(); ++cut) {
    if (text::to_valid_utf8(begin.substr(0, begin.size() - cut)) ==
        begin.substr(0, begin.size() - cut)) {
      return true;
    }
  }
  return false;
}

void check(const Type& type, std::string_view bytes, bool packed, unsigned seed) {
  using As = Type::As;
  const std::optional<Told> whole = read(type, bytes, packed, Cuts::whole());
  if (whole.has_value() == (type.as == As::kNothing)) std::abort();
  if (!whole) return;

  const size_t blanks = std::min(bytes.find_first_not_of(" \t\r\n"), bytes.size());
  const std::string_view plain = bytes.substr(blanks);
  const bool said = type.as == As::kJson || type.as == As::kEvents;
  const bool unknown = type.as == As::kUnknown;
  const bool nothing = !said && (plain.empty() || (unknown && !is_text_plainly(plain)));
  const bool json = !nothing && (said || plain.front() == '{' || plain.front() == '[');
  Told expected;
  bool sound = true;
  if (json) {
    const BodyFraming framing = type.as == As::kEvents ? BodyFraming::kEvents : BodyFraming::kTexts;
    const Documents documents(framing, bytes);
    sound = documents.sound && !documents.broke_off;
    expected.documents = documents.told;
    // What was to be JSON and is none is read as the text it is.
    if (documents.broke_off) expected.words = words_of(said ? bytes : plain);
  } else if (!nothing) {
    expected.words = words_of(plain);
  }
  // What is packed comes out in pieces, and where it breaks off is in one of them.
  if ((sound || !packed) && *whole != expected) std::abort();

  // What is no text is known as such by its first bytes together; by less of them it may be one.
  for (const Cuts& cuts : {Cuts::every_byte(), Cuts::random(seed)}) {
    const std::optional<Told> cut = read(type, bytes, packed, cuts);
    if (sound && !nothing && cut != whole) std::abort();
    if (packed) continue;
    if (read(type, bytes, packed, cuts, blanks + kLooks) != whole && sound) std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  check(kTypes[data[0] % kTypes.size()], bytes, (data[0] & 8U) != 0, data[0]);
  return 0;
}
