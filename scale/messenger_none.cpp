// The messenger of a build without MPI.

#include "core/error.h"
#include "scale/messenger.h"

namespace tessera {

struct Messenger::Link {
  std::string host;
};

Messenger::Messenger() {
  throw UsageError(
      "--mpi: this build of tessera has no MPI (install libopenmpi-dev and build with -DTESSERA_MPI=ON); "
      "--shard i/n and `tessera merge` need none");
}
Messenger::~Messenger() = default;
int Messenger::rank() const noexcept { return 0; }
int Messenger::size() const noexcept { return 1; }
const std::string& Messenger::host() const noexcept { return link_->host; }
void Messenger::listen(std::function<void(const Message&)>) {}
void Messenger::close() {}
void Messenger::send(int, int, std::string) {}

}  // namespace tessera
