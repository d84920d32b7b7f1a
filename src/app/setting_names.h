// What to say about a key or a variable that is not in the table: that it comes with a later
// version, or which one was probably meant. Pure.
#pragma once

#include <array>
#include <string>
#include <string_view>

namespace sidespan::app {

// Variables that say where things are, and are no settings.
inline constexpr std::array<std::string_view, 2> kPlaceVariables = {"SIDESPAN_CONFIG",
                                                                    "SIDESPAN_STATE_DIR"};

// One clause. `key` is the whole path, "listen.egres".
std::string unknown_key_sentence(std::string_view key);

// The same of a variable, "SIDESPAN_LISTEN_EGRES".
std::string unknown_variable_sentence(std::string_view name);

// Whether some setting's key begins with `key` and a dot.
bool is_section(std::string_view key);

// How many letters have to be put in, taken out or changed.
size_t edit_distance(std::string_view a, std::string_view b);

}  // namespace sidespan::app
