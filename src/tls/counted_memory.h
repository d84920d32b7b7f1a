// What OpenSSL allocates, in the memory ledger: the true size of each block, on the thread on which
// it comes or goes; and a share of that for each engine, so that it can say what it holds.
#pragma once

#include <cstddef>
#include <cstdint>

namespace sidespan::tls {

// What OpenSSL took on this thread, less what it gave back here. Its differences are of use alone.
extern constinit thread_local int64_t openssl_bytes;

// More than that part of the ledger's limit; never on a thread that counts for nobody.
bool exceeds_part(size_t bytes, size_t parts);

// Adds to `share` what OpenSSL takes while this lives.
class CountedShare {
 public:
  explicit CountedShare(int64_t& share) : share_(share), before_(openssl_bytes) {}
  ~CountedShare() { share_ += openssl_bytes - before_; }
  CountedShare(const CountedShare&) = delete;
  CountedShare& operator=(const CountedShare&) = delete;

 private:
  int64_t& share_;
  const int64_t before_;
};

}  // namespace sidespan::tls
