#pragma once
// The data set of synth/shapes.h as files.

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>

namespace tessera {

struct ShapesOptions {
  std::int64_t count = 50'000;
  std::uint64_t seed = 1;
  bool cue_conflict = false;
  int quality = 92;  // of the JPEG files
  int threads = 1;
};

// Writes folder/<class>/<number>.jpg, in a cue conflict folder/<class>/<class><number>-<texture's class>.jpg, and
// folder/labels.json, the class of each folder. Refuses (UsageError) a folder that is there and not empty; makes it
// beside its place and moves it there when it is whole, so that no half of a data set is taken for one. `progress` is
// told how many are written; `stop` ends the work and leaves nothing. Returns false when it was stopped. Throws
// ResourceError.
bool write_shapes(const std::filesystem::path& folder, const ShapesOptions& options, const std::atomic<bool>& stop,
                  const std::function<void(std::int64_t)>& progress);

}  // namespace tessera
