#pragma once
// Commands and their options. CLI11 parses them, and only command_line.cpp sees it: its templates take longer to
// compile than all else in tools/.

#include <cstddef>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace CLI {
class App;
class Option;
class Validator;
}  // namespace CLI

namespace tessera {

// What a value must be. Each is checked before the command runs; a wrong one is a UsageError's exit code.
class Check {
 public:
  explicit Check(const CLI::Validator& validator);
  const CLI::Validator& validator() const { return *validator_; }

 private:
  std::shared_ptr<const CLI::Validator> validator_;
};
Check in_range(int low, int high);
Check in_range(double low, double high);
Check one_of(std::vector<std::string> words);
Check positive();
Check non_negative();

// An option of a command. Each function gives the option itself.
class Option {
 public:
  explicit Option(CLI::Option* option) : option_(option) {}
  Option* required();
  Option* capture_default_str();                                        // --help shows the value that it has now
  Option* check(const Check& check);                                    // of a list: of each value
  Option* check(std::function<std::string(const std::string&)> fault);  // "" where the value is right
  Option* delimiter(char character);                                    // a list may be one word, parted by it
  Option* allow_extra_args(bool allow);  // false: one value each time that the option is given
  Option* needs(const std::string& other);
  Option* excludes(Option* other);
  Option* hidden();  // not in --help

 private:
  friend class Command;
  CLI::Option* option_;
};

// A command, or the program itself. What options are read into must outlive parsing.
class Command {
 public:
  explicit Command(CLI::App* app) : app_(app) {}
  Command(const Command&) = delete;
  Command& operator=(const Command&) = delete;

  Command* add_subcommand(const std::string& name, const std::string& description);
  // One of them has to be given.
  void require_subcommand();

  // `names` as "-o,--out"; without dashes a positional argument, several where the value is a list.
  Option* add_option(const std::string& names, std::string& value, const std::string& help);
  Option* add_option(const std::string& names, std::filesystem::path& value, const std::string& help);
  Option* add_option(const std::string& names, int& value, const std::string& help);
  Option* add_option(const std::string& names, std::int64_t& value, const std::string& help);
  Option* add_option(const std::string& names, std::uint64_t& value, const std::string& help);
  Option* add_option(const std::string& names, double& value, const std::string& help);
  Option* add_option(const std::string& names, std::optional<std::string>& value, const std::string& help);
  Option* add_option(const std::string& names, std::optional<std::filesystem::path>& value, const std::string& help);
  Option* add_option(const std::string& names, std::optional<int>& value, const std::string& help);
  Option* add_option(const std::string& names, std::optional<double>& value, const std::string& help);
  Option* add_option(const std::string& names, std::vector<std::string>& value, const std::string& help);
  Option* add_option(const std::string& names, std::vector<int>& value, const std::string& help);
  Option* add_option(const std::string& names, std::vector<std::int64_t>& value, const std::string& help);
  // The text is handed to `take`, which may throw UsageError.
  Option* add_option(const std::string& names, std::function<void(const std::string&)> take, const std::string& help);
  // "--exact" sets true, "!--no-verify" false.
  Option* add_flag(const std::string& names, bool& value, const std::string& help);
  // Takes one away that a function shared by several commands has added.
  void remove_option(const std::string& name);

  void footer(const std::string& text);
  void callback(std::function<void()> run);

 private:
  template <class T>
  Option* add(const std::string& names, T& value, const std::string& help);

  CLI::App* app_;
  std::deque<Option> options_;
  std::vector<std::unique_ptr<Command>> commands_;
};

// The program.
class CommandLine {
 public:
  CommandLine(const std::string& name, const std::string& description, const std::string& version);
  ~CommandLine();
  CommandLine(const CommandLine&) = delete;
  CommandLine& operator=(const CommandLine&) = delete;

  Command& program() { return program_; }
  // Runs the callback of the command that is given. nullopt where it ran; otherwise the exit code: 0 after --help and
  // --version, 2 for wrong words, which are said with the nearest right ones.
  std::optional<int> parse(int argc, char** argv);

 private:
  std::unique_ptr<CLI::App> app_;
  Command program_;
};

}  // namespace tessera
