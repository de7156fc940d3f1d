#include "weights/sharded.h"

#include <algorithm>
#include <array>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <span>
#include <string_view>

#include "core/error.h"
#include "weights/config_files.h"
#include "weights/safetensors.h"
#include "weights/sha256.h"

namespace tessera {

namespace fs = std::filesystem;

namespace {

constexpr const char* kWhole = "model.safetensors";
constexpr const char* kIndex = "model.safetensors.index.json";
constexpr std::array<std::string_view, 7> kForTheScript{".pth", ".pt", ".bin", ".ckpt", ".tar", ".onnx", ".pkl"};

bool is_for_the_script(const fs::path& file) {
  return std::ranges::find(kForTheScript, file.extension().string()) != kForTheScript.end();
}

fs::path in_folder(const fs::path& folder) {
  std::error_code error;
  for (const char* name : {kWhole, kIndex}) {
    if (fs::exists(folder / name, error)) return folder / name;
  }
  std::vector<fs::path> files, others;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    if (it->path().extension() == ".safetensors") files.push_back(it->path());
    if (is_for_the_script(it->path())) others.push_back(it->path());
  }
  if (error) throw ModelFileError(folder.string() + ": cannot be read (" + error.message() + ")");
  if (files.size() == 1) return files.front();
  if (files.size() > 1) {
    std::ranges::sort(files);
    throw ModelFileError(folder.string() + ": has several weights and no " + kIndex + ", " +
                         files[0].filename().string() + " and " + files[1].filename().string() +
                         " among them; name one");
  }
  if (!others.empty()) {
    throw UsageError(folder.string() + ": weights/convert.py converts " + others.front().filename().string() +
                     " and reads the folder's config.json");
  }
  throw ModelFileError(folder.string() + ": there is no " + kWhole + " in it");
}

WeightFiles read_sharded(const fs::path& index) {
  const nlohmann::json json = read_config(index);
  const nlohmann::json map = json.value("weight_map", nlohmann::json());
  if (!map.is_object() || map.empty()) throw ModelFileError(index.string() + ": has no weight_map");
  std::map<std::string, std::set<std::string>> tensors;  // by file
  for (const auto& [tensor, file] : map.items()) {
    if (!file.is_string()) throw ModelFileError(index.string() + ": the file of " + tensor + " is not a name");
    const std::string name = file.get<std::string>();
    if (name.empty() || name.find('/') != std::string::npos || name == "." || name == "..") {
      throw ModelFileError(index.string() + ": '" + tensor + "' is not in a file beside it");
    }
    tensors[name].insert(tensor);
  }
  WeightFiles files;
  std::string digests;
  for (const auto& [name, expected] : tensors) {
    const fs::path path = index.parent_path() / name;
    SafetensorsFile shard = read_safetensors(path);
    files.left_out.insert(files.left_out.end(), shard.left_out.begin(), shard.left_out.end());
    for (const std::string& tensor : expected) {
      const bool integer = std::ranges::any_of(
          shard.left_out, [&](const std::string& entry) { return entry.starts_with(tensor + " ("); });
      if (integer) continue;
      if (!shard.tensors.contains(tensor)) {
        throw ModelFileError(path.string() + ": lacks '" + tensor + "', which " + index.filename().string() +
                             " says it holds");
      }
      files.tensors.put(tensor, shard.tensors.take(tensor));
    }
    digests += name + " " + sha256_of_file(path) + "\n";
  }
  files.sha256 = sha256(std::as_bytes(std::span(digests)));
  return files;
}

}  // namespace

fs::path weight_file(const fs::path& source) {
  std::error_code error;
  if (fs::is_directory(source, error)) return in_folder(source);
  if (is_for_the_script(source)) {
    throw UsageError(source.string() + ": weights/convert.py converts " + source.extension().string() + " files");
  }
  return source;
}

WeightFiles read_weight_files(const fs::path& file) {
  if (file.extension() == ".json") return read_sharded(file);
  SafetensorsFile stored = read_safetensors(file);
  return {.tensors = std::move(stored.tensors), .left_out = std::move(stored.left_out), .sha256 = sha256_of_file(file)};
}

}  // namespace tessera
