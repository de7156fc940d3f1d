#pragma once
// Processes that are threads: a Messenger without MPI, so that the sanitizers see both ends of what is said. Libraries
// of MPI do not run under them.

#include <condition_variable>
#include <functional>
#include <mutex>
#include <queue>
#include <vector>

#include "scale/messenger.h"

namespace tessera {

// Outlives the messengers. The thread that enters it as a rank makes that rank's Messenger.
class World {
 public:
  explicit World(int size) : boxes_(static_cast<std::size_t>(size)) {}
  void enter(int rank);

 private:
  friend class Messenger;
  struct Box {  // of one rank
    std::queue<Message> messages;
    std::function<void(const Message&)> handler;
    bool handling = false;
  };

  std::mutex mutex_;  // of all that follows
  std::condition_variable changed_;
  std::vector<Box> boxes_;
  int left_ = 0;
};

}  // namespace tessera
