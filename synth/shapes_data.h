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
// target/labels.json, the class of each folder. The target is a folder, or an archive if it ends in .tar; the same
// options give an archive of the same bytes. Endings of other archives are refused (UsageError), and so is an existing
// target other than an empty folder. The data set is made beside its place and moved there when it is whole, so that no
// partial one is left. `progress` gets the number of written pictures; `stop` ends the work and leaves nothing. Returns
// false when it was stopped. Throws ResourceError.
bool write_shapes(const std::filesystem::path& target, const ShapesOptions& options, const std::atomic<bool>& stop,
                  const std::function<void(std::int64_t)>& progress);

}  // namespace tessera
