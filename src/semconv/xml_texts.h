// The texts of an XML document as it passes, in any pieces: for each element that holds nothing but
// text, that text and the element's name without its prefix. It is no parser that judges: tags that
// do not fit are taken as they come, entities stay as they are, declarations, comments and CDATA
// are passed over. Used where a service answers in XML. Bounded: a longer name or text is cut.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace sidespan::semconv {

class XmlTexts {
 public:
  static constexpr size_t kNameBytesMax = 64;
  static constexpr size_t kTextBytesMax = 1024;
  struct Text {
    std::string_view parent;  // the name of the element that it stands in; empty: none is known
    std::string_view name;
    std::string_view text;
    bool cut = false;
  };
  // The views are for the call.
  using OnText = std::move_only_function<void(const Text&)>;
  explicit XmlTexts(OnText on_text) : on_text_(std::move(on_text)) {}

  void feed(std::string_view bytes);

 private:
  static constexpr size_t kDepthMax = 16;
  enum class At : uint8_t {
    kText,
    kTagBegin,
    kName,
    kInTag,
    kQuoted,
    kEndTag,
    kMarkup,
    kComment,
    kCdata
  };

  void take(char c);
  void begin_tag(char c);
  void take_markup(char c);
  void open();
  void close();

  OnText on_text_;
  At at_ = At::kText;
  char quote_ = 0;
  bool self_closing_ = false;
  bool leaf_ = false;  // no element has begun or ended since the last that was opened
  bool cut_ = false;
  uint8_t matched_ = 0;  // of what ends a comment or CDATA, or begins it
  size_t depth_ = 0;
  std::string name_;  // of the tag that is read
  std::string text_;
  std::string open_[kDepthMax];  // names of those that are open
};

}  // namespace sidespan::semconv
