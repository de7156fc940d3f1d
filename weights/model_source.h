#pragma once
// Models by what a user calls them: a file, an installed name, or seeded:ARCHITECTURE@SEED.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "weights/model_file.h"

namespace tessera {

struct OpenOptions {
  bool verify = true;
  int threads = 1;                  // of load_model()
  std::optional<Sides> image_size;  // pictures of another size: positions are interpolated, the rest adapts
  std::string timm_size;            // "train" or "test": of timm's size and crop for these weights; "": the model's
};

// Throw ModelFileError for a file that cannot be used or found, UsageError for an unknown architecture.
LoadedModel load_model(const std::string& name, const OpenOptions& options = {});
// Each tensor is read when it is taken, on the thread that takes it.
OpenedModel open_model(const std::string& name, const OpenOptions& options = {});
// The card alone; no weights are read.
ModelCard open_card(const std::string& name, const OpenOptions& options = {});

// $TESSERA_HOME, or ~/.local/share/tessera.
std::filesystem::path model_home();
// The path at which to install a model of that name. Throws UsageError, with the reason, for a name that would leave
// the folder, or by which the model could not be opened afterwards.
std::filesystem::path installed_path(const std::string& name);
// The file of an installed model: in that folder, or among the models that came with the program (share/tessera/models
// beside its bin/). Empty where no model has that name.
std::filesystem::path installed_file(const std::string& name);
// Names of the installed models, sorted.
std::vector<std::string> installed_models();

}  // namespace tessera
