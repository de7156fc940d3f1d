#include "weights/model_source.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <set>

#include "core/error.h"
#include "core/nearest.h"
#include "weights/seeded.h"

namespace tessera {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view kSeeded = "seeded:";
constexpr std::string_view kEnding = ".h5";

struct SeededName {
  std::string architecture;
  std::uint64_t seed = 0;
};

SeededName parse_seeded(const std::string& name) {
  const std::string_view rest = std::string_view(name).substr(kSeeded.size());
  const std::size_t at = rest.find('@');
  SeededName parsed{std::string(rest.substr(0, at)), 0};
  if (at == std::string_view::npos) return parsed;
  const std::string_view seed = rest.substr(at + 1);
  const auto [end, error] = std::from_chars(seed.data(), seed.data() + seed.size(), parsed.seed);
  if (error != std::errc() || end != seed.data() + seed.size()) {
    throw UsageError("'" + name + "': expected seeded:ARCHITECTURE@SEED with a whole number for the seed");
  }
  return parsed;
}

// Pictures of another size: the model's graph and its preprocessing, with the crop's share of the picture kept.
void apply_image_size(ModelCard& card, const OpenOptions& options) {
  if (!options.image_size) return;
  const int size = *options.image_size;
  constexpr int kLargest = 4096;
  if (size < 1 || size > kLargest) {
    throw UsageError("the image size must lie in 1 to 4096, not " + std::to_string(size));
  }
  card.preprocess = card.preprocess.at_size(size);
  card.config.parameters["image_size"] = size;
}

// Where a model of that name lies in a folder of models.
fs::path relative_path(const std::string& name) {
  fs::path relative(name + std::string(kEnding));
  const bool leaves =
      relative.is_absolute() || std::ranges::any_of(relative, [](const fs::path& p) { return p == ".."; });
  if (name.empty() || leaves) throw UsageError("'" + name + "' cannot be a model's name");
  return relative;
}

// The user's, then those that came with the program.
std::vector<fs::path> model_folders() {
  std::error_code error;
  const fs::path program = fs::read_symlink("/proc/self/exe", error);
  return {model_home() / "models", program.parent_path().parent_path() / "share" / "tessera" / "models"};
}

fs::path find_file(const std::string& name) {
  std::error_code error;
  if (fs::exists(name, error) && !fs::is_directory(name, error)) return name;
  const bool looks_like_path = name.ends_with(kEnding) || name.starts_with("/") || name.starts_with(".");
  if (!looks_like_path) {
    if (const fs::path installed = installed_file(name); !installed.empty()) return installed;
    throw ModelFileError("no model '" + name + "': neither a file nor installed in " + model_home().string() +
                         did_you_mean(name, installed_models()) +
                         " (`tessera models` lists what is there; `seeded:" + name + "` would make untrained weights)");
  }
  throw ModelFileError(name + ": no such file");
}

// What seeded(config, seed) or stored(file) makes of a name.
auto by_name(const std::string& name, const auto& seeded, const auto& stored) {
  if (!name.starts_with(kSeeded)) return stored(find_file(name));
  const SeededName parsed = parse_seeded(name);
  return seeded(make_config(parsed.architecture), parsed.seed);
}

}  // namespace

LoadedModel load_model(const std::string& name, const OpenOptions& options) {
  const auto seeded = [&](const ModelConfig& config, std::uint64_t seed) {
    return seeded_model(config, seed, options.threads);
  };
  const auto stored = [&](const fs::path& file) {
    return load_model_file(file, {.verify = options.verify, .threads = options.threads});
  };
  LoadedModel model = by_name(name, seeded, stored);
  apply_image_size(model.card, options);
  return model;
}

OpenedModel open_model(const std::string& name, const OpenOptions& options) {
  OpenedModel model =
      by_name(name, open_seeded, [&](const fs::path& file) { return open_model_file(file, options.verify); });
  apply_image_size(model.card, options);
  return model;
}

ModelCard open_card(const std::string& name, const OpenOptions& options) {
  ModelCard card = by_name(name, seeded_card, read_model_card);
  apply_image_size(card, options);
  return card;
}

fs::path model_home() {
  if (const char* home = std::getenv("TESSERA_HOME"); home != nullptr && *home != '\0') return home;
  const char* user = std::getenv("HOME");
  return fs::path(user == nullptr ? "." : user) / ".local" / "share" / "tessera";
}

fs::path installed_path(const std::string& name) { return model_home() / "models" / relative_path(name); }

fs::path installed_file(const std::string& name) {
  std::error_code error;
  for (const fs::path& folder : model_folders()) {
    if (const fs::path file = folder / relative_path(name); fs::exists(file, error)) return file;
  }
  return {};
}

std::vector<std::string> installed_models() {
  std::set<std::string> names;
  std::error_code error;
  for (const fs::path& root : model_folders()) {
    for (fs::recursive_directory_iterator it(root, error), end; !error && it != end; it.increment(error)) {
      if (!it->is_regular_file(error) || it->path().extension() != kEnding) continue;
      const std::string name = fs::relative(it->path(), root, error).string();
      names.insert(name.substr(0, name.size() - kEnding.size()));
    }
  }
  return {names.begin(), names.end()};
}

}  // namespace tessera
