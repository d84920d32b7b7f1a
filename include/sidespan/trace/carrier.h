// Where context travels: HTTP fields, message headers, an environment. Propagators read and write
// through these two interfaces and know no transport. A program with headers of its own implements
// them, or wraps a map or a list of pairs in PairReader and PairWriter; EnvironmentCarrier follows
// OpenTelemetry's context/env-carriers. Nothing is locked.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "sidespan/base/text.h"

namespace sidespan::trace {

template <class Signature>
class FunctionRef;

// A callable for the time of one call: never owns, never allocates.
template <class R, class... Args>
class FunctionRef<R(Args...)> {
 public:
  template <class F>
    requires(!std::is_same_v<std::remove_cvref_t<F>, FunctionRef> &&
             std::is_invocable_r_v<R, F&, Args...>)
  // NOLINTNEXTLINE(google-explicit-constructor): call sites pass plain lambdas
  FunctionRef(F&& callable)
      : object_(const_cast<void*>(static_cast<const void*>(std::addressof(callable)))),
        call_([](void* object, Args... args) -> R {
          return (*static_cast<std::remove_reference_t<F>*>(object))(std::forward<Args>(args)...);
        }) {}

  R operator()(Args... args) const { return call_(object_, std::forward<Args>(args)...); }

 private:
  void* object_;
  R (*call_)(void*, Args...);
};

// Names are compared without regard to ASCII case. Views handed out live until the carrier changes.
class CarrierReader {
 public:
  using OnValue = FunctionRef<void(std::string_view value)>;
  using OnPair = FunctionRef<void(std::string_view name, std::string_view value)>;

  virtual ~CarrierReader() = default;
  // Every value of `name`, in wire order.
  virtual void visit(std::string_view name, OnValue on_value) const = 0;
  // Every pair whose name starts with `prefix`, in wire order; names as the carrier holds them.
  virtual void visit_prefix(std::string_view prefix, OnPair on_pair) const = 0;
};

class CarrierWriter {
 public:
  virtual ~CarrierWriter() = default;
  // Afterwards `value` is the one value of `name`.
  virtual void set(std::string_view name, std::string_view value) = 0;
  // As set(), for a list-valued field that came in several lines and need not be touched. Here they
  // are joined by ","; a carrier with repeated names may keep the lines apart.
  virtual void set_lines(std::string_view name, std::span<const std::string_view> values);
  virtual void remove(std::string_view name) = 0;
  virtual void remove_prefix(std::string_view prefix) = 0;
};

bool starts_with_ignoring_case(std::string_view text, std::string_view prefix);

// Reads any range of (name, value) pairs of text: std::map, std::multimap, a vector of pairs.
// `range` must outlive this.
template <class Range>
class PairReader final : public CarrierReader {
 public:
  explicit PairReader(const Range& range) : range_(range) {}

  void visit(std::string_view name, OnValue on_value) const override {
    for (const auto& [key, value] : range_) {
      if (text::equal_ignoring_case(key, name)) on_value(value);
    }
  }
  void visit_prefix(std::string_view prefix, OnPair on_pair) const override {
    for (const auto& [key, value] : range_) {
      if (starts_with_ignoring_case(key, prefix)) on_pair(key, value);
    }
  }

 private:
  const Range& range_;
};

// Writes into the same kinds of container; where order means something, at the end. `range` must
// outlive this.
template <class Range>
class PairWriter final : public CarrierWriter {
 public:
  explicit PairWriter(Range& range) : range_(range) {}

  void set(std::string_view name, std::string_view value) override {
    // The new pair is made first: `value` may be a view of one that goes.
    std::pair<std::string, std::string> pair(name, value);
    remove(name);
    add(std::move(pair));
  }
  void set_lines(std::string_view name, std::span<const std::string_view> values) override {
    if constexpr (kRepeats) {
      std::vector<std::pair<std::string, std::string>> pairs;
      for (const std::string_view value : values) pairs.emplace_back(name, value);
      remove(name);
      for (auto& pair : pairs) add(std::move(pair));
    } else {
      CarrierWriter::set_lines(name, values);
    }
  }
  void remove(std::string_view name) override {
    erase_if(range_, [&](const auto& p) { return text::equal_ignoring_case(p.first, name); });
  }
  void remove_prefix(std::string_view prefix) override {
    erase_if(range_, [&](const auto& p) { return starts_with_ignoring_case(p.first, prefix); });
  }

 private:
  static constexpr bool kRepeats = requires(Range& r) { r.emplace_back("", ""); };

  void add(std::pair<std::string, std::string> pair) {
    if constexpr (kRepeats) {
      range_.emplace_back(std::move(pair.first), std::move(pair.second));
    } else {
      range_.emplace(std::move(pair.first), std::move(pair.second));
    }
  }

  Range& range_;
};

// A process environment, "NAME=value" each. A field's name is upper-cased, whatever is not A-Z, 0-9
// or "_" becomes "_": TRACEPARENT, TRACESTATE, BAGGAGE. Other spellings are somebody else's; an
// empty value counts as unset.
class EnvironmentCarrier final : public CarrierReader, public CarrierWriter {
 public:
  EnvironmentCarrier() = default;
  explicit EnvironmentCarrier(std::vector<std::string> entries) : entries_(std::move(entries)) {}
  // This process's own. Read it once, before threads start.
  static EnvironmentCarrier of_process();
  static std::string name_of(std::string_view field);

  void visit(std::string_view name, OnValue on_value) const override;
  void visit_prefix(std::string_view prefix, OnPair on_pair) const override;
  void set(std::string_view name, std::string_view value) override;
  void remove(std::string_view name) override;
  void remove_prefix(std::string_view prefix) override;

  // What a child process gets.
  const std::vector<std::string>& entries() const { return entries_; }

 private:
  std::vector<std::string> entries_;
};

}  // namespace sidespan::trace
