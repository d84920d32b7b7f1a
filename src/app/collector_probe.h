// One empty export to the configured collector, with the connection, TLS and headers that the
// exporter would use: does it answer, and what. For `doctor`; waits for it.
#pragma once

#include "app/doctor_sidecar.h"
#include "app/settings.h"
#include "app/tls_setup.h"

namespace sidespan::app {

// Takes export.otlp.timeout at most.
CollectorFacts probe_collector(const Settings& settings, const TlsSetup& tls);

}  // namespace sidespan::app
