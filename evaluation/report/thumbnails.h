#pragma once
// Makes small pictures for pages from the data set, where it can still be read.

#include <map>
#include <span>
#include <string>

#include "vision/dataset.h"

namespace tessera {

class Thumbnails {
 public:
  // Rows without a path are looked up in `pictures`, by folder and name or, where it is unique, by name. `pictures`
  // must outlive this object.
  explicit Thumbnails(std::span<const Sample> pictures);

  // The picture, at most 160 pixels wide and high, as a data URI of a JPEG; "" where it is missing,
  // damaged or too large for the memory that there is.
  std::string uri(const Sample& sample) const;

 private:
  const Sample* find(const Sample& sample) const;
  std::map<std::string, const Sample*> by_path_, by_name_;  // null: several have the name
};

}  // namespace tessera
