// One connection of the pool, and the streams on it.
#include <utility>

#include "pool_impl.h"
#include "sidespan/base/spares.h"

namespace sidespan::wire {

class Pool::Impl::Entry::Stream final : public OriginStream, public Recycled<Stream, 128> {
 public:
  explicit Stream(Entry& entry) : entry_(entry) {}

  size_t send(http::Event&& event) override {
    event.stream = id_;
    return entry_.connection_.send(std::move(event));
  }
  size_t send_head(const http::Head& head) override {
    return entry_.connection_.send_head(id_, head);
  }
  size_t queued() const override { return entry_.connection_.queued(id_); }
  void consumed(size_t n) override { entry_.connection_.consumed(id_, n); }
  void read_ahead() override { entry_.connection_.read_ahead(id_); }
  void tunnel() override {
    entry_.connection_.tunnel(id_);
    if (!entry_.early_.empty()) entry_.connection_.read_early(std::exchange(entry_.early_, {}));
  }
  void resume_http() override {
    entry_.connection_.resume_http(id_, {});
    --entry_.opened_;  // none that counts
  }
  void half_close() override { entry_.connection_.half_close(id_); }
  bool reused() const override { return reused_; }
  const net::Address& peer() const override { return entry_.connection_.peer(); }
  const DialPhases& phases() const override {
    static constexpr DialPhases kNone;
    return number_ > 1 ? kNone : entry_.phases_;
  }
  std::string_view protocol() const override { return entry_.h2() ? "2" : "1.1"; }
  const tls::Engine* tls() const override { return entry_.connection_.tls(); }
  void release() override { entry_.release(*this); }
  std::pair<Dialled, OriginPlace> detach() override {
    return {Dialled{.stream = entry_.connection_.detach(), .phases = entry_.phases_},
            std::move(entry_.place_)};
  }

  Entry& entry_;
  OriginStreamOwner* owner_ = nullptr;
  http::StreamId id_ = 0;
  uint32_t number_ = 0;  // among those of the connection, from 1
  bool reused_ = false;
};

Pool::Impl::Entry::Entry(Impl& pool, SlotId id, Origins::value_type& origin,
                         std::unique_ptr<http::Codec> codec, Dialled dialled, OriginPlace place)
    : pool_(pool),
      id_(id),
      origin_(origin),
      phases_(dialled.phases),
      place_(std::move(place)),
      connection_(std::move(dialled.stream), std::move(dialled.engine), std::move(codec), *this),
      early_(std::move(dialled.early)),
      h2_(connection_.codec().multiplexed()) {
  learn();
}

Pool::Impl::Entry::~Entry() = default;

OriginStreamPtr Pool::Impl::Entry::open(OriginStreamOwner& owner) {
  const http::StreamId id = connection_.open();
  if (id == 0) return nullptr;
  std::unique_ptr<Stream>& stream = h2() ? more_[id] : only_;
  if (!stream) stream = std::make_unique<Stream>(*this);
  stream->owner_ = &owner;
  stream->id_ = id;
  stream->number_ = ++opened_;
  stream->reused_ = opened_ > 1 || parked_;
  ++streams_;
  return OriginStreamPtr(stream.get());
}

void Pool::Impl::Entry::release(Stream& stream) {
  --streams_;
  stream.owner_ = nullptr;
  if (h2()) {
    // What is left of it, as of an upload that was answered early, keeps nothing.
    const http::StreamId id = stream.id_;
    connection_.send({id, http::Reset{{Code::kConnectionClosed, Side::kSelf, false, "over"}}});
    more_.erase(id);
  } else {
    connection_.read_on();  // there is no owner now who has no room
  }
  pool_.release(*this);
}

Pool::Impl::Entry::Stream* Pool::Impl::Entry::find(http::StreamId id) {
  if (!h2()) return only_.get();
  const auto found = more_.find(id);
  return found == more_.end() ? nullptr : found->second.get();
}

void Pool::Impl::Entry::wake(Connection&) {
  if (!learned_) learn();
  while (std::optional<http::Event> event = connection_.next()) {
    if (auto* reset = std::get_if<http::Reset>(&event->what)) {
      explain(*reset);
      // Before its owner is told, who may ask once more.
      if (!connection_.codec().greeted()) {
        pool_.unshare(*this);
        pool_.lose_attempt(*origin_.second.site, origin_.first, reset->error);
      }
    }
    Stream* const stream = find(event->stream);
    if (stream != nullptr && stream->owner_ != nullptr) {
      stream->owner_->on_origin_event(std::move(*event));
    }
  }
  // A connection that broke after the answer was whole has no event of its own for that.
  OriginStreamOwner* const owner = only_ ? only_->owner_ : nullptr;
  if (owner != nullptr && connection_.closed() && !std::exchange(told_closed_, true)) {
    owner->on_origin_event({0, http::Reset{{Code::kConnectionClosed, Side::kOrigin, false,
                                            "the origin closed the connection"}}});
  }
  // It may take more streams than a moment ago: SETTINGS came, or one of them is over.
  if (h2()) pool_.look_after(*origin_.second.site);
  const bool unfit = idle_ && !connection_.codec().reusable();
  if (!busy() && (connection_.closed() || unfit)) pool_.doom(*this);
}

size_t Pool::Impl::Entry::room(const Connection& connection) const {
  const bool wanted = only_ && only_->owner_ != nullptr;
  return wanted ? only_->owner_->answer_room() : ConnectionOwner::room(connection);
}

void Pool::Impl::Entry::learn() {
  learned_ = connection_.codec().greeted();
  if (learned_) pool_.remember(origin_.first, h2());
}

// The codec knows only that the bytes ended.
void Pool::Impl::Entry::explain(http::Reset& reset) const {
  const tls::Engine* const tls = connection_.tls();
  if (tls != nullptr && tls->failure()) reset.error = *tls->failure();
}

}  // namespace sidespan::wire
