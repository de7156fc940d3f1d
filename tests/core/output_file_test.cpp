#include "core/output_file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <fstream>
#include <iterator>
#include <thread>

#include "core/file.h"
#include "tests/temporary_folder.h"

namespace tessera {
namespace {

namespace fs = std::filesystem;

class OutputFileTest : public WithFolder {
 protected:
  std::string text(const fs::path& path) const {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  std::size_t entries() const {
    return static_cast<std::size_t>(std::distance(fs::directory_iterator(folder_), fs::directory_iterator()));
  }
  mode_t mode(const fs::path& path) const {
    struct stat status {};
    ::stat(path.c_str(), &status);
    return status.st_mode & 07777U;
  }
};

TEST_F(OutputFileTest, IsWholeOrNotThere) {
  const fs::path path = folder_ / "a.txt";
  {
    OutputFile file(path);
    file.write("half");
    EXPECT_FALSE(fs::exists(path));
  }
  EXPECT_EQ(entries(), 0U);
  write_file(path, "old");
  {
    OutputFile file(path);
    file.write("half");
  }
  EXPECT_EQ(text(path), "old");
  write_file(path, "new");
  EXPECT_EQ(text(path), "new");
  EXPECT_EQ(entries(), 1U);
}

TEST_F(OutputFileTest, HasThePermissionsOfTheUmaskOrOfTheFileItReplaces) {
  const fs::path path = folder_ / "a.txt";
  const mode_t before = ::umask(0027);
  write_file(path, "1");
  ::umask(before);
  EXPECT_EQ(mode(path), 0640U);
  ::chmod(path.c_str(), 0600);
  write_file(path, "2");
  EXPECT_EQ(mode(path), 0600U);
}

TEST_F(OutputFileTest, FollowsLinksAndKeepsThem) {
  fs::create_directory(folder_ / "there");
  fs::create_symlink("there/real.txt", folder_ / "link");  // dangling at first
  for (const char* said : {"1", "2"}) {
    write_file(folder_ / "link", said);
    EXPECT_TRUE(fs::is_symlink(folder_ / "link"));
    EXPECT_EQ(text(folder_ / "there/real.txt"), said);
  }
  fs::create_symlink("loop", folder_ / "loop");
  EXPECT_THROW(write_file(folder_ / "loop", ""), ResourceError);
}

// What was planted under the name that a process of that number would take is neither written to nor moved.
TEST_F(OutputFileTest, TakesANameThatNobodyCanForesee) {
  const std::string ending = "." + std::to_string(::getpid()) + ".tmp";
  std::ofstream(folder_ / "victim") << "mine";
  fs::create_symlink("victim", folder_ / ("a.txt" + ending));
  fs::create_symlink("victim", folder_ / (".a.txt" + ending));
  write_file(folder_ / "a.txt", "new");
  EXPECT_EQ(text(folder_ / "victim"), "mine");
  EXPECT_FALSE(fs::is_symlink(folder_ / "a.txt"));
  EXPECT_EQ(text(folder_ / "a.txt"), "new");
}

TEST_F(OutputFileTest, WritesThroughWhatIsNoFile) {
  const fs::path fifo = folder_ / "fifo";
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  std::string read;
  std::thread reader([&] { read = text(fifo); });
  write_file(fifo, "through");
  reader.join();
  EXPECT_EQ(read, "through");
  EXPECT_TRUE(fs::is_fifo(fifo));
  // A device of the test's own, so that the system's stays whatever happens; only root can make one.
  const fs::path null = folder_ / "null";
  if (::mknod(null.c_str(), S_IFCHR | 0666, makedev(1, 3)) == 0) {
    const int opened = ::open(null.c_str(), O_WRONLY | O_CLOEXEC);  // not where devices may not be opened
    if (opened >= 0) write_file(null, "gone");
    if (opened >= 0) ::close(opened);
    EXPECT_TRUE(fs::is_character_file(null));
  }
  write_file("/dev/null", "gone");
  EXPECT_TRUE(fs::is_character_file("/dev/null"));
  EXPECT_EQ(entries(), fs::exists(null) ? 2U : 1U);
}

TEST_F(OutputFileTest, WritesToADescriptorWhereItStands) {
  const fs::path path = folder_ / "a.txt";
  const int descriptor = ::open(path.c_str(), O_WRONLY | O_CREAT, 0600);
  ASSERT_EQ(::write(descriptor, "first ", 6), 6);
  write_file("/dev/fd/" + std::to_string(descriptor), "second ");
  fs::create_symlink("/proc/self/fd/" + std::to_string(descriptor), folder_ / "link");
  write_file(folder_ / "link", "third");
  ::close(descriptor);
  EXPECT_EQ(text(path), "first second third");
  EXPECT_THROW(write_file("/dev/fd/" + std::to_string(descriptor), ""), ResourceError);
}

TEST_F(OutputFileTest, ALibraryWritesAFileOfItsOwn) {
  const fs::path path = folder_ / "a.txt", other = folder_ / "b.txt";
  {
    OutputFile file(path);
    std::ofstream(file.file_for_library()) << "library";
    file.commit();
  }
  EXPECT_EQ(text(path), "library");
  const int descriptor = ::open(other.c_str(), O_WRONLY | O_CREAT, 0600);
  fs::path temporary;
  {
    OutputFile file("/dev/fd/" + std::to_string(descriptor));
    temporary = file.file_for_library();
    std::ofstream(temporary) << "library";
    file.commit();
  }
  ::close(descriptor);
  EXPECT_EQ(text(other), "library");
  EXPECT_FALSE(fs::exists(temporary));
}

TEST_F(OutputFileTest, SaysBeforehandWhatCannotBeWritten) {
  EXPECT_THROW(check_output(folder_), UsageError);
  EXPECT_THROW(check_output(""), UsageError);
  EXPECT_THROW(check_output(folder_ / "none" / "a.txt"), ResourceError);
  EXPECT_THROW(check_output(folder_ / std::string(300, 'x')), ResourceError);
  std::ofstream(folder_ / "file") << "";
  EXPECT_THROW(check_output(folder_ / "file" / "a.txt"), ResourceError);
  EXPECT_NO_THROW(check_output(folder_ / "file"));
  EXPECT_NO_THROW(check_output(folder_ / "new"));
  EXPECT_EQ(entries(), 1U);
  EXPECT_NO_THROW(check_output_folder(folder_ / "a" / "b"));
  EXPECT_NO_THROW(check_output_folder("a/b/"));
  EXPECT_THROW(check_output_folder(folder_ / "file" / "b"), Error);
  EXPECT_THROW(check_output_folder(folder_ / "file"), UsageError);
  EXPECT_THROW(check_output_folder(folder_ / std::string(300, 'x')), ResourceError);
  EXPECT_EQ(entries(), 1U);
}

TEST_F(OutputFileTest, TwoNamesOfOnePlaceAreOne) {
  std::ofstream(folder_ / "a") << "";
  fs::create_symlink("a", folder_ / "b");
  EXPECT_TRUE(is_same_place(folder_ / "a", folder_ / "." / "b"));
  EXPECT_TRUE(is_same_place(folder_ / "new", folder_ / "x" / ".." / "new"));
  EXPECT_FALSE(is_same_place(folder_ / "a", folder_ / "new"));
  EXPECT_FALSE(is_same_place(folder_ / "a", std::string(5000, 'x')));
}

}  // namespace
}  // namespace tessera
