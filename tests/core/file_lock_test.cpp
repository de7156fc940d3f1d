#include "core/file_lock.h"

#include "core/error.h"
#include "tests/temporary_folder.h"

namespace tessera {
namespace {

using FileLockTest = WithFolder;

TEST_F(FileLockTest, OneHoldsIt) {
  const std::filesystem::path path = folder_ / "lock";
  EXPECT_TRUE(FileLock::try_for(path, FileLock::If::kThere).held());  // there is nothing to hold
  EXPECT_FALSE(std::filesystem::exists(path));
  {
    const FileLock first = FileLock::wait_for(path, FileLock::If::kMade);
    EXPECT_TRUE(first.held());
    EXPECT_FALSE(FileLock::try_for(path, FileLock::If::kThere).held());
    EXPECT_FALSE(FileLock::try_for(path, FileLock::If::kMade).held());
  }
  EXPECT_TRUE(FileLock::try_for(path, FileLock::If::kMade).held());
  EXPECT_THROW(FileLock::wait_for(folder_ / "none" / "lock", FileLock::If::kMade), ResourceError);
}

}  // namespace
}  // namespace tessera
