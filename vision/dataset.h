#pragma once
// Lists of labelled pictures. Nothing is opened but folders and lists; the order is the same on every run.

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace tessera {

struct Sample {
  std::filesystem::path path;
  std::string name;    // file name, as the CSV shows it
  std::string folder;  // the class folder (a wnid, for ImageNet), or ""
  int label = -1;      // class index; -1: not known
};

struct Dataset {
  std::vector<Sample> samples;
  std::vector<std::string> notes;  // what was left out and why, for the user
};

struct DatasetOptions {
  // Class index by folder, when folders are not ImageNet wnids: JSON {"folder": index} or CSV "folder,index".
  std::optional<std::filesystem::path> labels;
  int classes = 1000;      // labels must be below; 0: not checked
  std::int64_t limit = 0;  // the first so many pictures; 0: all
};

// `path` is a folder of class folders, or a CSV list "path,label" (header optional; paths relative to the list; the
// label an index or a wnid). Pictures are files ending in .jpeg, .jpg or .png in any case, sorted by folder and name.
// Folders without a label are left out, counted and named in the notes. Throws InputError for a path that cannot be
// read, a list with a bad line (its number), a label out of range, no pictures at all.
Dataset open_dataset(const std::filesystem::path& path, const DatasetOptions& options);

// The pictures right in a folder, sorted. Throws InputError.
std::vector<std::filesystem::path> pictures_in(const std::filesystem::path& folder);

// Those and the pictures right in its subfolders, labelled or not. Throws InputError when there are none.
std::vector<std::filesystem::path> pictures_under(const std::filesystem::path& folder);

// Reads the file of DatasetOptions::labels. Throws InputError naming the file and the entry.
std::map<std::string, int> read_label_file(const std::filesystem::path& path, int classes);

}  // namespace tessera
