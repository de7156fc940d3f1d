#include "core/npy.h"

#include <bit>
#include <string>

#include "core/file.h"

namespace tessera {

static_assert(std::endian::native == std::endian::little, "values are written as they lie in memory");

void write_npy(const std::filesystem::path& path, ConstView values) {
  std::string header = "{'descr': '<f4', 'fortran_order': False, 'shape': (";
  for (const std::int64_t length : values.shape().dimensions()) header += std::to_string(length) + ", ";
  header += "), }";
  constexpr std::size_t kPreamble = 10, kAlignment = 64;  // magic, version, length of the header
  header.append(kAlignment - (kPreamble + header.size() + 1) % kAlignment, ' ');
  header += '\n';
  std::string text("\x93NUMPY\x01\x00", 8);
  text += static_cast<char>(header.size() & 0xFFU);
  text += static_cast<char>(header.size() >> 8U);
  text += header;
  text.append(reinterpret_cast<const char*>(values.data()), static_cast<std::size_t>(values.count()) * sizeof(float));
  write_file(path, text);
}

}  // namespace tessera
