#pragma once
// The binary as a user runs it: what it prints, which exit code it ends with, what it leaves on the disk.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>

namespace tessera::cli_test {

namespace fs = std::filesystem;
using Json = nlohmann::json;

inline const fs::path kPictures = fs::path(TESSERA_TEST_DATA) / "vision";
inline constexpr const char* kResNet = "seeded:resnet18@1";
inline constexpr const char* kVit = "seeded:vit_tiny_patch16_224@1";

inline std::string read_file(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

struct Outcome {
  int exit_code = -1;
  std::string out, err;
};

class Cli : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() / ("tessera-cli-" + std::to_string(::getpid()));
    fs::remove_all(folder_);
    fs::create_directories(folder_);
    ::setenv("TESSERA_HOME", (folder_ / "home").c_str(), 1);
    ::setenv("TESSERA_PLUGIN_PATH", (folder_ / "plugins").c_str(), 1);  // none: the tests are about the CPU
  }
  void TearDown() override { fs::remove_all(folder_); }

  // With a limit of the resource (RLIMIT_AS, RLIMIT_FSIZE), where one is given.
  pid_t start(std::vector<std::string> arguments, int resource = RLIMIT_AS, rlim_t most = RLIM_INFINITY) const {
    arguments.insert(arguments.begin(), TESSERA_BINARY);
    return start_command(arguments, resource, most);
  }
  // Any program, looked for in PATH.
  pid_t start_command(const std::vector<std::string>& command, int resource = RLIMIT_AS,
                      rlim_t most = RLIM_INFINITY) const {
    const pid_t child = ::fork();
    if (child != 0) return child;
    ::dup2(::open((folder_ / "out").c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600), STDOUT_FILENO);
    ::dup2(::open((folder_ / "err").c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600), STDERR_FILENO);
    if (most != RLIM_INFINITY) {
      const rlimit limit{most, most};
      ::setrlimit(static_cast<__rlimit_resource_t>(resource), &limit);
    }
    std::vector<char*> argv;
    for (const std::string& argument : command) argv.push_back(const_cast<char*>(argument.c_str()));
    argv.push_back(nullptr);
    ::execvp(argv.front(), argv.data());
    ::_exit(127);
  }
  Outcome wait(pid_t child) const {
    int status = 0;
    ::waitpid(child, &status, 0);
    return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), read_file(folder_ / "out"),
            read_file(folder_ / "err")};
  }
  // Waits until the log of a run holds `rows` pictures beside its header and the mark of the sitting.
  void wait_for_rows(const fs::path& out, std::ptrdiff_t rows, pid_t child) const {
    constexpr std::ptrdiff_t kHead = 2;
    const auto lines = [&] {
      const std::string text = read_file(out / "run.log");
      return std::count(text.begin(), text.end(), '\n');
    };
    while (lines() < rows + kHead) {
      ASSERT_EQ(::waitpid(child, nullptr, WNOHANG), 0) << read_file(folder_ / "err");
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
  }
  Outcome run(const std::vector<std::string>& arguments) const { return wait(start(arguments)); }
  Json run_json(std::vector<std::string> arguments) const {
    arguments.push_back("--json");
    const Outcome outcome = run(arguments);
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    return Json::parse(outcome.out);
  }
  // Pictures in folders by wnid.
  fs::path data_set(int copies = 1) const {
    const fs::path data = folder_ / "data";
    for (const auto& [wnid, file] : {std::pair{"n01440764", "jpeg_444.jpg"},
                                     {"n01443537", "png_rgb.png"},
                                     {"n15075141", "jpeg_progressive.jpg"}}) {
      fs::create_directories(data / wnid);
      for (int i = 0; i < copies; ++i) {
        const std::string name = std::to_string(i) + "_" + file;
        fs::copy_file(kPictures / file, data / wnid / name, fs::copy_options::overwrite_existing);
      }
    }
    return data;
  }
  // The rows of a CSV without the columns that hold times.
  static std::vector<std::string> without_times(const fs::path& csv) {
    std::istringstream text(read_file(csv));
    std::string line, header;
    std::getline(text, header);
    std::vector<bool> keep;
    std::istringstream names(header);
    for (std::string name; std::getline(names, name, ',');) keep.push_back(!name.ends_with("_ms") && name != "batch");
    std::vector<std::string> rows;
    while (std::getline(text, line)) {
      std::string kept;
      std::size_t column = 0;
      bool quoted = false;
      for (const char c : line) {
        if (c == '"') quoted = !quoted;
        if (c == ',' && !quoted) ++column;
        if (keep[column]) kept += c;
      }
      rows.push_back(kept);
    }
    return rows;
  }

  fs::path folder_;
};

}  // namespace tessera::cli_test
