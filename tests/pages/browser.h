#pragma once
// Chromium without a window, steered by its DevTools protocol over a pipe: what a page shows and does, as a reader with
// a keyboard has it.

#include <sys/types.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace tessera::browser_test {

struct Screen {
  int width = 1280, height = 900;
  bool dark = false;
};

// Throws std::runtime_error when Chromium is missing, dies, or does not answer within a minute.
class Browser {
 public:
  Browser();
  ~Browser();
  Browser(const Browser&) = delete;
  Browser& operator=(const Browser&) = delete;

  // Opens the file and waits until it is loaded and its plots are drawn.
  void open(const std::filesystem::path& html, const Screen& screen = {});
  // The value of a JavaScript expression in the page.
  nlohmann::json evaluate(const std::string& expression);
  // The text of the one element that a CSS selector matches; throws for none.
  std::string text(const std::string& selector);
  // A key as it is pressed and released: "Tab", "Enter", "ArrowRight", "Escape".
  void press(const std::string& key);
  // The whole page as PNG.
  void picture(const std::filesystem::path& png);

  // Since open(): errors of scripts, messages of the console at that level, and addresses that were asked for beside
  // the page itself and data URIs.
  std::vector<std::string> errors() const;
  std::vector<std::string> requests() const;

 private:
  nlohmann::json call(const std::string& method, nlohmann::json parameters = nlohmann::json::object());
  nlohmann::json next_message();
  void wait_for(const std::string& event);

  std::filesystem::path profile_;
  pid_t process_ = -1;
  int to_ = -1, from_ = -1;
  int last_call_ = 0;
  std::string session_, received_, page_;
  std::vector<nlohmann::json> events_;
};

}  // namespace tessera::browser_test
