#include "vision/picture_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <set>
#include <string_view>
#include <utility>

#include "core/csv.h"
#include "core/error.h"
#include "vision/class_folders.h"
#include "vision/decode.h"
#include "vision/file_kinds.h"
#include "vision/folder_walk.h"
#include "vision/label_files.h"
#include "vision/tar_index.h"

namespace tessera {

namespace fs = std::filesystem;

namespace {

void note_first(const fs::path& root, const std::vector<std::string>& names, std::string_view what, Pictures& found) {
  if (names.empty()) return;
  found.notes.push_back(fmt::format("{}: {} {}: {}", root.string(), names.size(), what, first_names(names)));
}

constexpr std::string_view kJunkLeftOut = "hidden or system file(s) or folder(s) left out";

Pictures pictures_of_folder(const fs::path& root) {
  WalkedFolder walked = walk_folder(root);
  std::vector<FoundFile> files;
  files.reserve(walked.files.size());
  for (std::string& name : walked.files) {
    fs::path path = root / name;
    files.push_back({.name = std::move(name), .path = std::move(path)});
  }
  Pictures found = sort_into_classes(root, std::move(files), false);
  note_first(root, walked.junk, kJunkLeftOut, found);
  note_first(root, walked.again, "link(s) to folders that were looked through already left out", found);
  return found;
}

// "a/__MACOSX/" of "a/__MACOSX/b/x.jpg"; "" where no part of the name is junk.
std::string junk_of(const std::string& name) {
  for (std::size_t start = 0; start < name.size();) {
    const std::size_t end = std::min(name.find('/', start), name.size());
    if (is_junk_name(std::string_view(name).substr(start, end - start))) return name.substr(0, end + 1);
    start = end + 1;
  }
  return "";
}

// The pictures of an archive below its folder `inner` ("" for all).
Pictures pictures_of_tar(const fs::path& archive, const std::string& inner) {
  TarIndex index = index_tar(archive);
  const std::string start = inner.empty() ? "" : inner + "/";
  std::vector<FoundFile> files;
  std::set<std::string> junk;
  const auto add = [&](const TarEntry& entry) {
    if (!entry.name.starts_with(start)) return;
    const std::string name = entry.name.substr(start.size());
    if (const std::string left_out = junk_of(name); !left_out.empty()) {
      junk.insert(left_out);
    } else {
      files.push_back({.name = name, .path = archive, .offset = entry.offset, .size = entry.size});
    }
  };
  std::ranges::for_each(index.entries, add);
  const fs::path root = inner.empty() ? archive : archive / inner;
  Pictures found = sort_into_classes(root, std::move(files), true);
  note_first(root, {junk.begin(), junk.end()}, kJunkLeftOut, found);
  const auto elsewhere = [&](const std::string& name) { return !name.starts_with(start) || !junk_of(name).empty(); };
  std::erase_if(index.others, elsewhere);
  std::erase_if(index.replaced, elsewhere);
  note_first(root, index.others, "member(s) that are no regular files left out", found);
  note_first(root, index.replaced, "member(s) replaced by later ones of the same name, as tar itself does", found);
  return found;
}

// Splits "photos.tar/val" into the archive and the folder in it; any other path is returned as the archive alone.
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

// Packed files and pictures are not lists; an archive may lack its ending.
Place::Kind kind_of(const fs::path& file) {
  const std::string first = first_bytes(file);
  if (const std::string_view packing = packing_of(first); !packing.empty()) {
    throw InputError(fmt::format("{}: is packed ({}); pictures are read in place, so unpack it first: {}",
                                 file.string(), packing, unpack_command(file, packing)));
  }
  if (is_picture_content(first)) {
    throw InputError(file.string() + ": is a picture; a folder of pictures, a tar of one or a CSV list is wanted here");
  }
  return is_tar_content(first) || file.extension() == ".tar" ? Place::Kind::kArchive : Place::Kind::kList;
}

}  // namespace

Place place_of(const fs::path& path) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (fs::is_directory(status)) return {Place::Kind::kFolder, path, ""};
  auto [file, inner] = split_at_archive(path);
  if (file == path && !fs::exists(status)) {
    const bool missing = status.type() == fs::file_type::not_found;
    throw InputError(path.string() +
                     (missing ? ": no such file or folder" : ": cannot be looked at (" + error.message() + ")"));
  }
  const Place::Kind kind = kind_of(file);
  if (!inner.empty() && kind == Place::Kind::kList) {
    throw InputError(fmt::format("{}: {} is neither a folder nor a tar archive", path.string(), file.string()));
  }
  return {kind, std::move(file), std::move(inner)};
}

Pictures pictures_at(const Place& place) {
  return place.kind == Place::Kind::kFolder ? pictures_of_folder(place.file) : pictures_of_tar(place.file, place.inner);
}

Sample listed(const fs::path& list, const std::string& file, const std::string& label) {
  const auto place = [&](const fs::path& name) { return name.is_absolute() ? name : list.parent_path() / name; };
  fs::path path = place(file);
  std::error_code error;
  if (const std::string plain = csv_text(file); plain != file && !fs::exists(path, error)) path = place(plain);
  Sample sample{.path = path, .name = path.filename().string(), .folder = "", .label = -1};
  if (!parse_class(label, sample.label)) sample.folder = label;
  return sample;
}

Pictures all_pictures(const fs::path& path) {
  const Place place = place_of(path);
  if (place.kind != Place::Kind::kList) return pictures_at(place);
  Pictures found;
  for_each_pair(place.file, [&](const std::string& file, const std::string& label) {
    found.loose.push_back(listed(place.file, file, label));
    found.loose.back().label = -1;
    return true;
  });
  return found;
}

std::vector<Sample> joined(Pictures pictures) {
  std::vector<Sample> samples = std::move(pictures.in_folders);
  samples.insert(samples.end(), std::make_move_iterator(pictures.loose.begin()),
                 std::make_move_iterator(pictures.loose.end()));
  return samples;
}

std::vector<Sample> list_pictures(const fs::path& path) { return joined(all_pictures(path)); }

std::string where(const Sample& sample) {
  if (sample.size < 0) return sample.path.string();
  return (sample.path / sample.above / sample.folder / sample.name).string();
}

std::vector<std::byte> read_picture(const Sample& sample) {
  if (sample.size < 0) return read_picture_file(sample.path);
  return read_picture_part(sample.path, sample.offset, sample.size, where(sample));
}

}  // namespace tessera
