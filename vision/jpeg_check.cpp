#include "vision/jpeg_check.h"

#include <array>

#include "core/error.h"
#include "vision/picture_bytes.h"

namespace tessera {

namespace {

using Bytes = std::span<const std::byte>;

enum Marker : int { kSof0 = 0xC0, kSof1 = 0xC1, kSof2 = 0xC2, kDht = 0xC4, kEoi = 0xD9, kSos = 0xDA, kDqt = 0xDB };

class SegmentWalk {
 public:
  SegmentWalk(Bytes bytes, const std::string& name) : bytes_(bytes), name_(name) {}

  void run() {
    at_ = 2;  // behind the start marker
    bool scanned = false;
    for (;;) {
      const int marker = next_marker();
      if (marker == kEoi || marker < 0) break;
      const Bytes segment = next_segment();
      if (is_other_frame(marker)) {
        PictureBytes(bytes_, name_, "JPEG").unsupported("of the process SOF" + std::to_string(marker - kSof0));
      }
      if (marker == kSof0 || marker == kSof1 || marker == kSof2) read_frame(segment, marker == kSof2);
      if (marker == kDht) read_huffman_tables(segment);
      if (marker == kDqt) read_quantisation_tables(segment);
      if (marker == kSos) {
        check_scan(segment);
        skip_entropy_coded_data();
        scanned = true;
      }
    }
    if (!scanned) fail("it has no scan");
  }

 private:
  [[noreturn]] void fail(const std::string& reason) const {
    throw InputError(name_ + ": damaged JPEG (" + reason + ")");
  }
  // Lossless, hierarchical, arithmetic: what stb_image does not have.
  static bool is_other_frame(int marker) {
    constexpr int kJpg = 0xC8, kDac = 0xCC, kLastFrame = 0xCF;
    return marker > kSof2 && marker <= kLastFrame && marker != kDht && marker != kJpg && marker != kDac;
  }
  static int value(Bytes bytes, std::size_t at) { return std::to_integer<int>(bytes[at]); }

  // The code of the next marker, or -1 at the end of the file. Bytes in front of it are stepped over, as stb_image and
  // libjpeg do.
  int next_marker() {
    while (at_ < bytes_.size() && value(bytes_, at_) != 0xFF) ++at_;
    while (at_ < bytes_.size() && value(bytes_, at_) == 0xFF) ++at_;
    return at_ < bytes_.size() ? value(bytes_, at_++) : -1;
  }

  // What is behind the length.
  Bytes next_segment() {
    if (bytes_.size() - at_ < 2) fail("a segment reaches beyond the end of the file");
    const std::size_t length =
        std::to_integer<std::size_t>(bytes_[at_]) * 256 + std::to_integer<std::size_t>(bytes_[at_ + 1]);
    if (length < 2 || length > bytes_.size() - at_) fail("a segment reaches beyond the end of the file");
    const Bytes segment = bytes_.subspan(at_ + 2, length - 2);
    at_ += length;
    return segment;
  }

  // Up to the next marker that is none of restart and stuffing.
  void skip_entropy_coded_data() {
    for (; at_ + 1 < bytes_.size(); ++at_) {
      const int code = value(bytes_, at_ + 1);
      const bool inside = code == 0x00 || code == 0xFF || (code >= 0xD0 && code <= 0xD7);
      if (value(bytes_, at_) == 0xFF && !inside) return;
    }
    at_ = bytes_.size();
  }

  void read_frame(Bytes segment, bool progressive) {
    constexpr std::size_t kFixed = 6, kEach = 3;
    const std::size_t count = segment.size() < kFixed ? 0 : static_cast<std::size_t>(value(segment, kFixed - 1));
    if (components_ > 0 || count == 0 || count > frame_.size() || segment.size() != kFixed + kEach * count) {
      fail("a bad frame header");
    }
    components_ = count;
    progressive_ = progressive;
    for (std::size_t i = 0; i < count; ++i) {
      frame_[i] = static_cast<std::size_t>(value(segment, kFixed + i * kEach + 2));
      if (frame_[i] >= quantisation_.size()) fail("a bad frame header");
    }
  }

  void read_huffman_tables(Bytes segment) {
    constexpr std::size_t kHeader = 17;  // class and number, then how many codes there are of 1 to 16 bits
    while (!segment.empty()) {
      const int kind = segment.size() < kHeader ? 0xFF : value(segment, 0);
      if ((kind >> 4) > 1 || (kind & 15) > 3) fail("a bad Huffman table");
      std::size_t codes = 0;
      for (std::size_t length = 1; length < kHeader; ++length)
        codes += static_cast<std::size_t>(value(segment, length));
      if (codes > 256 || segment.size() - kHeader < codes) fail("a bad Huffman table");
      huffman_[static_cast<std::size_t>(kind >> 4)][static_cast<std::size_t>(kind & 15)] = true;
      segment = segment.subspan(kHeader + codes);
    }
  }

  void read_quantisation_tables(Bytes segment) {
    while (!segment.empty()) {
      const int kind = value(segment, 0);
      const std::size_t length = (kind >> 4) == 0 ? 65 : 129;
      if ((kind >> 4) > 1 || (kind & 15) > 3 || segment.size() < length) fail("a bad quantisation table");
      quantisation_[static_cast<std::size_t>(kind & 15)] = true;
      segment = segment.subspan(length);
    }
  }

  void check_scan(Bytes segment) const {
    const std::size_t count = segment.empty() ? 0 : static_cast<std::size_t>(value(segment, 0));
    if (count == 0 || count > components_ || segment.size() != 4 + 2 * count) fail("a bad scan header");
    const bool first_is_dc = value(segment, 1 + 2 * count) == 0;
    for (std::size_t i = 0; i < count; ++i) {
      const auto tables = static_cast<std::size_t>(value(segment, 2 + 2 * i));
      if ((tables >> 4) > 3 || (tables & 15) > 3) fail("a bad scan header");
      const bool needs_dc = !progressive_ || first_is_dc;
      const bool needs_ac = !progressive_ || !first_is_dc;
      if ((needs_dc && !huffman_[0][tables >> 4]) || (needs_ac && !huffman_[1][tables & 15])) {
        fail("a scan without its Huffman table");
      }
    }
    for (std::size_t i = 0; i < components_; ++i) {
      if (!quantisation_[frame_[i]]) fail("a scan without its quantisation table");
    }
  }

  Bytes bytes_;
  const std::string& name_;
  std::size_t at_ = 0;
  bool progressive_ = false;
  std::size_t components_ = 0;                    // of the frame; 0 before it
  std::array<std::size_t, 4> frame_{};            // number of the quantisation table of each component
  std::array<std::array<bool, 4>, 2> huffman_{};  // declared so far, [DC, AC]
  std::array<bool, 4> quantisation_{};
};

}  // namespace

void check_jpeg_segments(std::span<const std::byte> bytes, const std::string& name) { SegmentWalk(bytes, name).run(); }

}  // namespace tessera
