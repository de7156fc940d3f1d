#include "tools/say.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <mutex>
#include <string>

#include "core/descriptor.h"
#include "core/error.h"
#include "core/visible_text.h"

namespace tessera {

namespace {

// There is one, since a process has one stdout.
class Output {
 public:
  void give(std::string_view text) {
    const std::scoped_lock lock(mutex_);
    if (error_ != 0) return;
    kept_ += text;
    constexpr std::size_t kMostKept = 1 << 16;
    if (terminal_ || kept_.size() >= kMostKept) flush();
  }
  int hand_over() {
    const std::scoped_lock lock(mutex_);
    flush();
    return error_;
  }
  void fail(int error) {
    const std::scoped_lock lock(mutex_);
    if (error_ == 0) error_ = error;
  }

 private:
  void flush() {
    if (error_ == 0) error_ = write_all(STDOUT_FILENO, kept_);
    kept_.clear();
  }

  const bool terminal_ = ::isatty(STDOUT_FILENO) == 1;
  std::mutex mutex_;
  std::string kept_;
  int error_ = 0;  // the first
};

Output& output() {
  static Output one;
  return one;
}

void write_line(std::string_view before, std::string_view text) noexcept {
  try {
    tell_as_is(std::string(before) + visible_text(text) + "\n");
  } catch (...) {
    tell_as_is("tessera: out of memory\n");
  }
}

}  // namespace

void prepare_streams() {
  std::signal(SIGPIPE, SIG_IGN);
  for (const int descriptor : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::fcntl(descriptor, F_GETFD) >= 0 || errno != EBADF) continue;
    // open() returns the lowest free number, which is this one. It is opened for the opposite direction, so that
    // reading or writing fails as on a closed descriptor.
    const int way = descriptor == STDIN_FILENO ? O_WRONLY : O_RDONLY;
    if (::open("/dev/null", way) != descriptor) ::_exit(static_cast<int>(ErrorKind::kResource));
  }
}

void say_line(std::string_view text) noexcept { write_line("tessera: ", text); }

void tell_line(std::string_view text) noexcept { write_line("", text); }

void tell_as_is(std::string_view text) noexcept {
  flush_output();  // so that both are in order where they go to the same place
  write_all(STDERR_FILENO, text);
}

void give_text(std::string_view text) noexcept {
  try {
    output().give(visible_text(text));
  } catch (...) {
    output().fail(ENOMEM);
  }
}

bool flush_output() noexcept { return output().hand_over() == 0; }

int exit_code_of_output(int exit_code) noexcept {
  const int error = output().hand_over();
  if (error == 0 || exit_code != 0) return exit_code;
  if (error == EPIPE) return kReaderGoneExit;
  say("standard output could not be written ({})", std::strerror(error));
  return static_cast<int>(ErrorKind::kResource);
}

}  // namespace tessera
