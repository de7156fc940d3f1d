#include "weights/model_source.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <set>

#include "core/error.h"
#include "core/nearest.h"
#include "core/text.h"
#include "models/timm_table.h"
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

// The sizes are those of the weights whose name the model's name or origin is; of seeded models, those of the
// architecture's default weights. Another's weights may have been trained at any size, so that nothing is taken for
// them.
void apply_timms_size(ModelCard& card, const std::string& when) {
  const TimmWeights* weights = find_timm_weights(card.name);
  if (weights == nullptr) weights = find_timm_weights(card.source.origin);
  if (weights == nullptr && card.source.origin == kSeededOrigin) {
    weights = default_timm_weights(card.config.architecture);
  }
  if (weights == nullptr) {
    throw UsageError(card.name + ": timm has no weights of that name, so that their sizes are not known; " +
                     "--image-size gives one");
  }
  card.preprocess = at_timms_size(card.preprocess, *weights, when);
  card.config.parameters["image_size"] = sides_to_json(card.preprocess.output_size());
}

// Adapts a model's graph and preprocessing to pictures of another size; the crop keeps its share of the picture.
void apply_image_size(ModelCard& card, const OpenOptions& options) {
  if (!options.timm_size.empty()) apply_timms_size(card, options.timm_size);
  if (!options.image_size) return;
  const Sides size = *options.image_size;
  constexpr int kLargest = 4096;
  if (std::min(size.height, size.width) < 1 || std::max(size.height, size.width) > kLargest) {
    throw UsageError("the image size must lie in 1 to 4096, not " + to_string(size));
  }
  card.preprocess = card.preprocess.at_size(size);
  card.config.parameters["image_size"] = sides_to_json(size);
}

// Text as in JSON, so that no control character reaches a terminal.
std::string json_escaped(const std::string& text) {
  const std::string quoted = nlohmann::json(text).dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
  return quoted.substr(1, quoted.size() - 2);
}

// Why a model installed under that name could not be opened by it; "" where it could.
std::string name_fault(const std::string& name) {
  constexpr std::size_t kLongest = 200;
  if (name.empty()) return "it is empty";
  if (name.size() > kLongest) return "it is longer than 200 bytes";
  if (nlohmann::json(name).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) != '"' + name + '"') {
    return "it is not UTF-8, or holds control characters, quotes or backslashes";
  }
  if (name.starts_with(kSeeded)) return "'seeded:' means untrained weights";
  if (name.ends_with(kEnding)) return "names that end in .h5 are files";
  if (name.starts_with('/') || name.starts_with('.')) return "names that begin with '/' or '.' are files";
  if (name.starts_with('-')) return "words that begin with '-' are options";
  std::size_t begin = 0;
  for (std::size_t end = 0; end != std::string::npos; begin = end + 1) {
    end = name.find('/', begin);
    const std::string part = name.substr(begin, end == std::string::npos ? end : end - begin);
    if (part.empty() || part == "." || part == "..") return "a part of it is '" + part + "'";
  }
  return "";
}

// The path of a model of that name in a folder of models.
fs::path relative_path(const std::string& name) { return name + std::string(kEnding); }

// "; `seeded:resnet50` ..." where the name, without tag and owner, is an architecture.
std::string seeded_hint(const std::string& name) {
  const std::string last = name.substr(name.rfind('/') + 1);
  for (const std::string& candidate : {last, last.substr(0, last.find('.'))}) {
    if (std::ranges::find(architectures(), candidate, &Architecture::name) != architectures().end()) {
      return "; `" + std::string(kSeeded) + candidate + "` is that network with untrained weights";
    }
  }
  return "";
}

// The user's models, then those that came with the program.
std::vector<fs::path> model_folders() {
  std::error_code error;
  const fs::path program = fs::read_symlink("/proc/self/exe", error);
  return {model_home() / "models", program.parent_path().parent_path() / "share" / "tessera" / "models"};
}

fs::path find_file(const std::string& name) {
  std::error_code error;
  if (fs::exists(name, error) && !fs::is_directory(name, error)) {
    if (fs::path(name).extension() == ".safetensors") {
      throw ModelFileError(name + ": not a model file yet; `tessera convert " + shell_quoted(name) +
                           "` makes one of it");
    }
    return name;
  }
  const bool looks_like_path = name.ends_with(kEnding) || name.starts_with("/") || name.starts_with(".");
  if (!looks_like_path) {
    if (const fs::path installed = installed_file(name); !installed.empty()) return installed;
  }
  if (fs::is_directory(name, error)) {
    throw ModelFileError(name + ": is a folder, not a model; `tessera convert " + shell_quoted(name) +
                         "` makes one of its weights");
  }
  if (!looks_like_path) {
    throw ModelFileError("no model '" + name + "': neither a file nor installed in " + model_home().string() +
                         did_you_mean(name, installed_models()) + " (`tessera models` lists what is there; `tessera " +
                         "convert FOLDER --name " + shell_quoted(name) + "` installs one" + seeded_hint(name) + ")");
  }
  throw ModelFileError(name + ": no such file");
}

// Calls seeded(config, seed) or stored(file), whichever the name asks for.
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

fs::path installed_path(const std::string& name) {
  if (const std::string fault = name_fault(name); !fault.empty()) {
    throw UsageError("'" + json_escaped(name) + "' cannot be a model's name: " + fault +
                     "; --name gives another, -o FILE.h5 a file");
  }
  return model_home() / "models" / relative_path(name);
}

fs::path installed_file(const std::string& name) {
  std::error_code error;
  if (!name_fault(name).empty()) return {};
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
