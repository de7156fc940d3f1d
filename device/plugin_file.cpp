#include "device/plugin_file.h"

#include <dlfcn.h>

#include <cstdlib>
#include <sstream>

#include "core/error.h"

namespace tessera {

namespace fs = std::filesystem;

namespace {

template <class Function>
Function symbol(void* library, const char* name, const fs::path& file) {
  void* const found = ::dlsym(library, name);
  if (found == nullptr) throw DeviceError(file.string() + " is no plugin of tessera: it has no " + name + "()");
  return reinterpret_cast<Function>(found);
}

[[noreturn]] void refuse_abi(const fs::path& file, const std::string& found) {
  throw DeviceError(file.string() + " was built for another tessera (its ABI is " + found + ", this one's " +
                    std::to_string(TESSERA_PLUGIN_ABI) + "); build and install both together");
}

}  // namespace

std::vector<fs::path> plugin_folders() {
  std::vector<fs::path> folders;
  if (const char* const set = std::getenv("TESSERA_PLUGIN_PATH"); set != nullptr) {
    std::istringstream text(set);
    for (std::string folder; std::getline(text, folder, ':');) {
      if (!folder.empty()) folders.emplace_back(folder);
    }
    return folders;
  }
  std::error_code error;
  const fs::path program = fs::read_symlink("/proc/self/exe", error);
  if (error) return folders;
  return {program.parent_path(), program.parent_path().parent_path() / "lib" / "tessera"};
}

fs::path find_plugin(const std::string& name) {
  for (const fs::path& folder : plugin_folders()) {
    const fs::path file = folder / ("tessera_" + name + ".so");
    std::error_code error;
    if (fs::exists(file, error)) {
      const fs::path whole = fs::absolute(file, error);
      return error ? file : whole;
    }
  }
  return {};
}

const TesseraPlugin& open_plugin(const fs::path& file) {
  // Never closed again: the libraries behind it do not all bear that, and the table must outlive all that came from it.
  void* const library = ::dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    const char* const why = ::dlerror();
    throw DeviceError("the plugin cannot be opened: " + std::string(why == nullptr ? file.string() : why));
  }
  const auto abi = symbol<decltype(&tessera_plugin_abi)>(library, "tessera_plugin_abi", file);
  if (abi() != TESSERA_PLUGIN_ABI) refuse_abi(file, std::to_string(abi()));
  const TesseraPlugin* const table = symbol<decltype(&tessera_plugin)>(library, "tessera_plugin", file)();
  if (table->table_bytes != sizeof(TesseraPlugin) || table->request_bytes != sizeof(TesseraRequest)) {
    refuse_abi(file, std::to_string(abi()) + " with other sizes");
  }
  return *table;
}

}  // namespace tessera
