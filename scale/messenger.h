#pragma once
// Messages between the processes of mpirun. The only part that knows MPI; in a build without MPI the constructor
// throws.

#include <functional>
#include <memory>
#include <string>

namespace tessera {

struct Message {
  int from = 0;  // rank
  int kind = 0;  // what the bytes are, for the receiver
  std::string bytes;
};

// A thread of its own makes every call to MPI (MPI_THREAD_FUNNELED) and sleeps while there is nothing to do: MPI's own
// waiting would keep a core busy that the models can use. Messages between two processes keep their order.
class Messenger {
 public:
  // Joins the other processes; a process that mpirun did not start is alone. Throws UsageError in a build without MPI.
  Messenger();
  // Sends all pending messages and leaves; waits until the other processes leave.
  ~Messenger();
  Messenger(const Messenger&) = delete;
  Messenger& operator=(const Messenger&) = delete;

  int rank() const noexcept;
  int size() const noexcept;
  const std::string& host() const noexcept;

  // From now on `handler` gets each message, in the messenger's thread. It must not throw.
  void listen(std::function<void(const Message&)> handler);
  // When this returns, no message is being handled, and none will be.
  void close();
  // Thread-safe. Waits while many bytes are on their way, but never in the handler.
  void send(int to, int kind, std::string bytes);

 private:
  struct Link;
  std::unique_ptr<Link> link_;
};

}  // namespace tessera
