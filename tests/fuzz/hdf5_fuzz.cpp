// HDF5's own structures, in files of a few kilobytes: what each name leads to, and where its values lie.
#include <algorithm>
#include <array>
#include <random>
#include <vector>

#include "tests/fuzz/fuzz.h"
#include "weights/hdf5.h"

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t max_size);

// Much of a small file is room between its structures. Half of all changes are to a number within one: at some place
// shortly behind a signature, or in what is not zero.
extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t max_size,
                                               unsigned seed) {
  std::minstd_rand random(seed);
  const auto below = [&](std::size_t bound) { return random() % bound; };
  if (size < 96 || below(2) == 0) return LLVMFuzzerMutate(data, size, max_size);
  constexpr std::array<std::string_view, 13> kSignatures{"OHDR", "OCHK", "FAHD", "FADB", "TREE", "SNOD", "HEAP",
                                                         "FRHP", "FHDB", "FHIB", "BTHD", "BTLF", "BTIN"};
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  std::vector<std::size_t> places;
  for (const std::string_view signature : kSignatures) {
    for (std::size_t at = text.find(signature); at != text.npos; at = text.find(signature, at + 1)) {
      places.push_back(at + 4 + below(160));
    }
  }
  for (std::size_t i = 0; i < 64; ++i) {
    const std::size_t at = below(size);
    if (data[at] != 0) places.push_back(at);
  }
  if (places.empty()) return LLVMFuzzerMutate(data, size, max_size);
  const std::size_t at = std::min(places[below(places.size())], size - 8);
  constexpr std::array<std::uint8_t, 8> kBytes{0, 1, 2, 3, 8, 16, 127, 255};
  switch (below(4)) {
    case 0:
      data[at] = static_cast<std::uint8_t>(data[at] + (below(2) == 0 ? 1 : 255));
      break;
    case 1:
      data[at] = kBytes[below(kBytes.size())];
      break;
    case 2:
      data[at] = static_cast<std::uint8_t>(random());
      break;
    default:  // a number of eight bytes: within the file, or a power of two
      std::fill_n(data + at, 8, std::uint8_t{0});
      if (below(2) == 0) {
        data[at] = static_cast<std::uint8_t>(random());
        data[at + 1] = static_cast<std::uint8_t>(below(1 + (size >> 8)));
      } else {
        data[at + below(8)] = static_cast<std::uint8_t>(1U << below(8));
      }
  }
  return size;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tessera;
  const fuzz::MemoryFile file(data, size);
  bool accepted = false;
  static_cast<void>(fuzz::expect_answer([&] {
    const Hdf5Reader reader(file.path());
    for (const std::string& name : reader.links("/", 16).names) {
      for (const Hdf5Type type : {Hdf5Type::kUint8, Hdf5Type::kFloat32}) {
        accepted |= fuzz::expect_answer([&] {
          const Hdf5Dataset found = reader.locate_vector("/" + name, type, -1);
          if (found.shape.count() > 1 << 20) return;
          std::vector<std::byte> values(static_cast<std::size_t>(found.shape.count()) * size_of(type));
          reader.read(found, values.data());
        });
      }
    }
  }));
  return fuzz::verdict(accepted);
}
