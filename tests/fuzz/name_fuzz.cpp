// Names from outside (a hub's, a folder's, --name): a model installed under one lies among the installed models and is
// found by it again.
#include <cstdlib>

#include "tests/fuzz/fuzz.h"
#include "weights/model_source.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tessera;
  const std::string home = fuzz::folder().string();
  ::setenv("TESSERA_HOME", home.c_str(), 1);
  const std::string name(reinterpret_cast<const char*>(data), size);
  const bool accepted = fuzz::expect_answer([&] {
    const std::filesystem::path path = installed_path(name);
    if (!path.lexically_normal().string().starts_with(home + "/models/")) std::abort();
    std::error_code error;
    std::filesystem::create_directories(path.parent_path(), error);
    if (error) return;  // a part of the name is another model
    std::ofstream(path) << "x";
    if (std::filesystem::exists(path, error) && installed_file(name) != path) std::abort();
    std::filesystem::remove_all(fuzz::folder() / "models", error);
  });
  return fuzz::verdict(accepted);
}
