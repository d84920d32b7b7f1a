// Runs a fuzz target without a fuzzer: every file of its corpus, then mutations of them, the same
// ones each time. Part of the unit run, where any compiler will do; what it finds stays found.
//   fuzz_replay_TARGET CORPUS [MUTATIONS]
// What makes the target abort is written to standard error as a C string.
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "sidespan/base/random.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);
extern "C" __attribute__((weak)) void __sanitizer_set_death_callback(void (*callback)());

namespace {

using sidespan::Random;
using std::string_view_literals::operator""sv;

constexpr size_t kInputBytesMax = 16384;
constexpr size_t kStepsMax = 6;

const std::string* running = nullptr;  // for the moment of death only

// Called in a signal handler: nothing here allocates.
void tell_input() {
  if (running == nullptr) return;
  constexpr std::string_view kDigits = "01234567";
  std::string_view rest = *running;
  running = nullptr;
  const auto put = [](std::string_view text) {
    return write(STDERR_FILENO, text.data(), text.size());
  };
  put("the input: \"");
  for (const char c : rest) {
    const auto byte = static_cast<unsigned char>(c);
    const char octal[] = {'\\', kDigits[byte >> 6U], kDigits[(byte >> 3U) & 7U],
                          kDigits[byte & 7U]};
    const bool plain = c >= ' ' && c <= '~' && c != '"' && c != '\\';
    put(plain ? std::string_view(&c, 1) : std::string_view(octal, 4));
  }
  put("\"\n");
}

void on_signal(int number) {
  tell_input();
  std::signal(number, SIG_DFL);
  std::raise(number);
}

void run(const std::string& input) {
  running = &input;
  // A block of its own, so that a sanitizer sees the first byte read past the end.
  const auto block = std::make_unique_for_overwrite<uint8_t[]>(input.size());
  std::ranges::copy(input, block.get());
  LLVMFuzzerTestOneInput(block.get(), input.size());
  running = nullptr;
}

char interesting(Random& random) {
  static constexpr std::string_view kBytes =
      "\0\t\n\r !\"#$%&'()*+,-./09:;<=>?@AZ[\\]^_`az{|}~\x7f\x80\xbf\xc3\xff"sv;
  return random.below(3) == 0 ? static_cast<char>(random.below(256))
                              : kBytes[random.below(kBytes.size())];
}

void mutate_once(std::string& input, const std::vector<std::string>& corpus, Random& random) {
  const size_t at = random.below(input.size() + 1);
  const size_t length = random.below(std::min<size_t>(input.size() - at, 32) + 1);
  switch (random.below(7)) {
    case 0:
      if (at < input.size()) input[at] = interesting(random);
      break;
    case 1:
      if (at < input.size()) input[at] = static_cast<char>(input[at] ^ (1 << random.below(8)));
      break;
    case 2:
      input.insert(at, 1 + random.below(4), interesting(random));
      break;
    case 3:
      input.erase(at, length);
      break;
    case 4:
      input.insert(at, input.substr(at, length));
      break;
    case 5:
      input.resize(at);
      break;
    default: {
      const std::string& other = corpus[random.below(corpus.size())];
      input.insert(at, other.substr(random.below(other.size() + 1), random.below(64)));
    }
  }
}

std::string mutated(const std::vector<std::string>& corpus, Random& random) {
  std::string input = corpus[random.below(corpus.size())];
  for (size_t steps = 1 + random.below(kStepsMax); steps > 0; --steps)
    mutate_once(input, corpus, random);
  if (input.size() > kInputBytesMax) input.resize(kInputBytesMax);
  return input;
}

std::vector<std::string> read_corpus(const char* directory) {
  std::vector<std::filesystem::path> paths;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(directory, error)) {
    if (entry.is_regular_file()) paths.push_back(entry.path());
  }
  std::ranges::sort(paths);  // the file system's order is not the same everywhere
  std::vector<std::string> corpus;
  for (const auto& path : paths) {
    std::ifstream file(path, std::ios::binary);
    corpus.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  }
  return corpus;
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> corpus =
      argc < 2 ? std::vector<std::string>() : read_corpus(argv[1]);
  if (corpus.empty()) {
    std::fprintf(stderr, "usage: %s CORPUS [MUTATIONS], and the corpus has a file\n", argv[0]);
    return 2;
  }
  size_t mutations = 0;
  if (argc > 2) std::from_chars(argv[2], argv[2] + std::strlen(argv[2]), mutations);
  std::signal(SIGABRT, on_signal);
  std::signal(SIGSEGV, on_signal);
  if (__sanitizer_set_death_callback != nullptr) __sanitizer_set_death_callback(tell_input);

  for (const std::string& input : corpus) run(input);
  Random random(1);
  for (size_t i = 0; i < mutations; ++i) run(mutated(corpus, random));
  std::printf("%zu files, %zu mutations\n", corpus.size(), mutations);
  return 0;
}
