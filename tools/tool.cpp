#include "tools/tool.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <memory>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/file.h"
#include "core/json.h"
#include "core/nearest.h"
#include "core/output_file.h"
#include "core/resources.h"
#include "cpu/cpu_backend.h"
#include "tools/say.h"

namespace tessera {

namespace {

std::atomic<bool> stop{false};
std::atomic<int> stop_signal{0};

void on_signal(int signal) {
  if (stop.exchange(true)) ::_exit(128 + signal);
  stop_signal = signal;
}

}  // namespace

RunOptions CommonOptions::run_options(std::int64_t max_batch) const {
  RunOptions resolved = run;
  constexpr int kMostThreads = 1024;
  if (threads < 0 || threads > kMostThreads) throw UsageError("--threads must lie in 1 to 1024");
  resolved.threads = threads == 0 ? usable_cores() : threads;
  resolved.max_batch = max_batch;
  return resolved;
}

DecodeOptions CommonOptions::decode_options() const { return {.decoder = decoder_from_string(decoder)}; }

void add_json_option(Command& command, bool& json) {
  command.add_flag("--json", json, "print one JSON document instead of text");
}

void add_isa_option(Command& command, std::string& isa) {
  command
      .add_option("--isa", isa,
                  fmt::format("instruction set of the CPU kernels; here, the best first: auto, {}",
                              fmt::join(cpu_isas(), ", ")))
      ->check([](const std::string& name) {
        // The sets of all machines: a set that this machine lacks is a different error than an unknown word.
        static const std::vector<std::string> kKnown{"auto",   "amx",       "avx512_bf16", "avx512_vnni",
                                                     "avx512", "avx2_vnni", "avx2",        "sse4"};
        const bool known = name == "emulated_amx" || std::ranges::find(kKnown, name) != kKnown.end();
        return known ? "" : unknown_word("instruction set", name, kKnown);
      })
      ->capture_default_str();
}

void add_budget_option(Command& command, std::string& budget) {
  command.add_option("--budget", budget,
                     "which models meet it and which are worth their cost: latency=10ms,throughput=50,memory=200MB,"
                     "parameters=30M,accuracy=78%");
}

void add_engine_options(Command& command, RunOptions& options) {
  options.note = [said = std::make_shared<std::string>()](const std::string& note) {
    if (*said != note) say("{}", note);  // once, not for each model
    *said = note;
  };
  command.add_option("--device", options.device, "auto (a GPU where there is one), cpu, eigen or cuda[:N]")
      ->capture_default_str();
  add_isa_option(command, options.isa);
  command.add_flag("--exact", options.exact, "no algorithm that trades digits for speed (Winograd, Strassen)");
  command.add_flag("--tune", options.tune,
                   "measure which kernels are the fastest for the model's layers, once on a machine");
  Option* const size = add_image_size_option(command, options.image_size,
                                             "pictures the models take: SIDE or HEIGHTxWIDTH (default: theirs)");
  add_timm_size_option(command, options.timm_size, size);
  command.add_flag("!--no-verify", options.verify_weights, "do not check the weights' SHA-256");
}

Option* add_image_size_option(Command& command, std::optional<Sides>& size, const std::string& help) {
  return command.add_option(
      "--image-size",
      [&size](const std::string& text) {
        constexpr int kLargest = 4096;
        size = sides_from_string(text, kLargest);
      },
      help);
}

void add_timm_size_option(Command& command, std::string& when, Option* image_size) {
  command
      .add_option("--size", when, "train or test: size and crop with which timm trains or tests the model's weights")
      ->check(one_of({"train", "test"}))
      ->excludes(image_size);
}

void add_pillow_option(Command& command, int& pillow) {
  command
      .add_option("--pillow", pillow, "release of Pillow whose resizing is followed, 12 or 13 (default: the model's)")
      ->check(in_range(kOldestPillow, kNewestPillow));
}

void add_common_options(Command& command, CommonOptions& options) {
  add_engine_options(command, options.run);
  command
      .add_option("--dtype", options.run.dtype,
                  "what matrix products multiply: f32, bf16; on the CPU int8 (see quantize); on a GPU tf32, f16")
      ->capture_default_str();
  command.add_option("--threads", options.threads,
                     "threads (default: physical cores, within the CPU limit of a container)");
  command.add_option("--preprocess", options.run.preprocess, "model, timm, hf or hf-fast")->capture_default_str();
  add_pillow_option(command, options.run.pillow);
  command.add_option("--decoder", options.decoder, "of JPEGs: auto (libjpeg-turbo) or stb")->capture_default_str();
  add_json_option(command, options.json);
}

namespace {

// Writes DEL and C1 as JSON escapes, so that a terminal obeys none of them and a parser reads the same text.
std::string escape_controls(const std::string& json) {
  std::string text;
  text.reserve(json.size());
  for (std::size_t i = 0; i < json.size(); ++i) {
    const auto byte = static_cast<unsigned char>(json[i]);
    const bool c1 = byte == 0xC2 && static_cast<unsigned char>(json[i + 1]) < 0xA0;  // json_text() is valid UTF-8
    if (byte != 0x7F && !c1) {
      text += json[i];
    } else {
      text += fmt::format("\\u{:04x}", c1 ? static_cast<unsigned char>(json[++i]) : byte);
    }
  }
  return text;
}

}  // namespace

void print_json(const nlohmann::json& json) { give_text(escape_controls(json_text(json))); }
void print_failures(const std::vector<std::string>& failed) {
  constexpr std::size_t kShown = 20;
  for (std::size_t i = 0; i < std::min(kShown, failed.size()); ++i) say("{}", failed[i]);
  if (failed.size() > kShown) say("and {} more", failed.size() - kShown);
}

void check_drawing_path(const char* option, const std::filesystem::path& path) {
  const std::string kind = path.extension().string();
  if (path.empty()) return;
  if (kind == ".svg" || kind == ".png") return check_output(path);
  throw UsageError(std::string(option) + " is a .svg or a .png file, not '" + path.string() + "'");
}

void write_drawing(const std::filesystem::path& path, const Drawing& drawing) {
  write_file(path, path.extension() == ".svg" ? drawing.svg : drawing.png);
}

bool is_terminal(int descriptor) { return ::isatty(descriptor) == 1; }

const std::atomic<bool>& stop_requested() { return stop; }

void install_signal_handlers() {
  struct sigaction action {};
  action.sa_handler = on_signal;
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

int signal_exit_code() { return stop_signal == 0 ? 0 : 128 + stop_signal; }

}  // namespace tessera
