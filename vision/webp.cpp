#include "vision/webp.h"

#include <webp/decode.h>
#include <webp/demux.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "core/error.h"
#include "vision/pixel_limit.h"

namespace tessera {

namespace {

using Bytes = std::span<const std::byte>;
using Demuxer = std::unique_ptr<WebPDemuxer, decltype(&WebPDemuxDelete)>;
using Animation = std::unique_ptr<WebPAnimDecoder, decltype(&WebPAnimDecoderDelete)>;
using Incremental = std::unique_ptr<WebPIDecoder, decltype(&WebPIDelete)>;

constexpr std::size_t kChannels = 4;  // RGBA

[[noreturn]] void fail(const std::string& name, const std::string& reason) {
  throw InputError(name + ": damaged WebP (" + reason + ")");
}

WebPData data_of(Bytes bytes) { return {reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()}; }

// Pillow looks at the first chunk's name before it asks libwebp.
bool has_known_chunk(Bytes bytes) {
  constexpr std::size_t kAt = 12;
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (text.size() < kAt + 4) return false;
  const std::string_view chunk = text.substr(kAt, 4);
  return chunk == "VP8 " || chunk == "VP8L" || chunk == "VP8X";
}

// Reads headers alone. A file that is cut behind them is taken only when `lenient`.
Demuxer demuxer_of(Bytes bytes, const std::string& name, bool lenient) {
  const WebPData data = data_of(bytes);
  WebPDemuxState state = WEBP_DEMUX_PARSE_ERROR;
  Demuxer demuxer(WebPDemuxPartial(&data, &state), WebPDemuxDelete);
  if (demuxer == nullptr || state < WEBP_DEMUX_PARSED_HEADER) fail(name, "no readable header");
  if (state != WEBP_DEMUX_DONE && !lenient) fail(name, "the file ends too early");
  return demuxer;
}

void drop_alpha(const std::uint8_t* rgba, std::uint8_t* rgb, std::size_t pixels) {
  for (std::size_t i = 0; i < pixels; ++i, rgba += kChannels, rgb += 3) {
    rgb[0] = rgba[0];
    rgb[1] = rgba[1];
    rgb[2] = rgba[2];
  }
}

// As Pillow does for stills too.
bool decode_whole(Bytes bytes, Image& image) {
  const WebPData data = data_of(bytes);
  const Animation animation(WebPAnimDecoderNew(&data, nullptr), WebPAnimDecoderDelete);
  std::uint8_t* canvas = nullptr;
  int end = 0;
  if (animation == nullptr || WebPAnimDecoderGetNext(animation.get(), &canvas, &end) == 0) return false;
  drop_alpha(canvas, image.pixels.data(), image.pixels.size() / 3);
  return true;
}

// The rows of the first frame that its data reaches.
void decode_part(const WebPDemuxer* demuxer, Image& image) {
  WebPIterator frame;
  if (WebPDemuxGetFrame(demuxer, 1, &frame) == 0) return;
  const auto width = static_cast<std::size_t>(frame.width), height = static_cast<std::size_t>(frame.height);
  const auto left = static_cast<std::size_t>(frame.x_offset), top = static_cast<std::size_t>(frame.y_offset);
  const Bytes data(reinterpret_cast<const std::byte*>(frame.fragment.bytes), frame.fragment.size);
  const bool fits =
      left + width <= static_cast<std::size_t>(image.width) && top + height <= static_cast<std::size_t>(image.height);
  WebPDemuxReleaseIterator(&frame);
  if (!fits || width == 0 || height == 0) return;
  std::vector<std::uint8_t> rgba(width * height * kChannels);
  const Incremental decoder(WebPINewRGB(MODE_RGBA, rgba.data(), rgba.size(), static_cast<int>(width * kChannels)),
                            WebPIDelete);
  if (decoder == nullptr) return;
  WebPIUpdate(decoder.get(), reinterpret_cast<const std::uint8_t*>(data.data()), data.size());
  for (std::size_t y = 0; y < height; ++y) {
    drop_alpha(rgba.data() + y * width * kChannels, image.row(static_cast<int>(top + y)) + left * 3, width);
  }
}

}  // namespace

Image webp_decode(Bytes bytes, const std::string& name, const DecodeOptions& options) {
  if (!has_known_chunk(bytes)) fail(name, "no readable header");
  const Demuxer demuxer = demuxer_of(bytes, name, options.lenient);
  const auto width = static_cast<std::int64_t>(WebPDemuxGetI(demuxer.get(), WEBP_FF_CANVAS_WIDTH));
  const auto height = static_cast<std::int64_t>(WebPDemuxGetI(demuxer.get(), WEBP_FF_CANVAS_HEIGHT));
  check_pixels(width, height, name, options);
  Image image = blank_image(width, height, name);
  if (!decode_whole(bytes, image)) {
    if (!options.lenient) fail(name, "libwebp cannot decode the picture");
    decode_part(demuxer.get(), image);
  }
  return image;
}

}  // namespace tessera
