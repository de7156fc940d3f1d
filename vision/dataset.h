#pragma once
// Lists of labelled pictures: those that picture_files.h finds, with their classes.

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
  PictureSample sample;            // which pictures a limit has selected
};

struct DatasetOptions {
  // Class index by folder, when folders are not ImageNet wnids: JSON {"folder": index} or CSV "folder,index".
  std::optional<std::filesystem::path> labels = {};
  // Classes of pictures outside class folders, such as ImageNet's ILSVRC2012_val_*.JPEG: see read_ground_truth().
  std::optional<std::filesystem::path> ground_truth = {};
  // Names of the models' classes, by which labels are matched; see label_classes.h. Empty: ImageNet's for a thousand
  // classes.
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
// vision/picture_files.h says what counts as a picture, and in which order; docs/data.md says it for users. Pictures
// without a label are left out, counted and named in the notes. Throws InputError for a path that cannot be read, a bad
// line of a list (with its number), a label out of range, or no pictures at all.
Dataset open_dataset(const std::filesystem::path& path, const DatasetOptions& options);

// The data set's own classes, in their order: the sorted names of the folders that hold pictures, or the sorted labels
// of a CSV list; where all labels of a list are numbers, 0 to the largest of them. With `labels`, the classes of that
// file in the order of their numbers, each named after its first folder. Throws InputError as open_dataset does, for a
// list that mixes numbers and names, and for numbers that leave one out.
std::vector<std::string> classes_of_data(const std::filesystem::path& path,
                                         const std::optional<std::filesystem::path>& labels);

}  // namespace tessera
