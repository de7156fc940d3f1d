#include "tests/pages/browser.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <fstream>
#include <map>
#include <stdexcept>

namespace tessera::browser_test {

namespace fs = std::filesystem;
using Json = nlohmann::json;

namespace {

constexpr int kPatience = 60'000;  // ms

// Chromium reads commands from its descriptor 3 and writes to 4.
[[noreturn]] void become_chromium(int reads, int writes, const std::string& profile) {
  // Out of the way of 3 and 4 first.
  const int in = ::fcntl(reads, F_DUPFD, 10), out = ::fcntl(writes, F_DUPFD, 10);
  ::dup2(in, 3);
  ::dup2(out, 4);
  const int log = ::open((profile + "/stderr").c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  ::dup2(log, STDOUT_FILENO);
  ::dup2(log, STDERR_FILENO);
  const std::string user_data = "--user-data-dir=" + profile;
  const std::array<const char*, 10> arguments{
      TESSERA_CHROMIUM, "--headless=new",          "--no-sandbox",    "--disable-gpu", "--disable-dev-shm-usage",
      "--no-first-run", "--remote-debugging-pipe", user_data.c_str(), "about:blank",   nullptr};
  ::execvp(TESSERA_CHROMIUM, const_cast<char**>(arguments.data()));
  ::_exit(127);
}

std::string decoded_base64(const std::string& text) {
  static constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string bytes;
  unsigned value = 0;
  int bits = 0;
  for (const char c : text) {
    const std::size_t digit = kDigits.find(c);
    if (digit == std::string_view::npos) break;
    value = value << 6 | static_cast<unsigned>(digit);
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    bytes += static_cast<char>(value >> bits & 0xFF);
  }
  return bytes;
}

}  // namespace

Browser::Browser() {
  std::string name = (fs::temp_directory_path() / "tessera-browser-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary folder for Chromium's profile");
  profile_ = name;
  std::array<int, 2> commands{}, answers{};
  if (::pipe2(commands.data(), O_CLOEXEC) != 0 || ::pipe2(answers.data(), O_CLOEXEC) != 0) {
    throw std::runtime_error("no pipe to Chromium");
  }
  process_ = ::fork();
  if (process_ == 0) become_chromium(commands[0], answers[1], name);
  ::close(commands[0]);
  ::close(answers[1]);
  to_ = commands[1];
  from_ = answers[0];
  ::signal(SIGPIPE, SIG_IGN);
  const Json target = call("Target.createTarget", {{"url", "about:blank"}});
  session_ = call("Target.attachToTarget", {{"targetId", target["targetId"]}, {"flatten", true}})["sessionId"];
  for (const char* domain : {"Page.enable", "Runtime.enable", "Log.enable", "Network.enable"}) call(domain);
}

Browser::~Browser() {
  ::close(to_);
  ::close(from_);
  ::kill(process_, SIGTERM);
  ::waitpid(process_, nullptr, 0);
  std::error_code ignored;
  fs::remove_all(profile_, ignored);
}

Json Browser::next_message() {
  std::size_t end = 0;
  while ((end = received_.find('\0')) == std::string::npos) {
    pollfd ready{from_, POLLIN, 0};
    std::array<char, 65536> buffer{};
    const bool there = ::poll(&ready, 1, kPatience) == 1;
    const ssize_t length = there ? ::read(from_, buffer.data(), buffer.size()) : 0;
    if (length <= 0) {
      throw std::runtime_error(std::string(TESSERA_CHROMIUM) +
                               ": does not run or does not answer (scripts/setup.sh test installs it)");
    }
    received_.append(buffer.data(), static_cast<std::size_t>(length));
  }
  Json message = Json::parse(received_.substr(0, end));
  received_.erase(0, end + 1);
  return message;
}

Json Browser::call(const std::string& method, Json parameters) {
  Json message{{"id", ++last_call_}, {"method", method}, {"params", std::move(parameters)}};
  if (!session_.empty()) message["sessionId"] = session_;
  const std::string text = message.dump();
  std::size_t done = 0;
  while (done < text.size() + 1) {  // with the zero that ends it
    const ssize_t wrote = ::write(to_, text.c_str() + done, text.size() + 1 - done);
    if (wrote <= 0) throw std::runtime_error(std::string(TESSERA_CHROMIUM) + ": does not run");
    done += static_cast<std::size_t>(wrote);
  }
  while (true) {
    Json answer = next_message();
    if (!answer.contains("id")) {
      events_.push_back(std::move(answer));
      continue;
    }
    if (answer["id"] != last_call_) continue;
    if (answer.contains("error")) throw std::runtime_error(method + ": " + answer["error"].dump());
    return answer["result"];
  }
}

void Browser::wait_for(const std::string& event) {
  for (std::size_t i = 0;; ++i) {
    while (i >= events_.size()) {
      Json message = next_message();
      if (!message.contains("id")) events_.push_back(std::move(message));
    }
    if (events_[i]["method"] == event) return;
  }
}

void Browser::open(const fs::path& html, const Screen& screen) {
  call("Emulation.setDeviceMetricsOverride",
       {{"width", screen.width}, {"height", screen.height}, {"deviceScaleFactor", 1}, {"mobile", screen.width < 600}});
  call("Emulation.setEmulatedMedia",
       {{"features", {{{"name", "prefers-color-scheme"}, {"value", screen.dark ? "dark" : "light"}}}}});
  events_.clear();
  page_ = "file://" + fs::absolute(html).string();
  call("Page.navigate", {{"url", page_}});
  wait_for("Page.loadEventFired");
  // Two frames: plots are drawn anew when their width is known.
  evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(0))))");
}

