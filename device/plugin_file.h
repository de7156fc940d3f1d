#pragma once
// Finding and opening a device's plugin. It is a file of its own, so that the program neither links nor needs the
// device's libraries; opening it loads them (some 0.2 s for CUDA), so that it is done only when a device is asked for.

#include <filesystem>
#include <string>
#include <vector>

#include "device/plugin.h"

namespace tessera {

// Folders in which plugins are looked for: those of $TESSERA_PLUGIN_PATH (separated by ':') where it is set; else the
// program's own, and lib/tessera beside it.
std::vector<std::filesystem::path> plugin_folders();

// tessera_NAME.so in the first folder that has it; empty where none has.
std::filesystem::path find_plugin(const std::string& name);

// Opens the file and shakes hands: the table of its functions, which stays valid to the end of the process. Throws
// DeviceError naming the file when it or a library that it needs cannot be opened, it is no plugin, or it was built for
// another version of the ABI.
const TesseraPlugin& open_plugin(const std::filesystem::path& file);

}  // namespace tessera
