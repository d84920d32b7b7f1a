#include "sidespan/lineage/gleaner.h"

#include <algorithm>
#include <array>
#include <bit>
#include <optional>
#include <utility>

#include "lineage/bundle.h"
#include "lineage/member_names.h"
#include "lineage/nested_json.h"
#include "lineage/text_scan.h"
#include "lineage/value_list.h"
#include "sidespan/base/spares.h"
#include "sidespan/base/text.h"

namespace sidespan::lineage {
namespace {

constexpr size_t kDepthMax = 64;  // json::Reader's own limit
constexpr size_t kPrefixesMax = 256;
constexpr size_t kIdBytesMax = 128;
constexpr uint8_t kIdWeight = 20;  // at least
constexpr size_t kParts = 4;       // of a streamed answer, that are read at a time

// Those of a message that the model said, where no role tells.
constexpr std::array<std::string_view, 5> kModelTypes = {
    "function_call", "reasoning", "custom_tool_call", "web_search_call", "mcp_call"};

}  // namespace

struct Gleaner::Impl final : Recycled<Impl, 32> {
  Impl(const HashKey& hash_key, Voice said_by, bool many, Overflow& overflow,
       const GleanLimits& limits)
      : voice(said_by),
        streamed(many),
        values(hash_key, out, &overflow, limits.values_max),
        scan(values),
        bundle(values),
        digest(hash_key) {
    values.set_place(said_by == Voice::kModelRequest || said_by == Voice::kToolRequest
                         ? Place::kFixed
                         : Place::kContent);
  }

  struct Level {
    bool array = false;
    bool ignored = false;   // with all that is in it
    bool marked = false;    // no part of what was said
    bool messages = false;  // the list of them
  };
  // Where the text that is coming goes.
  enum class To : uint8_t { kNobody, kScan, kId, kRole, kArguments, kProse };
  struct Part {
    int64_t index = -1;
    std::unique_ptr<NestedJson> arguments;
    std::optional<TextScan> prose;
    ToolName name = {};
  };

  // A name among the arguments is one of them.
  bool names_tools() const {
    const bool in_arguments = bundle.active() && bundle_depth > 1;
    return !in_arguments && (voice == Voice::kModelAnswer || voice == Voice::kToolRequest);
  }
  bool tells() const { return key != Member::kLasting; }
  bool weighs() const { return named_here && tells(); }
  bool of_model() const { return voice == Voice::kModelRequest || voice == Voice::kModelAnswer; }
  Level& level() { return levels[depth]; }
  bool in_message() const { return message_depth != 0; }
  bool digested() { return in_message() && !level().marked && key != Member::kType; }

  void open(bool array);
  void close();
  bool asks_here() const;
  void begin_message(size_t at_depth);
  void end_message();
  void settle(Place place);
  Part& part();
  To route();
  void text(std::string_view piece, bool last);
  void end_text();
  bool takes_number();
  void name_asked(size_t from);
  void named();
  void at_index(int64_t number);

  // Of what is nested too deep to have a name.
  class Nameless final : public json::Handler {
   public:
    explicit Nameless(Impl& impl) : impl_(impl) {}
    void on_text(std::string_view part, bool last) override {
      impl_.set_named(false);
      impl_.text(part, last);
      impl_.set_named(true);
    }
    void on_integer(int64_t number) override {
      impl_.set_named(false);
      impl_.integer(number);
      impl_.set_named(true);
    }
    void on_number(double number) override {
      impl_.set_named(false);
      impl_.number(number);
      impl_.set_named(true);
    }

   private:
    Impl& impl_;
  };
  void set_named(bool is) {
    named_here = is;
    values.set_telling(is);
  }
  void integer(int64_t number);
  void number(double number);

  const Voice voice;
  const bool streamed;
  Gleaned out;
  ValueList values;
  TextScan scan;
  Bundle bundle;
  size_t bundle_depth = 0;
  size_t asked_depth = 0;  // of the object with all that a tool is asked for, in an answer
  std::unique_ptr<NestedJson> nested;  // of a text that begins as JSON
  bool in_nested = false;
  bool in_lines = true;
  std::array<Part, kParts> parts;
  int64_t index = 0;
  bool index_seen = false;  // in this document
  bool name_waits = false;  // for that