Json Browser::evaluate(const std::string& expression) {
  const Json answer =
      call("Runtime.evaluate", {{"expression", expression}, {"returnByValue", true}, {"awaitPromise", true}});
  if (answer.contains("exceptionDetails")) {
    throw std::runtime_error(expression + ": " + answer["exceptionDetails"].dump());
  }
  return answer["result"].value("value", Json());
}

std::string Browser::text(const std::string& selector) {
  return evaluate("document.querySelector(" + Json(selector).dump() + ").textContent").get<std::string>();
}

void Browser::press(const std::string& key) {
  static const std::map<std::string, int> kCodes{{"Tab", 9},         {"Enter", 13},     {"Escape", 27},
                                                 {"End", 35},        {"ArrowLeft", 37}, {"ArrowUp", 38},
                                                 {"ArrowRight", 39}, {"ArrowDown", 40}};
  for (const char* type : {"keyDown", "keyUp"}) {
    Json event{{"type", type}, {"key", key}, {"code", key}, {"windowsVirtualKeyCode", kCodes.at(key)}};
    if (key == "Enter") event["text"] = "\r";
    call("Input.dispatchKeyEvent", event);
  }
}

void Browser::picture(const fs::path& png) {
  const Json answer = call("Page.captureScreenshot", {{"format", "png"}, {"captureBeyondViewport", true}});
  std::ofstream(png, std::ios::binary) << decoded_base64(answer["data"].get<std::string>());
}

std::vector<std::string> Browser::errors() const {
  std::vector<std::string> errors;
  for (const Json& event : events_) {
    const bool thrown = event["method"] == "Runtime.exceptionThrown";
    const bool logged = event["method"] == "Log.entryAdded" && event["params"]["entry"]["level"] == "error";
    const bool printed = event["method"] == "Runtime.consoleAPICalled" && event["params"]["type"] == "error";
    if (thrown || logged || printed) errors.push_back(event["params"].dump());
  }
  return errors;
}

std::vector<std::string> Browser::requests() const {
  std::vector<std::string> urls;
  for (const Json& event : events_) {
    if (event["method"] != "Network.requestWillBeSent") continue;
    const auto url = event["params"]["request"]["url"].get<std::string>();
    if (url != page_ && !url.starts_with("data:")) urls.push_back(url);
  }
  return urls;
}

}  // namespace tessera::browser_test
