#pragma once
// Whether the frame of a JPEG file is sound enough for stb_image 2.27, which trusts it: it writes beyond its table when
// a file declares more than 256 Huffman codes and reads beyond it when a scan names a table that no one declared.

#include <cstddef>
#include <span>
#include <string>

namespace tessera {

// Walks over the segments (ITU-T T.81, B.2) up to the end marker or the end of the file. Throws InputError "<name>:
// ..." for a segment that reaches beyond the file, a bad Huffman table, a scan whose tables are not there, no scan at
// all.
void check_jpeg_segments(std::span<const std::byte> bytes, const std::string& name);

}  // namespace tessera