  // The name beside a tool's arguments, and the arguments beside a name that comes behind them.
  ToolName name = {};
  size_t name_depth = 0;
  size_t unnamed_depth = 0;
  size_t unnamed_from = 0;  // of `out.asked`

  std::array<Level, kDepthMax + 2> levels;
  size_t depth = 0;
  Member key = Member::kOther;
  size_t numbers = 0;  // of an array so far
  Nameless nameless{*this};
  bool named_here = true;

  bool in_text = false;
  To to = To::kNobody;
  bool is_type = false;
  bool is_name = false;
  bool in_digest = false;
  std::string kept;  // of an id, a role or a type

  // Of the message that is being read.
  size_t message_depth = 0;
  size_t message_begin = 0;
  bool by_system = false;
  bool by_model = false;
  Hasher digest;  // of this and all before
};

void Gleaner::Impl::open(bool array) {
  const Level& above = level();
  Level next{.array = array,
             .ignored = above.ignored || !tells() || (of_model() && key == Member::kIgnored) ||
                        (voice == Voice::kModelAnswer && key == Member::kTools),
             .marked = above.marked || key == Member::kMark,
             .messages = false};
  next.ignored |= next.marked;
  if (above.messages && !in_message()) begin_message(depth + 1);
  if (voice == Voice::kModelRequest && array && depth == 1 && key == Member::kMessages) {
    next.messages = true;
    out.messages_begin = static_cast<uint32_t>(out.values.size());
  }
  if (depth + 1 < levels.size()) ++depth;
  if (!array && asks_here()) {
    bundle.begin();
    bundle_depth = depth;
    if (voice == Voice::kModelAnswer && asked_depth == 0) {
      asked_depth = depth;
      values.set_place(Place::kAsked);
    }
  }
  level() = next;
  key = Member::kOther;
  numbers = 0;
}

// Whether the object that begins is what a tool is asked for: in a request its document, or the
// arguments in it.
bool Gleaner::Impl::asks_here() const {
  const bool named = key == Member::kArguments || key == Member::kMessages;
  if (voice == Voice::kModelAnswer) return named;
  return voice == Voice::kToolRequest && (depth == 1 || key == Member::kArguments);
}

void Gleaner::Impl::close() {
  if (bundle.active() && depth == bundle_depth) {
    const size_t from = out.asked.size();
    bundle.end();
    if (depth > 0) name_asked(from);
  }
  if (asked_depth != 0 && depth == asked_depth) {
    asked_depth = 0;
    values.set_place(Place::kContent);
  }
  if (depth == name_depth) name_depth = 0;
  if (depth == unnamed_depth) unnamed_depth = 0;
  if (in_message() && depth == message_depth) end_message();
  if (level().messages) out.messages_end = static_cast<uint32_t>(out.values.size());
  if (depth > 0) --depth;
  key = Member::kOther;
}

void Gleaner::Impl::begin_message(size_t at_depth) {
  message_depth = at_depth;
  message_begin = out.values.size();
  by_system = false;
  by_model = false;
  values.set_place(Place::kWords);
}

void Gleaner::Impl::settle(Place place) {
  for (size_t i = message_begin; i < out.values.size(); ++i) out.values[i].place = place;
}

void Gleaner::Impl::end_message() {
  // What the model said was in its answer; where nobody saw that, it is a constant perhaps.
  if (by_system) settle(Place::kFixed);
  if (by_model && !by_system) settle(Place::kResent);
  if (by_model && !out.prefixes.empty()) out.prefixes.back().answer_follows = true;
  if (out.prefixes.size() == kPrefixesMax) {
    out.prefixes.erase(out.prefixes.begin(), out.prefixes.begin() + kPrefixesMax / 2);
  }
  digest.add("\x1e");
  out.prefixes.push_back({digest.finish(), static_cast<uint32_t>(out.values.size()), false});
  message_depth = 0;
  values.set_place(Place::kFixed);
}

// What was asked for in the object that is open, from `from` on. Where the arguments are an object,
// that is the one around them.
void Gleaner::Impl::name_asked(size_t from) {
  if (from == out.asked.size()) return;
  const size_t around = in_text ? depth : depth - 1;
  ToolName known = {};
  if (name_depth != 0 && name_depth == around) {
    known = name;
  } else if (streamed) {
    known = part().name;
  }
  for (size_t i = from; i < out.asked.size(); ++i) out.asked[i].name = known;
  if (known != ToolName{}) return;
  unnamed_depth = around;
  unnamed_from = from;
}

// `kept` is a name.
void Gleaner::Impl::named() {
  name = {};
  add_words(values.key(), kept, name);
  name_depth = depth;
  if (unnamed_depth == depth) {
    for (size_t i = unnamed_from; i < out.asked.size(); ++i) out.asked[i].name = name;
  }
  if (streamed && index_seen) part().name = name;
  name_waits = !index_seen;
}

// The index of what a document is about may come behind its name.
void Gleaner::Impl::at_index(int64_t number) {
  index = number < 0 ? 0 : number;
  if (streamed && name_waits) part().name = name;
  name_waits = false;
  index_seen = true;
}

Gleaner::Impl::Part& Gleaner::Impl::part() {
  Part& found = parts[static_cast<size_t>(index) % kParts];
  if (found.index != index) {
    if (found.prose) found.prose->end();
    if (found.arguments) found.arguments->restart();
    found.index = index;
    found.name = {};
  }
  return found;
}

Gleaner::Impl::To Gleaner::Impl::route() {
  if (level().ignored || key == Member::kMark || key == Member::kType) return To::kNobody;
  if (!tells()) return To::kNobody;
  if (of_model() && key == Member::kIgnored) return To::kNobody;
  if (key == Member::kRole) return To::kNobody;
  if (key == Member::kId) return To::kId;
  if (voice != Voice::kModelAnswer) return To::kScan;
  // Bedrock's `input` is a text where it is streamed, and an object elsewhere.
  if (key == Member::kArguments || (streamed && key == Member::kMessages)) return To::kArguments;
  return streamed && key == Member::kProse ? To::kProse : To::kScan;
}

void Gleaner::Impl::text(std::string_view piece, bool last) {
  if (!in_text) {
    in_text = true;
    if (level().messages && !in_message()) begin_message(depth + 1);
    to = route();
    is_type = key == Member::kType;
    is_name = key == Member::kName && to == To::kScan && names_tools();
    in_digest = digested();
    // What is asked in one text, without a list of messages.
    if (voice == Voice::kModelRequest && depth == 1 && key == Member::kMessages) {
      values.set_place(Place::kWords);
    }
    kept.clear();
    in_nested = false;
    const bool opens = !piece.empty() && (piece.front() == '{' || piece.front() == '[');
    if (to == To::kScan && opens) {
      if (!nested) nested = std::make_unique<NestedJson>(values, false);
      nested->restart();
      in_nested = true;
    }
    // What a model asked a tool for is a text here, and in its answer the same by its parts.
    in_lines = !(in_nested && voice == Voice::kModelRequest && key == Member::kArguments);
  }
  if (in_digest) digest.add(piece);
  if (bundle.active()) {
    bundle.feed(piece);
    if (last) bundle.end_text(weighs());
  }
  if (is_name && kept.size() < kIdBytesMax) kept += piece.substr(0, kIdBytesMax - kept.size());
  if (to == To::kScan) {
    if (in_lines) scan.feed(piece);
    if (in_nested) nested->feed(piece);
  } else if (to == To::kArguments) {
    Part& into = part();
    if (!into.arguments) into.arguments = std::make_unique<NestedJson>(values, true);
    const size_t from = out.asked.size();
    const Place place = values.set_place(Place::kAsked);
    into.arguments->feed(piece);
    values.set_place(place);
    name_asked(from);
  } else if (to == To::kProse) {
    Part& into = part();
    if (!into.prose) into.prose.emplace(values);
    into.prose->feed(piece);
  } else if (kept.size() < kIdBytesMax) {
    kept += piece.substr(0, kIdBytesMax - kept.size());
  }
  if (last) end_text();
}

void Gleaner::Impl::end_text() {
  in_text = false;
  if (is_name) named();
  if (in_digest) digest.add("\x1f");
  if (to == To::kScan) {
    scan.end();
    if (!in_message() && voice == Voice::kModelRequest) values.set_place(Place::kFixed);
  } else if (to == To::kId) {
    if (is_unique(kept)) {
      values.add(kept, std::max(weight_of(kept), kIdWeight), true);
    } else if (!of_model() || bundle.active()) {  // a tool's own, that few may have
      values.add(kept, weight_of(kept));
    }
  } else if (key == Member::kRole && in_message()) {
    by_system |= kept == "system" || kept == "developer";
    by_model |= kept == "assistant" || kept == "model" || kept == "ASSISTANT";
  } else if (is_type && in_message() && depth == message_depth) {
    for (const std::string_view type : kModelTypes) by_model |= kept == type;
  }
  // One that is a text alone.
  if (in_message() && depth + 1 == message_depth) end_message();
  key = Member::kOther;
}

bool Gleaner::Impl::takes_number() {
  if (level().ignored || (of_model() && key == Member::kIgnored)) return false;
  return !level().array || numbers++ < kArrayNumbersMax;
}

void Gleaner::Impl::integer(int64_t number) {
  if (key == Member::kIndex) at_index(number);
  if (digested()) digest.add(static_cast<uint64_t>(number));
  if (takes_number()) scan_integer(number, tells(), values, bundle);
  key = Member::kOther;
}

void Gleaner::Impl::number(double number) {
  if (digested()) digest.add(std::bit_cast<uint64_t>(number));
  if (takes_number()) scan_number(number, tells(), values, bundle);
  key = Member::kOther;
}

Gleaner::Gleaner(const HashKey& key, Voice voice, bool streamed, Overflow& overflow,
                 const GleanLimits& limits)
    : impl_(std::make_unique<Impl>(key, voice, streamed, overflow, limits)) {}

Gleaner::~Gleaner() = default;

void Gleaner::begin_document() {
  Impl& impl = *impl_;
  impl.depth = 0;
  impl.levels[0] = {};
  impl.key = Member::kOther;
  impl.in_text = false;
  impl.index = 0;
  impl.index_seen = false;
  impl.name_waits = false;
  impl.name_depth = 0;
  impl.unnamed_depth = 0;
  impl.message_depth = 0;
  impl.asked_depth = 0;
  if (impl.voice == Voice::kModelAnswer) impl.values.set_place(Place::kContent);
}

void Gleaner::end_document() {
  // Of one that broke off in the middle of a text, what came of that is none.
  impl_->scan.drop();
}

void Gleaner::finish() {
  for (Impl::Part& part : impl_->parts) {
    if (part.prose) part.prose->end();
  }
}

const Gleaned& Gleaner::gleaned() const {
  return impl_->out;
}

Gleaned Gleaner::take() {
  impl_->unnamed_depth = 0;
  return std::exchange(impl_->out, {});
}

void Gleaner::on_object() {
  impl_->open(false);
}
void Gleaner::on_object_end() {
  impl_->close();
}
void Gleaner::on_array() {
  impl_->open(true);
}
void Gleaner::on_array_end() {
  impl_->close();
}

void Gleaner::on_key(std::string_view key) {
  impl_->key = member_of(key);
}

void Gleaner::on_text(std::string_view part, bool last) {
  impl_->text(part, last);
}

void Gleaner::on_integer(int64_t number) {
  impl_->integer(number);
}

void Gleaner::on_number(double number) {
  impl_->number(number);
}

json::Handler* Gleaner::deep() {
  return &impl_->nameless;
}

void Gleaner::on_bool(bool truth) {
  if (impl_->digested()) impl_->digest.add(truth ? "t" : "f");
  impl_->key = Member::kOther;
}

void Gleaner::on_null() {
  impl_->key = Member::kOther;
}

void glean_target(const HashKey& key, const Target& target, Gleaned& out) {
  constexpr size_t kValuesMax = 256;
  Target plain = target;
  plain.path = plain.path.substr(0, plain.path.find('#'));
  if (!plain.may_tell()) return;
  ValueList values(key, out, nullptr, kValuesMax);
  scan_target(plain, values);
}

}  // namespace sidespan::lineage
