#include "vision/picture_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <set>
#include <tuple>
#include <utility>

#include "core/error.h"
#include "vision/decode.h"
#include "vision/label_files.h"
#include "vision/tar_index.h"

namespace tessera {

namespace fs = std::filesystem;

namespace {

std::vector<fs::path> sorted_entries(const fs::path& folder) {
  std::vector<fs::path> entries;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    entries.push_back(it->path());
  }
  if (error) throw InputError(folder.string() + ": cannot be read (" + error.message() + ")");
  std::ranges::sort(entries);
  return entries;
}

Pictures pictures_of_folder(const fs::path& path) {
  Pictures found;
  for (const fs::path& entry : sorted_entries(path)) {
    std::error_code error;
    if (fs::is_directory(entry, error)) {
      for (const fs::path& picture : pictures_in(entry)) {
        found.in_folders.push_back(
            {.path = picture, .name = picture.filename().string(), .folder = entry.filename().string()});
      }
    } else if (is_picture_name(entry)) {
      found.loose.push_back({.path = entry, .name = entry.filename().string()});
    }
  }
  return found;
}

// A folder and what is in it, told apart from another folder of the same name.
using Parents = std::map<std::string, std::set<std::string>>;

void refuse_two_sets(const fs::path& archive, const Parents& parents) {
  for (const auto& [folder, in] : parents) {
    if (in.size() < 2) continue;
    const std::string first = in.begin()->empty() ? "" : "/" + *in.begin();
    throw InputError(fmt::format("{0}: has the folder '{1}' in {2} places; name one of them, as in --data {0}{3}",
                                 archive.string(), folder, in.size(), first));
  }
}

// Of an archive, the pictures under the folder `inner` ("" for all). A picture's class is the folder that it lies in,
// at whatever depth.
Pictures pictures_of_tar(const fs::path& archive, const std::string& inner) {
  const TarIndex index = index_tar(archive);
  Pictures found;
  Parents parents;
  const std::string start = inner.empty() ? "" : inner + "/";
  for (const TarEntry& entry : index.entries) {
    if (!entry.name.starts_with(start) || !is_picture_name(entry.name)) continue;
    const fs::path name = entry.name.substr(start.size());
    Sample sample{.path = archive,
                  .name = name.filename().string(),
                  .folder = name.parent_path().filename().string(),
                  .offset = entry.offset,
                  .size = entry.size};
    if (!sample.folder.empty()) parents[sample.folder].insert(name.parent_path().parent_path().string());
    (sample.folder.empty() ? found.loose : found.in_folders).push_back(std::move(sample));
  }
  refuse_two_sets(archive, parents);
  const auto by_name = [](const Sample& a, const Sample& b) {
    return std::tie(a.folder, a.name) < std::tie(b.folder, b.name);
  };
  std::ranges::stable_sort(found.in_folders, by_name);
  std::ranges::stable_sort(found.loose, by_name);
  if (index.others > 0) {
    found.notes.push_back(
        fmt::format("{}: {} entries that are no regular files are left out", archive.string(), index.others));
  }
  return found;
}

// "photos.tar/val" as the archive and the folder in it; the archive alone where the path is no such thing.
std::pair<fs::path, std::string> split_at_archive(const fs::path& path) {
  std::error_code error;
  for (fs::path at = path; at.has_relative_path() && at != at.parent_path(); at = at.parent_path()) {
    if (fs::is_regular_file(at, error)) {
      const std::string inner = path.lexically_relative(at).generic_string();
      return {at, inner == "." ? "" : inner};
    }
  }
  return {path, ""};
}

}  // namespace

Place place_of(const fs::path& path) {
  std::error_code error;
  if (fs::is_directory(path, error)) return {Place::Kind::kFolder, path, ""};
  auto [file, inner] = split_at_archive(path);
  if (!fs::exists(file, error)) throw InputError(path.string() + ": no such file or folder");
  const bool list = inner.empty() && file.extension() != ".tar";
  return {list ? Place::Kind::kList : Place::Kind::kArchive, std::move(file), std::move(inner)};
}

Pictures pictures_at(const Place& place) {
  return place.kind == Place::Kind::kFolder ? pictures_of_folder(place.file) : pictures_of_tar(place.file, place.inner);
}

Sample listed(const fs::path& list, const std::string& file, const std::string& label) {
  Sample sample{.path = fs::path(file).is_absolute() ? fs::path(file) : list.parent_path() / file,
                .name = fs::path(file).filename().string(),
                .folder = "",
                .label = -1};
  if (!parse_class(label, sample.label)) sample.folder = label;
  return sample;
}

std::vector<Sample> list_pictures(const fs::path& path) {
  std::vector<Sample> samples;
  const Place place = place_of(path);
  if (place.kind == Place::Kind::kList) {
    for_each_pair(place.file, [&](const std::string& file, const std::string& label) {
      if (is_picture_name(file)) samples.push_back(listed(place.file, file, label));
      return true;
    });
  } else {
    Pictures pictures = pictures_at(place);
    samples = std::move(pictures.in_folders);
    samples.insert(samples.end(), std::make_move_iterator(pictures.loose.begin()),
                   std::make_move_iterator(pictures.loose.end()));
  }
  for (Sample& sample : samples) sample.label = -1;
  return samples;
}

std::string where(const Sample& sample) {
  if (sample.size < 0) return sample.path.string();
  return (sample.path / sample.folder / sample.name).string();
}

std::vector<std::byte> read_picture(const Sample& sample) {
  if (sample.size < 0) return read_picture_file(sample.path);
  return read_picture_part(sample.path, sample.offset, sample.size, where(sample));
}

std::vector<fs::path> pictures_in(const fs::path& folder) {
  std::vector<fs::path> pictures = sorted_entries(folder);
  std::erase_if(pictures, [](const fs::path& file) { return !is_picture_name(file); });
  return pictures;
}

std::vector<fs::path> pictures_under(const fs::path& folder) {
  std::vector<fs::path> pictures = pictures_in(folder);
  for (const fs::path& entry : sorted_entries(folder)) {
    std::error_code error;
    if (!fs::is_directory(entry, error)) continue;
    const std::vector<fs::path> inner = pictures_in(entry);
    pictures.insert(pictures.end(), inner.begin(), inner.end());
  }
  if (pictures.empty()) throw InputError(folder.string() + ": no pictures (.jpeg, .jpg or .png) in it or its folders");
  return pictures;
}

}  // namespace tessera
