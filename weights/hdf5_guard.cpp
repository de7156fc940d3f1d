#include "weights/hdf5_guard.h"

#include <algorithm>

#include "core/error.h"

namespace tessera {

namespace {

[[noreturn]] void refuse_superblock() {
  throw ModelFileError("its superblock is damaged, or has other than 8-byte offsets");
}

// Checks the copy of the root group's symbol table in the older superblock, where there is one: libhdf5 may read it
// from there.
void check_cached_root(Hdf5Bytes entry, const std::vector<HeaderMessage>& header) {
  constexpr std::uint64_t kNothing = 0, kSymbolTable = 1;
  const std::uint64_t kind = number(entry, 16, 4);
  if (kind == kNothing) return;
  const auto table = std::ranges::find(header, kGroupMessage, &HeaderMessage::type);
  if (kind != kSymbolTable || table == header.end() || number(entry, 24, 8) != number(table->bytes, 0, 8) ||
      number(entry, 32, 8) != number(table->bytes, 8, 8)) {
    refuse_header();
  }
}

void expect_whole(const InputFile& file, std::uint64_t end) {
  if (end > file.bytes()) throw ModelFileError("is cut off, or was not closed by its writer");
  if (end < file.bytes()) throw ModelFileError("goes on after the end that its superblock names; it is damaged");
}

}  // namespace

Hdf5Guard::Hdf5Guard(const InputFile& file) : file_(file) {
  constexpr std::uint64_t kShortest = 48, kOldest = 96;
  if (file.bytes() == 0) throw ModelFileError("is empty");
  if (file.bytes() < kShortest) throw ModelFileError("is not an HDF5 file, or is cut off");
  const std::vector<std::byte> block = read_block(file, 0, std::min(file.bytes(), kOldest + 4));
  if (!starts_with(block, "\x89HDF\r\n\x1a\n")) throw ModelFileError("is not an HDF5 file, or is cut off");
  const std::uint64_t version = number(block, 8, 1);
  if (version > 3) refuse_superblock();
  const bool old = version < 2;
  const std::size_t sizes = old ? 13 : 9;
  if (number(block, sizes, 1) != 8 || number(block, sizes + 1, 1) != 8) refuse_superblock();
  // Addresses of the file's beginning, of what we do not read (free space; the superblock's extension), and of the
  // file's end.
  const std::uint64_t at = version == 0 ? 24 : (version == 1 ? 28 : 12);
  const std::uint64_t beginning = number(block, at, 8), extension = number(block, at + 8, 8);
  if (beginning != 0 || (!old && extension != kNoAddress)) refuse_superblock();
  expect_whole(file, number(block, at + 16, 8));
  if (old && number(block, at + 24, 8) != kNoAddress) refuse_superblock();  // a driver's own data
  root_ = old ? number(block, at + 40, 8) : number(block, at + 24, 8);
  const std::vector<HeaderMessage> header = read_header(file, root_);
  if (old) check_cached_root(part(block, at + 32, 40), header);
  groups_.emplace(root_, read_links(file, header));
}

const Hdf5LinkMap& Hdf5Guard::links_at(std::uint64_t address) {
  const auto found = groups_.find(address);
  if (found != groups_.end()) return found->second;
  return groups_.emplace(address, read_links(file_, read_header(file_, address))).first->second;
}

// Every step of the path must be a hard link.
std::uint64_t Hdf5Guard::find(const std::string& path) {
  std::uint64_t address = root_;
  std::size_t begin = 0;
  while (begin < path.size()) {
    const std::size_t end = std::min(path.find('/', begin), path.size());
    if (end > begin) {
      const Hdf5LinkMap& links = links_at(address);
      const auto link = links.find(path.substr(begin, end - begin));
      if (link == links.end()) throw ModelFileError("missing");
      if (!link->second.hard) {
        throw ModelFileError("is a soft or external link; only data in the file itself is read");
      }
      address = link->second.address;
    }
    begin = end + 1;
  }
  return address;
}

std::uint64_t Hdf5Guard::find_dataset(const std::string& path) {
  const std::uint64_t address = find(path);
  expect_sound_dataset(file_, read_header(file_, address));
  return address;
}

const Hdf5LinkMap& Hdf5Guard::links(const std::string& group) { return links_at(find(group)); }

}  // namespace tessera
