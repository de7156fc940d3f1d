#pragma once
// The two ways out of the program: what it says (stderr) and what it gives (stdout). Nothing else writes to either.
//
// Neither throws, whatever has become of the terminal, the pipe or the disk: what cannot be said is lost, what cannot
// be given is remembered for the exit code. Control characters of names are made visible (core/visible_text.h).

#include <fmt/format.h>

#include <string_view>

namespace tessera {

// For the start of main(), before any file is opened: a reader that has gone is an error of write() and no signal, and
// where 0, 1 or 2 are closed something stands there, so that no file of ours gets that number. What is written to a
// stdout that was closed fails, as it should.
void prepare_streams();

// A line on stderr, "tessera: " before it.
void say_line(std::string_view text) noexcept;
// A line on stderr.
void tell_line(std::string_view text) noexcept;
// On stderr as it is: for a line that is written over. The caller answers for what is in it.
void tell_as_is(std::string_view text) noexcept;
// To stdout. Kept back until there is much of it, something is said, or flush_output() is called; not on a terminal.
void give_text(std::string_view text) noexcept;

// Hands over what was kept back. False once something could not be written: more is not worth computing.
bool flush_output() noexcept;
// For the end of main(): the exit code that stdout leads to where the command itself gives `exit_code`. A stdout that
// took all changes nothing, and a failure of the command's goes first. A reader that left early (`| head`) is 141, as
// of a process that SIGPIPE ends, and nothing is said; any other failure (a full disk, a closed stdout) is 5, and said.
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
