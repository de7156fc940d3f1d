#include "core/file.h"

#include <fstream>

#include "core/error.h"
#include "core/output_file.h"

namespace tessera {

std::string read_file(const std::filesystem::path& path, std::uintmax_t most) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error)) {
    throw InputError(path.string() + ": no such file, or not a regular one");
  }
  const std::uintmax_t size = std::filesystem::file_size(path, error);
  if (error) throw InputError(path.string() + ": cannot be read (" + error.message() + ")");
  if (size > most) {
    throw InputError(path.string() + ": too large (" + std::to_string(size) + " bytes; at most " +
                     std::to_string(most) + ")");
  }
  std::string text(static_cast<std::size_t>(size), '\0');
  std::ifstream file(path, std::ios::binary);
  if (!file.read(text.data(), static_cast<std::streamsize>(size))) throw InputError(path.string() + ": cannot be read");
  return text;
}

void write_file(const std::filesystem::path& path, const std::string& text) {
  OutputFile file(path);
  file.write(text);
  file.commit();
}

void make_folder(const std::filesystem::path& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  std::error_code ignored;
  if (!std::filesystem::is_directory(folder, ignored)) {
    throw ResourceError(folder.string() + ": cannot be made (" + (error ? error : ignored).message() + ")");
  }
}

}  // namespace tessera
