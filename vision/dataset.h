#pragma once
// Lists of labelled pictures: those that picture_files.h finds, with the classes that they are of.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "vision/label_classes.h"
#include "vision/picture_files.h"
#include "vision/picture_sample.h"

namespace tessera {

struct Dataset {
  std::vector<Sample> samples;
  std::vector<std::string> notes;  // what was left out and why, for the user
  PictureSample sample;            // of all that there are, where a limit took some
};

struct DatasetOptions {
  // Class index by folder, when folders are not ImageNet wnids: JSON {"folder": index} or CSV "folder,index".
  std::optional<std::filesystem::path> labels = {};
  // Classes of pictures that lie in no class folder, as ImageNet's ILSVRC2012_val_*.JPEG: see read_ground_truth().
  std::optional<std::filesystem::path> ground_truth = {};
  // Names of the models' classes, which labels are; see label_classes.h. None: of a thousand classes ImageNet's.
  std::vector<std::string> class_names = {};
  LabelNumbers label_numbers = LabelNumbers::kUnsaid;
  int classes = 1000;          // labels must be below; 0: not checked
  std::int64_t limit = 0;      // so many pictures; 0: all
  std::int64_t per_class = 0;  // so many pictures of each class; 0: all. Taken before `limit`
  LimitOrder limit_order = LimitOrder::kSpread;
  std::uint64_t seed = 1;  // of the order spread
};

// `path` is
//   a folder of class folders (named by the models' classes, or any with options.labels),
//   a folder of pictures, with options.ground_truth,
//   an uncompressed tar archive of either, or a folder in one (photos.tar/val),
//   a CSV list "path,label" (header optional; paths relative to the list; the label the name of a class of the
//   models or of options.labels, or its index where label_numbers or a header "path,index" says so).
// What counts as a picture, and the order: vision/picture_files.h, for users docs/data.md. What has no label is left
// out, counted and named in the notes. Throws InputError for a path that cannot be read, a list with a bad line (its
// number), a label out of range, no pictures at all.
Dataset open_dataset(const std::filesystem::path& path, const DatasetOptions& options);

// The classes that a data set has of itself, in their order: the names of the folders that hold pictures, or the labels
// of a CSV list, sorted; where all labels of a list are numbers, 0 to the largest of them. With `labels`, the classes
// of that file by their numbers, each named by its first folder. Throws InputError as open_dataset does, for a list
// that mixes numbers and names, and for numbers that leave one out.
std::vector<std::string> classes_of_data(const std::filesystem::path& path,
                                         const std::optional<std::filesystem::path>& labels);

}  // namespace tessera
