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

// Writes target/<class>/<number>.jpg, in a cue conflict target/<class>/<class><number>-<texture's class>.jpg, and
// target/labels.json, the class of each folder. The target is a folder, or by its ending .tar such an archive, whose
// bytes are the same for the same options; other archives' endings are refused (UsageError), and so is a target that is
// there and is no empty folder. It is made beside its place and moved there when it is whole, so that no half of a data
// set is taken for one. `progress` is told how many are written; `stop` ends the work and leaves nothing. Returns false
// when it was stopped. Throws ResourceError.
bool write_shapes(const std::filesystem::path& target, const ShapesOptions& options, const std::atomic<bool>& stop,
                  const std::function<void(std::int64_t)>& progress);

}  // namespace tessera
