// What agents are told to trust, as files and as the variables that name them: ca.pem has what is
// ours alone, bundle.pem the system's roots too, truststore.jks the same for a JVM. Never a key.
// Written by `run`, `proxy` and `ca rotate`, named by `run` and `env`, looked at by `doctor`.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "app/environment.h"
#include "app/settings.h"
#include "sidespan/base/error.h"

namespace sidespan::app {

inline constexpr size_t kBundleBytesMax = size_t{8} * 1024 * 1024;
inline constexpr const char* kCertificateName = "ca.pem";
inline constexpr const char* kBundleName = "bundle.pem";
inline constexpr const char* kJavaStoreName = "truststore.jks";

// Variables that replace what a program trusts, so that they name a bundle.
std::span<const std::string_view> replacing_trust_names();
// Variables that add to it.
std::span<const std::string_view> adding_trust_names();

// A sentence for each of them in `own` that names a file which cannot be read: it says nothing to
// whoever is told to trust ours beside it.
std::vector<std::string> unreadable_trust(const Environment& own);

// Where this system keeps its roots in one file; empty: it has none.
std::string system_roots_file();

// Where agents find what they are to trust: tls.authority.export_dir, else a directory of the state
// directory, another one for each list that limits the authority. Error side: kSelf.
Result<std::string> trust_directory(const Settings& settings, const Environment& own);
// Writes it there: ca.pem, and bundle.pem and truststore.jks with the system's roots. Files that
// hold it already are left alone.
Result<void> export_trust(const std::string& certificates_pem, const std::string& directory);
// What export_trust() makes of the system's roots and ours.
std::string bundle_of(const std::string& certificates_pem);

// The variables that make programs trust what was exported to `directory`. Where one named another
// file in `own`, it names that file's content with ours added, written to `directory` too; of such
// files the oldest go, 16 at least stay, and whatever was named or read within 30 days. Error side
// kSelf; kSystem: the system refuses to write one, or nothing was exported there.
Result<Pairs> trust_variables(const std::string& directory, const Environment& own);

}  // namespace sidespan::app
