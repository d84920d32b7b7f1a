// What a call of a model cost, by a table that the user keeps: providers change their prices, and
// nobody knows another's contract. A model that is not in it has no cost. Pure.
#pragma once

#include <optional>
#include <span>
#include <string>

#include "sidespan/semconv/genai_call.h"

namespace sidespan::semconv::genai {

// US dollars for a million tokens.
struct Price {
  std::string provider = "*";  // `gen_ai.provider.name`; `*` stands for any characters
  std::string model;           // of the answer, else of the request; likewise
  double input = 0;
  double output = 0;
  // Of input that came from a cache, and went into one; nothing: as other input.
  std::optional<double> cache_read = {};
  std::optional<double> cache_write = {};
};

// By the first row that matches. Nothing where none does, or where no tokens were counted, or
// not to the end.
std::optional<double> cost_of(const Call& call, std::span<const Price> prices);

}  // namespace sidespan::semconv::genai
