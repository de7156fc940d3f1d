// tessera diff: the first layer at which two dumps differ.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "evaluation/check/difference.h"
#include "tools/say.h"
#include "tools/tool.h"

namespace tessera {

namespace {

struct DiffCommand {
  std::string first, second;
  Tolerance tolerance{.relative = 1e-4, .absolute = 2e-5};
  bool strict = false, json = false;
};

bool is_equal(const FileDifference& difference, bool strict) {
  const bool complete = difference.only_in_first.empty() && difference.only_in_second.empty();
  return difference.first_failure() == nullptr && (complete || !strict);
}

// null, since JSON has no infinity.
nlohmann::json number(double value) { return std::isfinite(value) ? nlohmann::json(value) : nlohmann::json(nullptr); }

std::vector<std::int64_t> dimensions(const Shape& shape) {
  return {shape.dimensions().begin(), shape.dimensions().end()};
}

nlohmann::json to_json(const LayerDifference& d) {
  nlohmann::json json{{"path", d.path}, {"shape", dimensions(d.shape)}, {"passed", d.passed()}};
  if (d.other_shape) {
    json["other_shape"] = dimensions(*d.other_shape);
    return json;
  }
  json.update({{"layout", layout_of(d.shape)},
               {"values", d.values},
               {"max_error", number(d.max_error)},
               {"mean_error", number(d.mean_error)},
               {"cosine", number(d.cosine)},
               {"share_of_tolerance", number(d.worst)},
               {"worst_at", position_of(d.worst_index, d.shape)},
               {"first_value", number(d.expected)},
               {"second_value", number(d.found)}});
  return json;
}

nlohmann::json to_json(const LayerDifference* d) { return d == nullptr ? nlohmann::json(nullptr) : to_json(*d); }

void print_row(const LayerDifference& d, std::size_t width, std::string_view mark) {
  if (d.other_shape) {
    print_out("{:<{}}  {:<18} {:>18} there  {}\n", d.path, width, to_string(d.shape), to_string(*d.other_shape), mark);
    return;
  }
  print_out("{:<{}}  {:<18} {:>10.2e} {:>10.2e} {:>10.7f} {:>9.3g}  {:<26} {}\n", d.path, width, to_string(d.shape),
            d.max_error, d.mean_error, d.cosine, d.worst, position_text(d.worst_index, d.shape), mark);
}

void print_table(const FileDifference& difference) {
  std::size_t width = 5;
  for (const LayerDifference& d : difference.layers) width = std::max(width, d.path.size());
  print_out("{:<{}}  {:<18} {:>10} {:>10} {:>10} {:>9}  {}\n", "Layer", width, "Shape", "Max error", "Mean error",
            "Cosine", "Of limit", "Worst at");
  for (const LayerDifference& d : difference.layers) {
    std::string mark = d.passed() ? "" : "DIFFERS";
    if (&d == difference.first_failure()) mark += ", first";
    if (&d == difference.worst_failure()) mark += ", worst";
    print_row(d, width, mark);
  }
}

void print_missing(const std::vector<std::string>& paths, const std::string& file) {
  if (paths.empty()) return;
  print_out("\nOnly in {} ({}):", file, paths.size());
  for (const std::string& path : paths) print_out(" {}", path);
  print_out("\n");
}

void print_verdict(const FileDifference& difference, bool strict) {
  const LayerDifference* const first = difference.first_failure();
  if (first == nullptr) {
    print_out("\n{}\n", is_equal(difference, strict) ? "Equal within the tolerance."
                                                     : "NOT equal: some layers are in one of them only (--strict).");
    return;
  }
  print_out("\nThe first layer that differs is {}: ", first->path);
  if (first->other_shape) {
    print_out("its shape is {} there and {} here.\n", to_string(first->shape), to_string(*first->other_shape));
  } else {
    print_out("at {} it is {:.7g} there and {:.7g} here.\n", position_text(first->worst_index, first->shape),
              first->expected, first->found);
  }
  const auto before = first - difference.layers.data();
  if (before > 0) {
    print_out("What was compared before it agrees ({} of {}), last {}.\n", before, difference.layers.size(),
              difference.layers[static_cast<std::size_t>(before) - 1].path);
  } else {
    print_out("The models were given different pixels: preprocessing, or another picture.\n");
  }
  print_out("NOT equal.\n");
}

int run_diff(const DiffCommand& command) {
  const ActivationReader first(command.first), second(command.second);
  const FileDifference difference = compare_files(first, second, command.tolerance);
  const bool equal = is_equal(difference, command.strict);
  if (command.json) {
    nlohmann::json layers = nlohmann::json::array();
    for (const LayerDifference& d : difference.layers) layers.push_back(to_json(d));
    print_json({{"first_file", command.first},
                {"second_file", command.second},
                {"first_model", first.model()},
                {"second_model", second.model()},
                {"rtol", command.tolerance.relative},
                {"atol", command.tolerance.absolute},
                {"equal", equal},
                {"first_failure", to_json(difference.first_failure())},
                {"worst_failure", to_json(difference.worst_failure())},
                {"layers", layers},
                {"only_in_first", difference.only_in_first},
                {"only_in_second", difference.only_in_second}});
  } else {
    print_out("there: {} ({})\nhere:  {} ({})\n|here - there| <= {:g} + {:g} * |there|\n\n", command.first,
              first.model(), command.second, second.model(), command.tolerance.absolute, command.tolerance.relative);
    print_table(difference);
    print_missing(difference.only_in_first, command.first);
    print_missing(difference.only_in_second, command.second);
    print_verdict(difference, command.strict);
  }
  return equal ? 0 : static_cast<int>(ErrorKind::kCheck);
}

}  // namespace

void add_diff(Command& app, Outcome& outcome) {
  auto command = std::make_shared<DiffCommand>();
  Command* sub = app.add_subcommand("diff", "The first layer at which two dumps differ (exit 6: they do)");
  sub->add_option("first", command->first, "a dump or reference file: what is expected")->required();
  sub->add_option("second", command->second, "a dump or reference file: what is held against it")->required();
  sub->add_option("--rtol", command->tolerance.relative, "relative tolerance")
      ->check(non_negative())
      ->capture_default_str();
  sub->add_option("--atol", command->tolerance.absolute, "absolute tolerance")
      ->check(non_negative())
      ->capture_default_str();
  sub->add_flag("--strict", command->strict, "layers that only one of them has are a difference, too");
  add_json_option(*sub, command->json);
  sub->footer("Example:\n  tessera diff pytorch.h5 mine.h5");
  sub->callback([command, &outcome] { outcome.exit_code = run_diff(*command); });
}

}  // namespace tessera
