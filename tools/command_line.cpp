#include "tools/command_line.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <sstream>
#include <utility>

#include "core/error.h"
#include "core/nearest.h"
#include "tools/say.h"

namespace tessera {

namespace {

std::vector<std::string> option_names(const CLI::App& command) {
  std::vector<std::string> names;
  for (const CLI::Option* option : command.get_options()) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  }
  return names;
}

std::vector<std::string> command_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands(nullptr)) names.push_back(command->get_name());
  return names;
}

// The error for a wrong word in place of a command, with the nearest right name.
std::string explain(const CLI::App& app, const CLI::ParseError& error, const std::vector<std::string>& arguments) {
  std::string text = error.what();
  if (arguments.empty()) return text;
  const auto chosen = app.get_subcommands();
  if (chosen.empty()) return text + did_you_mean(arguments.front(), command_names(app));
  const std::vector<std::string> known = option_names(*chosen.front());
  for (const std::string& argument : arguments) {
    const std::string name = argument.substr(0, argument.find('='));
    if (name.starts_with("--") && std::ranges::find(known, name) == known.end()) {
      return text + did_you_mean(name, known);
    }
  }
  return text;
}

// CLI11 reads a number that exceeds 64 bits as the largest one that fits.
void refuse_beyond_64_bits(CLI::App& command) {
  for (CLI::Option* option : command.get_options()) {
    const std::string type = option->get_type_name();
    const bool is_unsigned = type.starts_with("UINT");
    if (!is_unsigned && !type.starts_with("INT")) continue;
    option->check([is_unsigned](const std::string& text) {
      errno = 0;
      if (is_unsigned) {
        std::strtoull(text.c_str(), nullptr, 0);
      } else {
        std::strtoll(text.c_str(), nullptr, 0);
      }
      return errno == ERANGE ? text + " has no room in 64 bits" : std::string();
    });
  }
  for (CLI::App* sub : command.get_subcommands(nullptr)) refuse_beyond_64_bits(*sub);
}

}  // namespace

Check::Check(const CLI::Validator& validator) : validator_(std::make_shared<const CLI::Validator>(validator)) {}
Check in_range(int low, int high) { return Check(CLI::Range(low, high)); }
Check in_range(double low, double high) { return Check(CLI::Range(low, high)); }
Check one_of(std::vector<std::string> words) { return Check(CLI::IsMember(std::move(words))); }
Check positive() { return Check(CLI::PositiveNumber); }
Check non_negative() { return Check(CLI::NonNegativeNumber); }

Option* Option::required() {
  option_->required();
  return this;
}
Option* Option::capture_default_str() {
  option_->capture_default_str();
  return this;
}
Option* Option::check(const Check& check) {
  option_->check(check.validator());
  return this;
}
Option* Option::check(std::function<std::string(const std::string&)> fault) {
  option_->check(std::move(fault), "");
  return this;
}
Option* Option::delimiter(char character) {
  option_->delimiter(character);
  return this;
}
Option* Option::allow_extra_args(bool allow) {
  option_->allow_extra_args(allow);
  return this;
}
Option* Option::needs(const std::string& other) {
  option_->needs(other);
  return this;
}
Option* Option::excludes(Option* other) {
  option_->excludes(other->option_);
  return this;
}
Option* Option::hidden() {
  option_->group("");
  return this;
}

Command* Command::add_subcommand(const std::string& name, const std::string& description) {
  return commands_.emplace_back(std::make_unique<Command>(app_->add_subcommand(name, description))).get();
}
void Command::require_subcommand() { app_->require_subcommand(1); }

template <class T>
Option* Command::add(const std::string& names, T& value, const std::string& help) {
  return &options_.emplace_back(app_->add_option(names, value, help));
}
Option* Command::add_option(const std::string& names, std::string& value, const std::string& help) {
  return add(names, value, help);
}
Option* Command::add_option(const std::string& names, std::filesystem::path& value, const std::string& help) {
  return add(names, value, help);
}
Option* Command::add_option(const std::string& names, int& value, const std::string& help) {
  return add(names, value, help);
}
Option* Command::add_option(const std::string& names, std::int64_t& value, const std::string& help) {
  return add(names, value, help);
}
Option* Command::add_option(const std::string& names, std::uint64_t& value, const std::string& help) {
  return add(names, value, help);
}
Option* Command::add_option(const std::string& names, double& value, const std::string& help) {
  return add(names, value, help);
}
Option* Command::add_option(const std::string& names, std::optional<std::string>& value, const std::string& help) {
  return add(names, value, help);
}
Option* Command::add_option(const std::string& names, std::optional<std::filesystem::path>& value,
                            const std::string& help) {
  return add(names, value, help);
}
Option* Command::add_option(const std::string& names, std::optional<int>& value, const std::string& help) {
  return add(names, value, help);
}
Option* Command::add_option(const std::string& names, std::optional<double>& value, const std::string& help) {
  return add(names, value, help);
}
Option* Command::add_option(const std::string& names, std::vector<std::string>& value, const std::string& help) {
  return add(names, value, help);
}
Option* Command::add_option(const std::string& names, std::vector<int>& value, const std::string& help) {
  return add(names, value, help);
}
Option* Command::add_option(const std::string& names, std::vector<std::int64_t>& value, const std::string& help) {
  return add(names, value, help);
}
Option* Command::add_option(const std::string& names, std::function<void(const std::string&)> take,
                            const std::string& help) {
  return &options_.emplace_back(app_->add_option_function<std::string>(names, std::move(take), help));
}
Option* Command::add_flag(const std::string& names, bool& value, const std::string& help) {
  return &options_.emplace_back(app_->add_flag(names, value, help));
}
void Command::remove_option(const std::string& name) { app_->remove_option(app_->get_option(name)); }

void Command::footer(const std::string& text) { app_->footer(text); }
void Command::callback(std::function<void()> run) { app_->callback(std::move(run)); }

CommandLine::CommandLine(const std::string& name, const std::string& description, const std::string& version)
    : app_(std::make_unique<CLI::App>(description, name)), program_(app_.get()) {
  app_->set_version_flag("--version", version);
  app_->require_subcommand(1);
}
CommandLine::~CommandLine() = default;

std::optional<int> CommandLine::parse(int argc, char** argv) {
  constexpr int kUsageExit = static_cast<int>(ErrorKind::kUsage);
  refuse_beyond_64_bits(*app_);
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  try {
    app_->parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) {  // --help, --version
      std::ostringstream text;
      app_->exit(error, text, text);
      give_text(text.str());
      return 0;
    }
    say("{}", explain(*app_, error, arguments));
    const auto chosen = app_->get_subcommands();
    tell("Try `tessera{} --help`.", chosen.empty() ? "" : " " + chosen.front()->get_name());
    return kUsageExit;
  }
  return std::nullopt;
}

}  // namespace tessera
