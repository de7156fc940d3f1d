// Every command that tessera prints for the user to type, in an error or under a command's help, is one that it has.

#include <map>
#include <regex>
#include <set>

#include "tests/tools/cli_fixture.h"

namespace tessera::cli_test {
namespace {

const fs::path kSources = fs::path(TESSERA_TEST_DATA) / ".." / "..";

// Where a string or character that begins at `at` ends.
std::size_t end_of_literal(const std::string& source, std::size_t at) {
  const char quote = source[at];
  for (++at; at < source.size() && source[at] != quote; ++at) at += source[at] == '\\' ? 1U : 0U;
  return std::min(at + 1, source.size());
}

// What stands between two strings: nothing, a value that is added in between, or something else.
enum class Gap { kNone, kValue, kOther };
Gap gap_of(const std::string& text) {
  static const std::regex value(R"(\s*\+[^;,{}]*\+\s*)");
  if (text.find_first_not_of(" \t\n") == std::string::npos) return Gap::kNone;
  return std::regex_match(text, value) ? Gap::kValue : Gap::kOther;
}

// The texts of a source, those that follow one another put together and values as VALUE.
std::vector<std::string> texts_of(const std::string& source) {
  std::vector<std::string> texts;
  std::string gap = ";";
  for (std::size_t at = 0; at < source.size();) {
    if (source.compare(at, 2, "//") == 0) {
      at = std::min(source.find('\n', at), source.size());
    } else if (source[at] == '\'' && at > 0 && std::isalnum(static_cast<unsigned char>(source[at - 1])) == 0) {
      at = end_of_literal(source, at);
    } else if (source[at] == '"') {
      const std::size_t end = end_of_literal(source, at);
      std::string text = source.substr(at + 1, end - at - 2);
      for (std::size_t line = text.find("\\n"); line != std::string::npos; line = text.find("\\n")) {
        text.replace(line, 2, "\n");
      }
      const Gap before = gap_of(gap);
      if (before == Gap::kOther || texts.empty()) {
        texts.push_back(text);
      } else {
        texts.back() += (before == Gap::kValue ? "VALUE" : "") + text;
      }
      gap.clear();
      at = end;
    } else {
      gap += source[at++];
    }
  }
  return texts;
}

// The arguments of each command in a text: `tessera ...`, or a line of examples.
std::vector<std::string> commands_of(const std::string& text) {
  static const std::regex command(R"(`tessera ([^`]+)`|(?:^|\n) +(?:[a-z]+ (?:-[a-z] \d+ )?)?tessera ([^\n|>]+))");
  std::vector<std::string> commands;
  for (std::sregex_iterator it(text.begin(), text.end(), command), end; it != end; ++it) {
    commands.push_back((*it)[1].matched ? (*it)[1].str() : (*it)[2].str());
  }
  return commands;
}

TEST(Hints, AreFoundInSources) {
  EXPECT_EQ(texts_of("f(\"a\" // \"no\"\n  \"b\\nc\" + g('\"') + \"d\", \"e\");"),
            (std::vector<std::string>{"ab\ncVALUEd", "e"}));
  EXPECT_EQ(commands_of("x; `tessera a --b C` and `c`\n  tessera d -e > f\n  mpirun -n 4 tessera g"),
            (std::vector<std::string>{"a --b C", "d -e ", "g"}));
}

TEST_F(Cli, HintsNameCommandsAndOptionsThatExist) {
  std::map<std::string, std::string> help;  // by command
  std::size_t checked = 0;
  for (const char* folder : {"core", "cpu", "device", "engine", "evaluation", "layers", "models", "pages", "scale",
                             "synth", "tools", "vision", "weights"}) {
    for (const auto& entry : fs::recursive_directory_iterator(kSources / folder)) {
      if (entry.path().extension() != ".cpp" && entry.path().extension() != ".h") continue;
      for (const std::string& text : texts_of(read_file(entry.path()))) {
        for (const std::string& hint : commands_of(text)) {
          SCOPED_TRACE(entry.path().filename().string() + ": tessera " + hint);
          std::istringstream words(hint);
          std::string command;
          words >> command;
          if (!help.contains(command)) {
            const Outcome outcome = run({command, "--help"});
            const bool any = command == "COMMAND";  // where it is said of all commands
            EXPECT_NE(outcome.out.find("Usage: tessera " + (any ? "" : command + " ")), std::string::npos)
                << outcome.err;
            help[command] = outcome.out;
          }
          for (std::string word; words >> word;) {
            if (command == "synth" && word == "shapes") help[command] += run({"synth", "shapes", "--help"}).out;
            if (!word.starts_with("-") || word == "-") continue;
            EXPECT_TRUE(std::regex_search(help[command], std::regex("(^|[\\s,])" + word + "([\\s,=]|$)"))) << word;
          }
          ++checked;
        }
      }
    }
  }
  EXPECT_GT(checked, 60U);
}

}  // namespace
}  // namespace tessera::cli_test
