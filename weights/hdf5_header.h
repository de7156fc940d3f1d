#pragma once
// Object headers: the messages in which a group or dataset describes itself. Private to weights/.
//
// Format: https://docs.hdfgroup.org/hdf5/develop/_f_m_t3.html, section IV.A.

#include "weights/hdf5_bytes.h"

namespace tessera {

struct HeaderMessage {
  std::uint64_t type = 0;
  bool shared = false;  // its content is elsewhere in the file
  std::vector<std::byte> bytes;
};

// Types of messages that decide something here.
constexpr std::uint64_t kSpaceMessage = 1, kLinkInfoMessage = 2, kTypeMessage = 3, kOldFillMessage = 4,
                        kFillMessage = 5, kLinkMessage = 6, kExternalMessage = 7, kLayoutMessage = 8,
                        kFilterMessage = 11, kContinuationMessage = 16, kGroupMessage = 17, kAttributeInfoMessage = 21,
                        kReferencesMessage = 22;

// All messages of the header at `address`, with its continuations. Throws ModelFileError.
std::vector<HeaderMessage> read_header(const InputFile& file, std::uint64_t address);

// Throws ModelFileError unless the messages make a dataset of plain numbers in this very file, contiguous or chunked,
// each message as long as libhdf5 reads it, and the chunks' index is sound.
void expect_sound_dataset(const InputFile& file, const std::vector<HeaderMessage>& messages);

}  // namespace tessera
