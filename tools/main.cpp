// The `tessera` binary: one subcommand a file; errors become exit codes here and nowhere else.

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <new>
#include <sstream>
#include <string>
#include <vector>

#include "core/error.h"
#include "core/nearest.h"
#include "core/output_file.h"
#include "tools/say.h"
#include "tools/tool.h"

namespace tessera {

namespace {

constexpr int kUsageExit = static_cast<int>(ErrorKind::kUsage);

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

int run(int argc, char** argv) {
  CLI::App app{"tessera: see, profile and compare image classifiers"};
  app.name("tessera");
  app.set_version_flag("--version", TESSERA_VERSION);
  app.require_subcommand(1);
  app.footer(
      "Examples:\n"
      "  tessera classify cat.jpg --model efficientnet_lite0\n"
      "  tessera compare --data photos/ --model A.h5 --model B.h5 --out run/\n"
      "  tessera inspect seeded:vit_base_patch16_224\n"
      "`tessera COMMAND --help` says more.");
  Outcome outcome;
  for (const auto add : {add_classify, add_compare, add_merge, add_analyze, add_inspect, add_bench, add_convert,
                         add_verify, add_dump, add_diff, add_profile, add_roofline, add_quantize, add_probe,
                         add_selftest, add_synth, add_seed_weights, add_models}) {
    add(app, outcome);
  }
  refuse_beyond_64_bits(app);
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) {  // --help, --version
      std::ostringstream text;
      app.exit(error, text, text);
      give_text(text.str());
      return 0;
    }
    say("{}", explain(app, error, arguments));
    const auto chosen = app.get_subcommands();
    tell("Try `tessera{} --help`.", chosen.empty() ? "" : " " + chosen.front()->get_name());
    return kUsageExit;
  }
  return outcome.exit_code;
}

}  // namespace

}  // namespace tessera

namespace {

int run_for_exit_code(int argc, char** argv) {
  using namespace tessera;
  try {
    return run(argc, argv);
  } catch (const ReaderGone&) {
    return kReaderGoneExit;
  } catch (const Error& error) {
    say("{}", error.what());
    return error.exit_code();
  } catch (const std::bad_alloc&) {
    say("out of memory");
    return static_cast<int>(ErrorKind::kResource);
  } catch (const std::exception& error) {
    say("internal error: {}", error.what());
  } catch (...) {
    say("internal error: something that is no exception was thrown");
  }
  return static_cast<int>(ErrorKind::kInternal);
}

}  // namespace

int main(int argc, char** argv) {
  std::signal(SIGXFSZ, SIG_IGN);  // a file beyond the size limit becomes an error of write(), like a full disk
  tessera::prepare_streams();
  return tessera::exit_code_of_output(run_for_exit_code(argc, argv));
}
