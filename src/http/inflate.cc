#include "sidespan/http/inflate.h"

#include <algorithm>
#include <limits>
#include <span>
#include <utility>

#include "http/decoder.h"
#include "sidespan/base/text.h"

namespace sidespan::http {
namespace {

constexpr size_t kPieceBytes = size_t{16} * 1024;
// zlib counts what it is given in 32 bits.
constexpr size_t kInputBytesMax = std::numeric_limits<uint32_t>::max();

std::optional<Coding> coding_of(std::string_view name) {
  if (text::equal_ignoring_case(name, "gzip")) return Coding::kGzip;
  if (text::equal_ignoring_case(name, "x-gzip")) return Coding::kGzip;
  if (text::equal_ignoring_case(name, "deflate")) return Coding::kDeflate;
  if (text::equal_ignoring_case(name, "br")) return Coding::kBrotli;
  if (text::equal_ignoring_case(name, "zstd")) return Coding::kZstd;
  return std::nullopt;
}

std::unique_ptr<Decoder> make_decoder(Coding coding, const InflateLimits& limits) {
  switch (coding) {
    case Coding::kGzip:
      return make_gzip_decoder();
    case Coding::kDeflate:
      return make_deflate_decoder();
    case Coding::kBrotli:
      return make_brotli_decoder(limits.memory_bytes_max);
    case Coding::kZstd:
      break;
  }
  return make_zstd_decoder(limits.memory_bytes_max);
}

}  // namespace

std::optional<Codings> parse_codings(std::string_view content_encoding) {
  Codings codings;
  while (!content_encoding.empty()) {
    const size_t comma = content_encoding.find(',');
    const std::string_view name = text::trim(content_encoding.substr(0, comma));
    content_encoding.remove_prefix(comma == std::string_view::npos ? content_encoding.size()
                                                                   : comma + 1);
    if (name.empty() || text::equal_ignoring_case(name, "identity")) continue;
    const std::optional<Coding> coding = coding_of(name);
    if (!coding || codings.count == Codings::kMax) return std::nullopt;
    codings.all[codings.count++] = *coding;
  }
  return codings;
}

bool is_packed(const Headers& headers) {
  const std::optional<std::string_view> value = headers.find(FieldName::kContentEncoding);
  if (!value) return false;
  const std::optional<Codings> codings = parse_codings(*value);
  return codings && codings->count > 0;
}

namespace {

// What this thread's decoders hold: a frame of few bytes may ask for megabytes, and traffic comes
// first.
constinit thread_local size_t held_by_all = 0;

bool is_room_for_decoders() {
  constexpr size_t kShare = 4;  // of the ledger's limit
  const MemoryAccount* const account = memory::tally.account;
  return account == nullptr || held_by_all < account->ledger().limit() / kShare;
}

constinit thread_local InflateBacklog* current_backlog = nullptr;

}  // namespace

InflateBacklog::Scope::Scope(InflateBacklog& backlog)
    : before_(std::exchange(current_backlog, &backlog)) {}

InflateBacklog::Scope::~Scope() {
  current_backlog = before_;
}

InflateBacklog::~InflateBacklog() {
  for (Inflater* inflater : behind_) {
    if (inflater != nullptr) inflater->backlog_ = nullptr;
  }
}

InflateBacklog* InflateBacklog::current() {
  return current_backlog;
}

bool InflateBacklog::empty() const {
  return std::ranges::all_of(behind_, [](const Inflater* one) { return one == nullptr; });
}

// By index, and without taking any out: what is decoded may end what others read.
void InflateBacklog::go_on() {
  for (size_t i = 0; i < behind_.size(); ++i) {
    if (behind_[i] == nullptr) continue;
    behind_[i]->go_on();
    if (behind_[i] != nullptr) behind_[i]->settle();
  }
  std::erase(behind_, nullptr);
}

void InflateBacklog::add(Inflater& inflater) {
  behind_.push_back(&inflater);
  inflater.backlog_ = this;
}

void InflateBacklog::remove(Inflater& inflater) {
  std::ranges::replace(behind_, &inflater, static_cast<Inflater*>(nullptr));
  inflater.backlog_ = nullptr;
}

Inflater::Inflater(const Codings& codings, const InflateLimits& limits, PlainSink& sink)
    : limits_(limits), sink_(sink), stage_count_(codings.count) {
  for (size_t i = 0; i < stage_count_; ++i) stages_[i].coding = codings.all[stage_count_ - 1 - i];
}

Inflater::~Inflater() {
  if (backlog_ != nullptr) backlog_->remove(*this);
  charge(0);
}

void Inflater::charge(size_t bytes) {
  held_by_all = held_by_all - charge_.bytes() + bytes;
  charge_.set(bytes);
}

void Inflater::feed(std::string_view bytes) {
  if (state_ != State::kReading || bytes.empty()) return;
  if (stage_count_ == 0) return sink_.on_plain(bytes);
  stages_[0].packed_bytes += bytes.size();
  if (behind()) {
    stages_[0].rest.append(bytes);
    go_on();
  } else {
    run(0, bytes);
  }
  settle();
}

// What is nearest to the plain text first: what comes before it has nowhere to go else.
void Inflater::go_on() {
  for (size_t index = stage_count_; index-- > 0;) {
    if (stages_[index].waits()) run(index, std::exchange(stages_[index].rest, {}));
  }
}

bool Inflater::behind() const {
  return stages_[0].waits() || stages_[1].waits();
}

// What a decoder asks for at its first bytes, a window above all, is memory only as far as it is
// written to: by what comes out, and tables by what comes in. A table of brotli's is named by some
// ten bits.
size_t Inflater::held_by(const Stage& stage) {
  constexpr size_t kAtOnce = size_t{48} * 1024;
  const size_t tables_a_byte = stage.coding == Coding::kBrotli ? 1024 : 32;
  const uint64_t used = kAtOnce + (tables_a_byte * stage.packed_bytes) + stage.plain_bytes;
  return static_cast<size_t>(std::min<uint64_t>(stage.decoder->memory_bytes(), used));
}

void Inflater::settle() {
  size_t held = 0;
  for (Stage& stage : stages_) {
    if (state_ != State::kReading) stage = {};
    if (stage.decoder) held += held_by(stage);
    if (stage.waits()) held += stage.rest.capacity();
  }
  const bool more = held > charge_.bytes();
  charge(held);
  if (more && state_ == State::kReading && !is_room_for_decoders()) {
    state_ = State::kLimit;
    return settle();
  }
  if (behind() == (backlog_ != nullptr)) return;
  backlog_ != nullptr ? backlog_->remove(*this) : InflateBacklog::current()->add(*this);
}

bool Inflater::complete() const {
  bool complete = state_ == State::kReading && !behind();
  for (size_t i = 0; i < stage_count_; ++i) complete = complete && stages_[i].ended;
  return complete;
}

bool Inflater::must_wait(size_t index) const {
  const InflateBacklog* const backlog = InflateBacklog::current();
  if (backlog != nullptr && backlog->room() == 0) return true;
  return index + 1 < stage_count_ && stages_[index + 1].waits();
}

void Inflater::run(size_t index, std::string_view packed) {
  Stage& stage = stages_[index];
  if (!stage.decoder) {
    if (!is_room_for_decoders()) {
      state_ = State::kLimit;
      return;
    }
    stage.decoder = make_decoder(stage.coding, limits_);
  }
  bool more = std::exchange(stage.full, false) || !packed.empty();
  while (state_ == State::kReading && more) {
    if (must_wait(index)) {
      stage.rest = packed;
      stage.full = packed.empty();
      return;
    }
    more = step(index, packed) || !packed.empty();
  }
}

bool Inflater::step(size_t index, std::string_view& packed) {
  Stage& stage = stages_[index];
  if (stage.ended && !stage.decoder->restart()) {
    state_ = State::kBroken;
    return false;
  }
  char plain[kPieceBytes];
  InflateBacklog* const backlog = InflateBacklog::current();
  const size_t size = backlog != nullptr ? std::min(kPieceBytes, backlog->room()) : kPieceBytes;
  const size_t before = packed.size();
  const Decoder::Step step = stage.decoder->step(packed, {plain, size});
  stage.ended = step.outcome == Decoder::Outcome::kEnded;
  if (backlog != nullptr) backlog->spend(step.written);
  pass(index, {plain, step.written});
  if (state_ != State::kReading) return false;
  const bool stuck = step.written == 0 && packed.size() == before && before > 0 && !stage.ended;
  if (step.outcome == Decoder::Outcome::kTooLarge) {
    state_ = State::kLimit;
  } else if (step.outcome == Decoder::Outcome::kBroken || stuck) {
    state_ = State::kBroken;
  }
  return step.written == size && !stage.ended;
}

void Inflater::pass(size_t index, std::string_view plain) {
  Stage& stage = stages_[index];
  const uint64_t room = limits_.plain_bytes_max - stage.plain_bytes;
  const bool too_long = plain.size() > room;
  plain = plain.substr(0, room);
  stage.plain_bytes += plain.size();
  if (index + 1 == stage_count_) {
    if (!plain.empty()) sink_.on_plain(plain);
  } else if (!plain.empty()) {
    stages_[index + 1].packed_bytes += plain.size();
    run(index + 1, plain);
  }
  // Of two codings each may be small, and both together a bomb: what comes out is held against what
  // came in.
  const bool last = index + 1 == stage_count_;
  const uint64_t packed_bytes = last ? stages_[0].packed_bytes : stage.packed_bytes;
  const bool bomb = limits_.ratio_max > 0 && stage.plain_bytes > limits_.plain_bytes_free &&
                    stage.plain_bytes / limits_.ratio_max > packed_bytes;
  if (state_ == State::kReading && (too_long || bomb)) state_ = State::kLimit;
}

std::optional<std::string> gunzip(std::string_view packed, size_t plain_bytes_max) {
  if (packed.size() > kInputBytesMax) return std::nullopt;
  struct Whole final : PlainSink {
    void on_plain(std::string_view part) override { text.append(part); }
    std::string text;
  } whole;
  Codings codings;
  codings.all[codings.count++] = Coding::kGzip;
  Inflater inflater(codings, {.plain_bytes_max = plain_bytes_max, .ratio_max = 0}, whole);
  inflater.feed(packed);
  if (!inflater.complete()) return std::nullopt;
  return std::move(whole.text);
}

}  // namespace sidespan::http
