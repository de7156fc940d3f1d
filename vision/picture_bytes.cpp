#include "vision/picture_bytes.h"

#include <algorithm>

#include "core/error.h"

namespace tessera {

std::span<const std::byte> PictureBytes::part(std::size_t at, std::size_t length) const {
  if (at > bytes_.size() || length > bytes_.size() - at) damaged("the file ends too early");
  return bytes_.subspan(at, length);
}

std::span<const std::byte> PictureBytes::part_within(std::size_t at, std::size_t length) const {
  const std::size_t begin = std::min(at, bytes_.size());
  return bytes_.subspan(begin, std::min(length, bytes_.size() - begin));
}

void PictureBytes::damaged(const std::string& reason) const {
  throw InputError(name_ + ": damaged " + kind_ + " (" + reason + ")");
}

void PictureBytes::unsupported(const std::string& what) const {
  throw InputError(name_ + ": a " + kind_ + " " + what + " is not supported; convert it to PNG");
}

}  // namespace tessera
