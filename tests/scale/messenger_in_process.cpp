#include "tests/scale/messenger_in_process.h"

#include <thread>

namespace tessera {

namespace {

struct Seat {
  World* world = nullptr;
  int rank = 0;
};
thread_local Seat seat;

}  // namespace

void World::enter(int rank) { seat = {.world = this, .rank = rank}; }

struct Messenger::Link {
  World& world;
  int rank;
  std::string host;
  std::jthread thread{};

  World::Box& box() const { return world.boxes_[static_cast<std::size_t>(rank)]; }
  // Hands messages to the handler, one at a time, until all have left.
  void deliver() const {
    std::unique_lock lock(world.mutex_);
    const int size = static_cast<int>(world.boxes_.size());
    while (true) {
      const auto ready = [&] { return box().handler && !box().messages.empty(); };
      world.changed_.wait(lock, [&] { return ready() || world.left_ == size; });
      if (!ready()) return;
      const Message message = std::move(box().messages.front());
      box().messages.pop();
      const std::function<void(const Message&)> handler = box().handler;
      box().handling = true;
      lock.unlock();
      handler(message);
      lock.lock();
      box().handling = false;
      world.changed_.notify_all();
    }
  }
};

Messenger::Messenger()
    : link_(new Link{.world = *seat.world, .rank = seat.rank, .host = "host" + std::to_string(seat.rank)}) {
  link_->thread = std::jthread([link = link_.get()] { link->deliver(); });
}

Messenger::~Messenger() {
  World& world = link_->world;
  std::unique_lock lock(world.mutex_);
  ++world.left_;
  world.changed_.notify_all();
  world.changed_.wait(lock, [&] { return world.left_ == static_cast<int>(world.boxes_.size()); });
}

int Messenger::rank() const noexcept { return link_->rank; }
int Messenger::size() const noexcept { return static_cast<int>(link_->world.boxes_.size()); }
const std::string& Messenger::host() const noexcept { return link_->host; }

void Messenger::listen(std::function<void(const Message&)> handler) {
  const std::scoped_lock lock(link_->world.mutex_);
  link_->box().handler = std::move(handler);
  link_->world.changed_.notify_all();
}

void Messenger::close() {
  std::unique_lock lock(link_->world.mutex_);
  link_->box().handler = nullptr;
  link_->world.changed_.wait(lock, [&] { return !link_->box().handling; });
}

void Messenger::send(int to, int kind, std::string bytes) {
  const std::scoped_lock lock(link_->world.mutex_);
  link_->world.boxes_[static_cast<std::size_t>(to)].messages.push(
      {.from = link_->rank, .kind = kind, .bytes = std::move(bytes)});
  link_->world.changed_.notify_all();
}

}  // namespace tessera
