#include "vision/class_folders.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <span>
#include <string_view>
#include <tuple>
#include <utility>

#include "core/error.h"
#include "core/text.h"
#include "vision/decode.h"
#include "vision/file_kinds.h"

namespace tessera {

namespace fs = std::filesystem;

namespace {

using std::string_view_literals::operator""sv;

template <std::size_t Size>
bool is_one_of(std::string_view name, const std::array<std::string_view, Size>& known) {
  return std::ranges::find(known, lower_case(name)) != known.end();
}

// Folders that hold sets of pictures, each with class folders of its own.
bool is_set_name(std::string_view name) {
  constexpr std::array kSets{"train"sv,   "training"sv,   "val"sv,  "valid"sv, "validation"sv, "test"sv,
                             "testing"sv, "evaluation"sv, "eval"sv, "dev"sv,   "trainval"sv,   "holdout"sv};
  return is_one_of(name, kSets);
}

// Folders whose name says nothing about a class, such as images/ in the class folders of Tiny-ImageNet.
bool is_plain_name(std::string_view name) {
  constexpr std::array kPlain{"images"sv, "image"sv, "imgs"sv, "img"sv,        "pictures"sv,
                              "photos"sv, "jpegs"sv, "jpeg"sv, "jpegimages"sv, "data"sv};
  return is_one_of(name, kPlain);
}

// The part before the last '/', or "".
std::string_view folder_of(std::string_view name) {
  const std::size_t slash = name.rfind('/');
  return slash == std::string_view::npos ? "" : name.substr(0, slash);
}
// The part before the first '/', or "".
std::string_view first_folder(std::string_view name) {
  const std::size_t slash = name.find('/');
  return slash == std::string_view::npos ? "" : name.substr(0, slash);
}
std::string_view last_part(std::string_view name) { return name.substr(name.rfind('/') + 1); }

bool has_picture_content(const FoundFile& file) {
  if (file.size < 0) return is_picture_content(first_bytes(file.path));
  try {
    const auto some = std::min<std::int64_t>(file.size, kFirstBytes);
    const std::vector<std::byte> first = read_picture_part(file.path, file.offset, some, file.name);
    return is_picture_content({reinterpret_cast<const char*>(first.data()), first.size()});
  } catch (const InputError&) {
    return false;  // empty, or cut off since the archive was listed: reading its pictures will report that
  }
}

// The folder that holds all files: "val" for "val/cat/1.jpg" and "val/dog/2.jpg".
std::string_view common_folder(const std::vector<FoundFile>& files) {
  std::string_view common = folder_of(files.front().name);
  const auto lies_in = [](std::string_view name, std::string_view folder) {
    return folder.empty() || (name.starts_with(folder) && name.substr(folder.size()).starts_with('/'));
  };
  for (const FoundFile& file : files) {
    while (!lies_in(file.name, common)) common = folder_of(common);
  }
  return common;
}

// The folder that holds the class folders. A folder that directly holds all pictures is a class folder itself.
std::string_view classes_root(const std::vector<FoundFile>& files) {
  std::string_view common = files.empty() ? "" : common_folder(files);
  const bool one_class =
      std::ranges::all_of(files, [&](const FoundFile& file) { return folder_of(file.name) == common; });
  if (!one_class || common.empty()) return common;
  while (is_plain_name(last_part(common)) && !folder_of(common).empty()) common = folder_of(common);
  return folder_of(common);
}

void refuse_sets(const fs::path& root, const std::vector<FoundFile>& files) {
  std::map<std::string, std::string> inner;  // for a folder that may be a set, one class folder in it
  std::set<std::string> holds_pictures;
  for (const FoundFile& file : files) {
    const std::string folder(first_folder(file.name));
    if (!is_set_name(folder)) continue;
    const std::string below(first_folder(std::string_view(file.name).substr(folder.size() + 1)));
    if (below.empty()) holds_pictures.insert(folder);
    if (!below.empty() && !is_plain_name(below)) inner.emplace(folder, below);
  }
  std::erase_if(inner, [&](const auto& folder) { return holds_pictures.contains(folder.first); });
  if (inner.empty()) return;
  const auto& [set, folder] = *inner.begin();
  throw InputError(fmt::format(
      "{0}: '{1}' looks like a set of pictures with class folders of its own ({1}/{2}), not like a class; name the "
      "set: {3}. Where it is a class, a CSV list 'path,label' says so",
      root.string(), set, folder, (root / set).string()));
}

// What was found, for the notes.
struct Met {
  std::vector<std::string> others, by_content, deeper;
};

void add_notes(const fs::path& root, const Met& met, std::vector<std::string>& notes) {
  if (!met.by_content.empty()) {
    notes.push_back(fmt::format("{}: {} file(s) of another ending taken, which are pictures by their content: {}",
                                root.string(), met.by_content.size(), first_names(met.by_content)));
  }
  if (!met.others.empty()) {
    notes.push_back(fmt::format("{}: {} file(s) left out, which are no pictures: {}", root.string(), met.others.size(),
                                first_names(met.others)));
  }
  if (!met.deeper.empty()) {
    const std::string& example = met.deeper.front();
    notes.push_back(
        fmt::format("{}: {} picture(s) lie deeper than right in a class folder; the class is the first "
                    "folder, so {} is of '{}'",
                    root.string(), met.deeper.size(), example, first_folder(example)));
  }
}

std::vector<FoundFile> pictures_of(std::vector<FoundFile> files, Met& met) {
  std::vector<FoundFile> pictures;
  for (FoundFile& file : files) {
    const bool named = is_picture_name(file.name);
    if (named || has_picture_content(file)) {
      if (!named) met.by_content.push_back(file.name);
      pictures.push_back(std::move(file));
    } else {
      met.others.push_back(file.name);
    }
  }
  return pictures;
}

}  // namespace

std::string first_names(const std::vector<std::string>& names) {
  constexpr std::size_t kNamed = 5;
  return fmt::format("{}{}", fmt::join(std::span(names).first(std::min(kNamed, names.size())), ", "),
                     names.size() > kNamed ? ", ..." : "");
}

Pictures sort_into_classes(const fs::path& root, std::vector<FoundFile> files, bool below_common) {
  std::ranges::sort(files, {}, [](const FoundFile& file) {
    return std::tuple(first_folder(file.name), folder_of(file.name), last_part(file.name));
  });
  Met met;
  std::vector<FoundFile> pictures = pictures_of(std::move(files), met);
  const std::string above(below_common ? classes_root(pictures) : "");
  if (!above.empty()) {
    for (FoundFile& picture : pictures) picture.name.erase(0, above.size() + 1);
  }
  const fs::path base = root / above;
  refuse_sets(base, pictures);
  const bool archive = !pictures.empty() && pictures.front().size >= 0;
  const std::string from_archive = archive ? base.lexically_relative(pictures.front().path).generic_string() : ".";
  const std::string in_archive = from_archive == "." ? "" : from_archive;
  Pictures found;
  for (FoundFile& picture : pictures) {
    Sample sample{.path = std::move(picture.path),
                  .name = picture.name,
                  .folder = std::string(first_folder(picture.name)),
                  .offset = picture.offset,
                  .size = picture.size,
                  .above = in_archive};
    if (sample.folder.empty()) {
      found.loose.push_back(std::move(sample));
      continue;
    }
    sample.name.erase(0, sample.folder.size() + 1);
    if (sample.name.find('/') != std::string::npos) met.deeper.push_back(picture.name);
    found.in_folders.push_back(std::move(sample));
  }
  add_notes(root, met, found.notes);
  return found;
}

}  // namespace tessera
