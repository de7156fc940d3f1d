#include "evaluation/ready/tuning_cache.h"

#include <nlohmann/json.hpp>
#include <string>

#include "core/error.h"
#include "core/file.h"
#include "core/file_lock.h"
#include "core/json.h"
#include "evaluation/ready/environment.h"
#include "weights/model_source.h"

namespace tessera {

namespace {

// "AMD EPYC 9454, tessera 0.1.0": kernels change from one version to the next.
std::string this_machine() { return processor_name() + ", tessera " + TESSERA_VERSION; }

nlohmann::json read_all() {
  constexpr std::uintmax_t kMostBytes = 16 << 20;
  try {
    const nlohmann::json json = parse_json(read_file(tuning_cache_path(), kMostBytes));
    if (json.is_object()) return json;
  } catch (const InputError&) {
    return nlohmann::json::object();  // not there yet, or damaged: measured anew
  }
  return nlohmann::json::object();
}

}  // namespace

std::filesystem::path tuning_cache_path() { return model_home() / "tuning.json"; }

KernelChoices read_tuning_cache() {
  const nlohmann::json json = read_all();
  const auto machine = json.find(this_machine());
  KernelChoices choices;
  if (machine == json.end() || !machine->is_object()) return choices;
  for (const auto& [layer, way] : machine->items()) {
    if (way.is_string()) choices.emplace(layer, way.get<std::string>());
  }
  return choices;
}

void write_tuning_cache(const KernelChoices& choices) {
  const std::filesystem::path path = tuning_cache_path();
  std::error_code error;
  std::filesystem::create_directories(path.parent_path(), error);
  if (error) throw ResourceError(path.parent_path().string() + ": cannot be made (" + error.message() + ")");
  // One process at a time reads and writes: with none in between, neither loses what the other measured.
  const FileLock lock = FileLock::wait_for(path.string() + ".lock", FileLock::If::kMade);
  nlohmann::json json = read_all();
  nlohmann::json& here = json[this_machine()];
  if (!here.is_object()) here = nlohmann::json::object();
  here.update(nlohmann::json(choices));
  write_file(path, json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
}

}  // namespace tessera
