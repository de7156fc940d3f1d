#pragma once
// Lists of labelled pictures. Nothing is opened but folders, archives' headers and lists; the order is the same on
// every run.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace tessera {

struct Sample {
  std::filesystem::path path;  // of the picture, or of the tar archive that it is in
  std::string name;            // file name, as the CSV shows it
  std::string folder;          // the class folder (a wnid, for ImageNet), or ""
  int label = -1;              // class index; -1: not known
  std::int64_t offset = 0;     // where the picture begins in `path`
  std::int64_t size = -1;      // its bytes; -1: `path` is the picture
};

// The picture for messages: its path, or archive and name.
std::string where(const Sample& sample);
// The bytes of its file. Thread-safe. Throws InputError, also for more than 1 GiB.
std::vector<std::byte> read_picture(const Sample& sample);

struct Dataset {
  std::vector<Sample> samples;
  std::vector<std::string> notes;  // what was left out and why, for the user
};

struct DatasetOptions {
  // Class index by folder, when folders are not ImageNet wnids: JSON {"folder": index} or CSV "folder,index".
  std::optional<std::filesystem::path> labels = {};
  // Classes of pictures that lie in no class folder, as ImageNet's ILSVRC2012_val_*.JPEG: see read_ground_truth().
  std::optional<std::filesystem::path> ground_truth = {};
  // Names of the model's classes, which folders may bear; of names that are there twice none is taken.
  std::vector<std::string> class_names = {};
  int classes = 1000;          // labels must be below; 0: not checked
  std::int64_t limit = 0;      // the first so many pictures; 0: all
  std::int64_t per_class = 0;  // the first so many pictures of each class; 0: all
};

// `path` is
//   a folder of class folders (named by wnids, by the model's classes, or any with options.labels),
//   a folder of pictures, with options.ground_truth,
//   an uncompressed tar archive of either, or a folder in one (photos.tar/val),
//   a CSV list "path,label" (header optional; paths relative to the list; the label an index, a wnid, or the name of a
//   class of the model or of options.labels).
// Pictures are files ending in .jpeg, .jpg or .png in any case, sorted by folder and name. What has no label is left
// out, counted and named in the notes. Throws InputError for a path that cannot be read, a list with a bad line (its
// number), a label out of range, no pictures at all.
Dataset open_dataset(const std::filesystem::path& path, const DatasetOptions& options);

// The classes that a data set has of itself, in their order: the names of the folders that hold pictures, or the labels
// of a CSV list, sorted; where all labels of a list are numbers, 0 to the largest of them. With `labels`, the classes
// of that file by their numbers, each named by its first folder. Throws InputError as open_dataset does, for a list
// that mixes numbers and names, and for numbers that leave one out.
std::vector<std::string> classes_of_data(const std::filesystem::path& path,
                                         const std::optional<std::filesystem::path>& labels);

// The pictures of a data set without their classes (label -1): of a folder and its folders, an archive, or a list.
// Throws InputError.
std::vector<Sample> list_pictures(const std::filesystem::path& path);

// The pictures right in a folder, sorted. Throws InputError.
std::vector<std::filesystem::path> pictures_in(const std::filesystem::path& folder);

// Those and the pictures right in its subfolders, labelled or not. Throws InputError when there are none.
std::vector<std::filesystem::path> pictures_under(const std::filesystem::path& folder);

}  // namespace tessera
