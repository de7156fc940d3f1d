// What tuning found, as it lies in the user's folder: the whole file, and the choices under this machine's name. A
// cache that cannot be read is an empty one, so nothing is refused; a seed must give choices.
#include <nlohmann/json.hpp>

#include "core/file.h"
#include "evaluation/ready/tuning_cache.h"
#include "tests/fuzz/fuzz.h"

namespace {

// The name under which this machine's choices stand.
const std::string& machine() {
  static const std::string name = [] {
    ::setenv("TESSERA_HOME", tessera::fuzz::folder().c_str(), 1);
    std::filesystem::remove(tessera::tuning_cache_path());
    tessera::write_tuning_cache({{"layer", "way"}});
    return nlohmann::json::parse(tessera::read_file(tessera::tuning_cache_path(), 1 << 20)).begin().key();
  }();
  return name;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tessera;
  const std::string text(reinterpret_cast<const char*>(data), size);
  const std::string whole = "{" + nlohmann::json(machine()).dump() + ":" + text + "}";
  fuzz::put_file("tuning.json", data, size);
  read_tuning_cache();
  fuzz::put_file("tuning.json", reinterpret_cast<const std::uint8_t*>(whole.data()), whole.size());
  const bool accepted = !read_tuning_cache().empty();
  write_tuning_cache({{"layer", "way"}});
  const KernelChoices after = read_tuning_cache();  // what is there stays, whatever it is
  if (const auto layer = after.find("layer"); layer == after.end() || layer->second != "way") std::abort();
  return fuzz::verdict(accepted);
}
