#include "app/collector_probe.h"

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "app/options.h"
#include "app/run_report.h"
#include "sidespan/http/grpc.h"
#include "sidespan/net/loop.h"
#include "sidespan/net/timer.h"
#include "sidespan/report/otlp_request.h"
#include "sidespan/wire/dialer.h"
#include "sidespan/wire/pool.h"

namespace sidespan::app {
namespace {

constexpr int kOk = 200;

// Nothing is not packed.
report::OtlpOptions plain(report::OtlpOptions options) {
  options.gzip = false;
  return options;
}

class Probe final : private wire::OriginStreamOwner {
 public:
  Probe(const Settings& settings, const TlsSetup& tls, report::OtlpOptions options)
      : options_(plain(std::move(options))),
        client_tls_(client_context(settings, tls)),
        dialer_(
            loop_, settings.limits.dialer,
            [](std::string_view, const net::Address&) { return std::nullopt; }, client_tls_.get()),
        pool_(loop_, dialer_, settings.limits.pool),
        timer_(loop_, [this] { end("no answer in time"); }) {}

  // The status, of gRPC by its name, or why there is none.
  Result<std::string> run() {
    timer_.start(options_.timeout);
    connecting_ = pool_.dial(report::export_key(options_), *this,
                             [this](auto stream) { send(std::move(stream)); });
    loop_.run();
    stream_.reset();
    connecting_.reset();
    pool_.drain();
    if (!status_.empty()) return status_;
    return fail(Code::kSystem, Side::kSelf, fault_);
  }

 private:
  void send(Result<wire::OriginStreamPtr> stream) {
    if (!stream) return end(stream.error().what);
    stream_ = std::move(*stream);
    if (grpc() && stream_->protocol() != "2") {
      return end("it does not speak HTTP/2, which gRPC needs; its gRPC port is usually 4317");
    }
    http::Head head = report::export_head(options_);
    // No bytes are an ExportTraceServiceRequest without a span.
    const std::string body = report::export_body(options_, {});
    head.body = http::BodyLength::known(body.size());
    stream_->send({0, std::move(head)});
    stream_->send({0, http::Body{Chain(body)}});
    stream_->send({0, http::End{}});
  }

  void on_origin_event(http::Event&& event) override {
    if (const auto* head = std::get_if<http::Head>(&event.what)) {
      const bool other = grpc() && head->status == kOk;
      other ? take(head->headers) : tell(std::to_string(head->status));
    } else if (const auto* trailers = std::get_if<http::Trailers>(&event.what)) {
      if (grpc()) take(trailers->fields);
    } else if (std::holds_alternative<http::End>(event.what)) {
      end("its answer has no status of gRPC");
    } else if (const auto* reset = std::get_if<http::Reset>(&event.what)) {
      end(reset->error.what);
    }
  }

  bool grpc() const { return options_.protocol == report::OtlpProtocol::kGrpc; }

  // A status of gRPC is in the trailers, or in the head of an answer that has nothing else.
  void take(const http::Headers& fields) {
    const std::optional<uint32_t> status = http::grpc_status(fields);
    if (status) tell(std::string(http::name_of_grpc_status(*status).value_or("UNKNOWN")));
  }

  void tell(std::string status) {
    status_ = std::move(status);
    end("");
  }

  void end(std::string fault) {
    fault_ = std::move(fault);
    timer_.stop();
    loop_.stop();
  }

  net::Loop loop_;
  report::OtlpOptions options_;
  std::unique_ptr<tls::ClientContext> client_tls_;
  wire::Dialer dialer_;
  wire::Pool pool_;
  net::Timer timer_;
  std::unique_ptr<wire::Pool::Waiting> connecting_;
  wire::OriginStreamPtr stream_;
  std::string status_;
  std::string fault_;
};

}  // namespace

CollectorFacts probe_collector(const Settings& settings, const TlsSetup& tls) {
  CollectorFacts facts;
  facts.tracing = settings.tracing;
  facts.decided = settings.exporting.decided;
  const report::PipelineOptions options = pipeline_options(settings, memory_shares());
  if (!options.otlp || !settings.exporting.endpoint) return facts;
  facts.endpoint = shown(settings.exporting);
  const Result<std::string> status = Probe(settings, tls, *options.otlp).run();
  if (status) {
    facts.status = *status;
  } else {
    facts.fault = status.error().what;
  }
  return facts;
}

}  // namespace sidespan::app
