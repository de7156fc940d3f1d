#pragma once
// What the subcommands share: common options, output, files. The only folder that prints and exits.

#include <CLI/CLI.hpp>
#include <atomic>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "evaluation/canvas.h"
#include "evaluation/classifier.h"
#include "vision/decode.h"

namespace tessera {

// --device, --dtype, --threads, --preprocess, --pillow, --decoder, --image-size, --json, --no-verify.
struct CommonOptions {
  RunOptions run;
  std::string decoder = "auto";
  int threads = 0;  // 0: physical cores
  bool json = false;

  // For the engine: threads resolved, `max_batch` set. Throws UsageError.
  RunOptions run_options(std::int64_t max_batch) const;
  DecodeOptions decode_options() const;
};
void add_common_options(CLI::App& command, CommonOptions& options);
// Of those, what a device is and how it computes: --device, --isa, --exact, --tune, --image-size, --no-verify.
void add_engine_options(CLI::App& command, RunOptions& options);
// --budget, for budget_from_string().
void add_budget_option(CLI::App& command, std::string& budget);
void add_json_option(CLI::App& command, bool& json);
// --image-size H[xW].
void add_image_size_option(CLI::App& command, std::optional<Sides>& size, const std::string& help);
// --size train|test.
void add_timm_size_option(CLI::App& command, std::string& when);
void add_pillow_option(CLI::App& command, int& pillow);
void add_isa_option(CLI::App& command, std::string& isa);

// The exit code that a subcommand that did not throw ends with.
struct Outcome {
  int exit_code = 0;
};

// Each adds its subcommand to the application; the callback sets the outcome.
void add_classify(CLI::App& app, Outcome& outcome);
void add_compare(CLI::App& app, Outcome& outcome);
void add_merge(CLI::App& app, Outcome& outcome);
void add_analyze(CLI::App& app, Outcome& outcome);
void add_bench(CLI::App& app, Outcome& outcome);
void add_inspect(CLI::App& app, Outcome& outcome);
void add_convert(CLI::App& app, Outcome& outcome);
void add_verify(CLI::App& app, Outcome& outcome);
void add_dump(CLI::App& app, Outcome& outcome);
void add_diff(CLI::App& app, Outcome& outcome);
void add_profile(CLI::App& app, Outcome& outcome);
void add_roofline(CLI::App& app, Outcome& outcome);
void add_probe(CLI::App& app, Outcome& outcome);
void add_quantize(CLI::App& app, Outcome& outcome);
void add_selftest(CLI::App& app, Outcome& outcome);
void add_synth(CLI::App& app, Outcome& outcome);
void add_seed_weights(CLI::App& app, Outcome& outcome);
void add_models(CLI::App& app, Outcome& outcome);

// The first of these, on stderr, and how many more there are: why pictures could not be read.
void print_failures(const std::vector<std::string>& failed);
void print_json(const nlohmann::json& json);
// Writes a figure as the path's extension says. check_drawing_path() throws UsageError, naming the option, for one that
// is neither .svg nor .png: before the work is done whose result is drawn.
void check_drawing_path(const char* option, const std::filesystem::path& path);
void write_drawing(const std::filesystem::path& path, const Drawing& drawing);
bool is_terminal(int descriptor);

// SIGINT and SIGTERM set this; a second one ends the process at once.
const std::atomic<bool>& stop_requested();
void install_signal_handlers();
// 130 or 143 after a signal, otherwise 0.
int signal_exit_code();

}  // namespace tessera
