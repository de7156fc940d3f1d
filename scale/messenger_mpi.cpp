#include <mpi.h>

#include <condition_variable>
#include <deque>
#include <future>
#include <list>
#include <mutex>
#include <thread>

#include "core/error.h"
#include "scale/messenger.h"

namespace tessera {

namespace {

// How long a message may wait where nothing else wakes the thread. A check costs some 5 us.
constexpr std::chrono::milliseconds kPoll{2};
// The most bytes on their way to the receiver: beyond it send() waits, so that a slow receiver does not fill the
// sender's memory.
constexpr std::size_t kMostBytes = std::size_t{16} << 20U;

struct Sending {
  Message message;  // `from` is the receiver
  MPI_Request request = MPI_REQUEST_NULL;
};

}  // namespace

struct Messenger::Link {
  int rank = 0, size = 1;
  std::string host;
  std::mutex mutex;  // guards all that follows
  std::condition_variable changed;
  std::function<void(const Message&)> handler;
  bool handling = false;
  std::deque<Message> outbox;
  std::size_t bytes = 0;  // in the outbox and on their way
  bool leaving = false;
  std::list<Sending> sending;  // used by the thread alone
  std::thread thread;

  void join() {
    int provided = 0;
    MPI_Init_thread(nullptr, nullptr, MPI_THREAD_FUNNELED, &provided);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    std::string name(MPI_MAX_PROCESSOR_NAME, '\0');
    int length = 0;
    MPI_Get_processor_name(name.data(), &length);
    host = name.substr(0, static_cast<std::size_t>(length));
  }

  void run() {
    while (true) {
      const bool sent = send_outbox();
      const bool received = receive();
      reap();
      std::unique_lock lock(mutex);
      if (leaving && outbox.empty() && sending.empty()) break;
      if (!sent && !received) changed.wait_for(lock, kPoll);
    }
    MPI_Finalize();
  }

  bool send_outbox() {
    std::deque<Message> messages;
    {
      const std::scoped_lock lock(mutex);
      messages.swap(outbox);
    }
    for (Message& message : messages) {
      Sending& s = sending.emplace_back(Sending{.message = std::move(message)});
      MPI_Isend(s.message.bytes.data(), static_cast<int>(s.message.bytes.size()), MPI_BYTE, s.message.from,
                s.message.kind, MPI_COMM_WORLD, &s.request);
    }
    return !messages.empty();
  }

  void reap() {
    std::size_t gone = 0;
    for (auto s = sending.begin(); s != sending.end();) {
      int done = 0;
      MPI_Test(&s->request, &done, MPI_STATUS_IGNORE);
      if (done == 0) {
        ++s;
        continue;
      }
      gone += s->message.bytes.size();
      s = sending.erase(s);
    }
    if (gone == 0) return;
    const std::scoped_lock lock(mutex);
    bytes -= gone;
    changed.notify_all();
  }

  bool receive() {
    {
      const std::scoped_lock lock(mutex);
      if (!handler && !leaving) return false;  // the message waits in MPI
    }
    int there = 0;
    MPI_Status status;
    MPI_Iprobe(MPI_ANY_SOURCE, MPI_ANY_TAG, MPI_COMM_WORLD, &there, &status);
    if (there == 0) return false;
    int length = 0;
    MPI_Get_count(&status, MPI_BYTE, &length);
    Message message{.from = status.MPI_SOURCE,
                    .kind = status.MPI_TAG,
                    .bytes = std::string(static_cast<std::size_t>(length), '\0')};
    MPI_Recv(message.bytes.data(), length, MPI_BYTE, message.from, message.kind, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    handle(message);
    return true;
  }

  void handle(const Message& message) {
    std::unique_lock lock(mutex);
    if (!handler) return;
    handling = true;
    lock.unlock();
    handler(message);
    lock.lock();
    handling = false;
    changed.notify_all();
  }
};

Messenger::Messenger() : link_(std::make_unique<Link>()) {
  std::promise<void> joined;
  link_->thread = std::thread([&joined, link = link_.get()] {
    link->join();
    joined.set_value();
    link->run();
  });
  joined.get_future().wait();
}

Messenger::~Messenger() {
  {
    const std::scoped_lock lock(link_->mutex);
    link_->leaving = true;
    link_->changed.notify_all();
  }
  link_->thread.join();
}

int Messenger::rank() const noexcept { return link_->rank; }
int Messenger::size() const noexcept { return link_->size; }
const std::string& Messenger::host() const noexcept { return link_->host; }

void Messenger::listen(std::function<void(const Message&)> handler) {
  const std::scoped_lock lock(link_->mutex);
  link_->handler = std::move(handler);
}

void Messenger::close() {
  std::unique_lock lock(link_->mutex);
  link_->changed.wait(lock, [&] { return !link_->handling; });
  link_->handler = nullptr;
}

void Messenger::send(int to, int kind, std::string bytes) {
  std::unique_lock lock(link_->mutex);
  if (std::this_thread::get_id() != link_->thread.get_id()) {
    link_->changed.wait(lock, [&] { return link_->bytes < kMostBytes; });
  }
  link_->bytes += bytes.size();
  link_->outbox.push_back({.from = to, .kind = kind, .bytes = std::move(bytes)});
  link_->changed.notify_all();
}

}  // namespace tessera
