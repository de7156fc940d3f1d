#include "weights/known_files.h"

#include "models/family.h"

namespace tessera {

std::optional<KnownFile> find_known_file(std::string_view name, std::string_view sha256) {
  const std::string_view stem = name.substr(0, name.rfind('.'));
  for (const Family* family : families()) {
    for (const PublishedFile& row : family->files) {
      const std::string whole = std::string(row.stem) + (row.digest.empty() ? "" : "-" + std::string(row.digest));
      if (stem != whole || !sha256.starts_with(row.digest)) continue;
      Preprocess p;  // ImageNet's mean and deviation
      p.resize = row.resize;
      p.crop = row.crop;
      p.filter = row.filter;
      return KnownFile{std::string(row.origin), p};
    }
  }
  return std::nullopt;
}

}  // namespace tessera
