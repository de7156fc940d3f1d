#pragma once
// Small pictures for pages, from the data set where it can still be read.

#include <map>
#include <span>
#include <string>

#include "vision/dataset.h"

namespace tessera {

class Thumbnails {
 public:
  // `pictures` are what rows that do not know their own path are looked up in, by folder and name or, where only one
  // has it, by name. They must outlive this.
  explicit Thumbnails(std::span<const Sample> pictures);

  // The picture, at most 160 pixels wide and high, as a data URI of a JPEG; "" where it is not there or is damaged.
  std::string uri(const Sample& sample) const;

 private:
  const Sample* find(const Sample& sample) const;
  std::map<std::string, const Sample*> by_path_, by_name_;  // a null pointer: several have the name
};

}  // namespace tessera
