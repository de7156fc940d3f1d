#include "synth/shapes_data.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "core/error.h"
#include "core/thread_pool.h"
#include "synth/shapes.h"
#include "synth/tar_writer.h"
#include "vision/jpeg_encode.h"

namespace tessera {

namespace {

namespace fs = std::filesystem;

// A temporary folder, removed with its contents unless it was put in its place.
class UnfinishedFolder {
 public:
  explicit UnfinishedFolder(const fs::path& target) : target_(target.has_filename() ? target : target.parent_path()) {
    std::error_code error;
    if (fs::exists(target_, error) && !(fs::is_directory(target_, error) && fs::is_empty(target_, error))) {
      throw UsageError(target_.string() + ": is there already; give another folder or remove it");
    }
    const fs::path above = target_.has_parent_path() ? target_.parent_path() : ".";
    fs::create_directories(above, error);
    std::random_device random;
    while (!error && path_.empty()) {  // a name that is free, so that no other's folder is filled
      const fs::path path = above / fmt::format(".tessera-{:08x}{:08x}.tmp", random(), random());
      if (fs::create_directory(path, error)) path_ = path;
    }
    if (error) throw ResourceError(target_.string() + ": cannot be made (" + error.message() + ")");
  }
  ~UnfinishedFolder() {
    std::error_code error;
    if (!path_.empty()) fs::remove_all(path_, error);
  }
  UnfinishedFolder(const UnfinishedFolder&) = delete;
  UnfinishedFolder& operator=(const UnfinishedFolder&) = delete;

  const fs::path& path() const { return path_; }
  void put_in_place() {
    std::error_code error;
    fs::remove(target_, error);  // an empty folder, if it exists
    fs::rename(path_, target_, error);
    if (error) throw ResourceError(target_.string() + ": cannot be made (" + error.message() + ")");
    path_.clear();
  }

 private:
  fs::path target_, path_;
};

void write_bytes(const fs::path& path, std::span<const std::byte> bytes) {
  std::ofstream file(path, std::ios::binary);
  file.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  file.close();
  if (!file) throw ResourceError(path.string() + ": cannot be written (is the disk full?)");
}

std::string file_name(std::int64_t number, ShapePicture what) {
  if (what.shape == what.texture) return fmt::format("{:06}.jpg", number);
  return fmt::format("{}{}-{}.jpg", shape_name(what.shape), number, shape_name(what.texture));
}

// A file of the data set: its name in it, and its bytes.
struct DataFile {
  std::string name;
  std::vector<std::byte> bytes;
};

DataFile picture_file(const ShapesOptions& options, std::int64_t number) {
  const ShapePicture what = shape_picture(options.seed, number, options.cue_conflict);
  return {.name = fmt::format("{}/{}", shape_name(what.shape), file_name(number, what)),
          .bytes = encode_jpeg(draw_shape_picture(options.seed, number, what), options.quality)};
}

DataFile labels_file() {
  nlohmann::json labels;
  for (int shape = 0; shape < kShapeClasses; ++shape) labels[std::string(shape_name(shape))] = shape;
  const std::string text = labels.dump(2) + "\n";
  const auto bytes = std::as_bytes(std::span(text));
  return {.name = "labels.json", .bytes = {bytes.begin(), bytes.end()}};
}

// Gives the pictures in order, some at a time, to `take`. Returns false when it was stopped.
bool make_pictures(const ShapesOptions& options, const std::atomic<bool>& stop,
                   const std::function<void(std::int64_t)>& progress,
                   const std::function<void(const DataFile&)>& take) {
  constexpr std::int64_t kAtATime = 512;
  ThreadPool pool(options.threads);
  for (std::int64_t first = 0; first < options.count; first += kAtATime) {
    if (stop) return false;
    const std::int64_t count = std::min(kAtATime, options.count - first);
    std::vector<DataFile> files(static_cast<std::size_t>(count));
    pool.for_each(count,
                  [&](std::int64_t i, int) { files[static_cast<std::size_t>(i)] = picture_file(options, first + i); });
    for (const DataFile& file : files) take(file);
    progress(first + count);
  }
  return true;
}

bool write_folder(const fs::path& folder, const ShapesOptions& options, const std::atomic<bool>& stop,
                  const std::function<void(std::int64_t)>& progress) {
  UnfinishedFolder unfinished(folder);
  const auto write = [&](const DataFile& file) { write_bytes(unfinished.path() / file.name, file.bytes); };
  write(labels_file());
  for (int shape = 0; shape < kShapeClasses; ++shape) {
    std::error_code error;
    fs::create_directory(unfinished.path() / shape_name(shape), error);
    if (error) throw ResourceError(folder.string() + ": cannot be written (" + error.message() + ")");
  }
  if (!make_pictures(options, stop, progress, write)) return false;
  unfinished.put_in_place();
  return true;
}

bool write_tar(const fs::path& path, const ShapesOptions& options, const std::atomic<bool>& stop,
               const std::function<void(std::int64_t)>& progress) {
  TarWriter tar(path);
  const auto add = [&](const DataFile& file) { tar.add(file.name, file.bytes); };
  add(labels_file());
  if (!make_pictures(options, stop, progress, add)) return false;
  tar.put_in_place();
  return true;
}

// A user who asks for x.zip does not want a folder of that name.
void refuse_other_archives(const fs::path& path) {
  for (const char* ending : {".zip", ".gz", ".tgz", ".bz2", ".xz", ".zst", ".7z", ".rar", ".h5", ".npz"}) {
    if (path.extension() != ending) continue;
    throw UsageError(path.string() + ": a data set is a folder or, with the ending .tar, a tar archive; not " + ending);
  }
}

}  // namespace

bool write_shapes(const fs::path& target, const ShapesOptions& options, const std::atomic<bool>& stop,
                  const std::function<void(std::int64_t)>& progress) {
  refuse_other_archives(target);
  return (target.extension() == ".tar" ? write_tar : write_folder)(target, options, stop, progress);
}

}  // namespace tessera
