#pragma once
// The program's two ways of printing: messages (stderr) and results (stdout). Nothing else writes to either.
//
// Neither throws, whatever happens to the terminal, the pipe or the disk: a message that cannot be written is lost, a
// result that cannot be written is remembered for the exit code. Control characters of names are made visible
// (core/visible_text.h).

#include <fmt/format.h>

#include <string_view>

namespace tessera {

// Call at the start of main(), before any file is opened. A reader that has gone becomes an error of write() instead of
// a signal. Closed descriptors 0, 1 and 2 are filled, so that no file of ours gets such a number; writing to a stdout
// that was closed still fails, as it should.
void prepare_streams();

// Writes a line to stderr, after "tessera: ".
void say_line(std::string_view text) noexcept;
// Writes a line to stderr.
void tell_line(std::string_view text) noexcept;
// Writes the text to stderr unchanged, for a line that is overwritten. The caller is responsible for its characters.
void tell_as_is(std::string_view text) noexcept;
// Writes to stdout. Unless stdout is a terminal, the text is kept until there is much of it, a message is written, or
// flush_output() is called.
void give_text(std::string_view text) noexcept;

// Writes the kept text. Returns false once something could not be written, so that no more needs to be computed.
bool flush_output() noexcept;
// Call at the end of main(): returns the process's exit code where the command's own is `exit_code`. A failure of the
// command comes first; if stdout took everything, nothing changes. A reader that left early (`| head`) gives 141, as
// for a process that SIGPIPE ends, without a message; any other failure of stdout (a full disk, a closed descriptor)
// gives 5, with a message.
int exit_code_of_output(int exit_code) noexcept;
inline constexpr int kReaderGoneExit = 141;

template <class... T>
void say(fmt::format_string<T...> format, T&&... values) noexcept {
  try {
    say_line(fmt::format(format, std::forward<T>(values)...));
  } catch (...) {
    say_line("out of memory while a message was made");
  }
}

template <class... T>
void tell(fmt::format_string<T...> format, T&&... values) noexcept {
  try {
    tell_line(fmt::format(format, std::forward<T>(values)...));
  } catch (...) {
    say_line("out of memory while a message was made");
  }
}

template <class... T>
void print_out(fmt::format_string<T...> format, T&&... values) {
  give_text(fmt::format(format, std::forward<T>(values)...));
}

}  // namespace tessera
