#pragma once
// Reads the links of a group, in each of the formats that HDF5 has for them. Private to weights/.
//
// Format: https://docs.hdfgroup.org/hdf5/develop/_f_m_t3.html, sections III.A to III.G.

#include <map>
#include <string>

#include "weights/hdf5_header.h"

namespace tessera {

struct Hdf5Link {
  bool hard = false;          // soft and external links may lead out of the file
  std::uint64_t address = 0;  // of a hard link: the header of what it leads to
};
using Hdf5LinkMap = std::map<std::string, Hdf5Link>;

// Every link of the group whose header this is. Nothing behind them is looked at. Throws ModelFileError.
Hdf5LinkMap read_links(const InputFile& file, const std::vector<HeaderMessage>& header);

// One link in the newer format, as it stands in a header or a heap.
void read_link(Hdf5Bytes message, Hdf5LinkMap& links);
// The links of a group with many of them in the newer format: a heap of links and a B-tree of their places.
void read_dense_links(const InputFile& file, std::uint64_t heap, std::uint64_t tree, Hdf5LinkMap& links);

}  // namespace tessera
