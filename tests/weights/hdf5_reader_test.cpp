// How an HDF5 file is opened: through its descriptor, whatever stands under its name by then.

#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "tests/weights/model_file_fixture.h"

namespace tessera {
namespace {

namespace fs = std::filesystem;

class Hdf5Opening : public ModelFile {};

std::size_t open_descriptors() {
  return static_cast<std::size_t>(std::distance(fs::directory_iterator("/proc/self/fd"), fs::directory_iterator()));
}

TEST_F(Hdf5Opening, ReadsAFileThatHasNoName) {
  const std::string text = bytes();
  const int descriptor = ::memfd_create("model", 0);
  ASSERT_EQ(::write(descriptor, text.data(), text.size()), static_cast<ssize_t>(text.size()));
  EXPECT_EQ(load_model_file("/proc/self/fd/" + std::to_string(descriptor)).card.name, "tiny");
  ::close(descriptor);
}

TEST_F(Hdf5Opening, ReadsAFileThatIsReplacedMeanwhile) {
  const std::string text = bytes();
  std::atomic<bool> ended = false;
  std::thread replacing([&] {
    const fs::path fresh = folder_ / "fresh.h5";
    while (!ended) {
      std::ofstream(fresh, std::ios::binary) << text;
      fs::rename(fresh, path_);
    }
  });
  int opened = 0;
  for (int i = 0; i < 250; ++i) {
    try {
      opened += load_model_file(path_).card.name == "tiny" ? 1 : 0;
    } catch (const ModelFileError& error) {
      ADD_FAILURE() << error.what();
      break;
    }
  }
  ended = true;
  replacing.join();
  EXPECT_EQ(opened, 250);
}

TEST_F(Hdf5Opening, LeavesNoDescriptorOpen) {
  write("no HDF5 file, and longer than the first structure of one, which is some hundred bytes");
  EXPECT_THROW(Hdf5Reader{path_}, ModelFileError);
  const std::size_t before = open_descriptors();
  for (int i = 0; i < 8; ++i) {
    EXPECT_THROW(Hdf5Reader{path_}, ModelFileError);
    EXPECT_THROW(Hdf5Reader{folder_}, ModelFileError);
  }
  EXPECT_EQ(open_descriptors(), before);
}

}  // namespace
}  // namespace tessera
