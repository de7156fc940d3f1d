// Decoding, resizing and whole preprocessing, one thread.
//
//   vision_bench                                      on a synthetic 500x375 photo
//   TESSERA_BENCH_PICTURES=DIR vision_bench           on the first 100 pictures below DIR (files sorted by path)
//
// An iteration treats every picture once; "images/s" is the rate. bench/vision_pillow.py times the same work in Pillow.

#include <benchmark/benchmark.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

// After <cstdio>, which it needs.
#include <jpeglib.h>

#include "vision/decode.h"
#include "vision/preprocess.h"
#include "vision/resize.h"

namespace tessera {
namespace {

namespace fs = std::filesystem;
using File = std::vector<std::byte>;

Image synthetic_photo() {
  Image image{500, 375, {}};
  for (int y = 0; y < image.height; ++y) {
    for (int x = 0; x < image.width; ++x) {
      const int texture = (x * 37 + y * 71 + x * y * 13) % 61;
      image.pixels.push_back(static_cast<std::uint8_t>((x / 2 + texture) % 256));
      image.pixels.push_back(static_cast<std::uint8_t>((y / 2 + texture) % 256));
      image.pixels.push_back(static_cast<std::uint8_t>((x / 9 + y / 7) % 2 * 150 + texture));
    }
  }
  return image;
}

File encode_jpeg(Image image) {
  jpeg_compress_struct info{};
  jpeg_error_mgr errors{};
  info.err = jpeg_std_error(&errors);
  jpeg_create_compress(&info);
  unsigned char* buffer = nullptr;
  unsigned long size = 0;
  jpeg_mem_dest(&info, &buffer, &size);
  info.image_width = static_cast<JDIMENSION>(image.width);
  info.image_height = static_cast<JDIMENSION>(image.height);
  info.input_components = 3;
  info.in_color_space = JCS_RGB;
  jpeg_set_defaults(&info);
  jpeg_set_quality(&info, 90, TRUE);
  jpeg_start_compress(&info, TRUE);
  while (info.next_scanline < info.image_height) {
    JSAMPROW row = image.row(static_cast<int>(info.next_scanline));
    jpeg_write_scanlines(&info, &row, 1);
  }
  jpeg_finish_compress(&info);
  const auto* bytes = reinterpret_cast<const std::byte*>(buffer);
  File file(bytes, bytes + size);
  std::free(buffer);
  jpeg_destroy_compress(&info);
  return file;
}

// The pictures of all benchmarks, read once.
const std::vector<File>& files() {
  static const std::vector<File> read = [] {
    constexpr std::size_t kLargestCount = 100;
    std::vector<File> found;
    if (const char* folder = std::getenv("TESSERA_BENCH_PICTURES")) {
      std::vector<fs::path> paths;
      for (const auto& entry : fs::recursive_directory_iterator(folder)) {
        const std::string ending = entry.path().extension().string();
        if (ending == ".jpg" || ending == ".jpeg" || ending == ".JPEG" || ending == ".png")
          paths.push_back(entry.path());
      }
      std::ranges::sort(paths);
      paths.resize(std::min(paths.size(), kLargestCount));
      for (const fs::path& path : paths) found.push_back(read_picture_file(path));
    }
    if (found.empty()) found.push_back(encode_jpeg(synthetic_photo()));
    return found;
  }();
  return read;
}

const std::vector<Image>& pictures() {
  static const std::vector<Image> decoded = [] {
    std::vector<Image> images;
    for (const File& file : files()) images.push_back(decode(file, "picture"));
    return images;
  }();
  return decoded;
}

constexpr std::array<float, 3> kImageNetMean{0.485F, 0.456F, 0.406F};
constexpr std::array<float, 3> kImageNetStd{0.229F, 0.224F, 0.225F};
constexpr std::array<float, 3> kHalf{0.5F, 0.5F, 0.5F};

Preprocess timm_resnet50() { return Preprocess::timm(224, 0.95, Filter::kBicubic, kImageNetMean, kImageNetStd); }
Preprocess hf_vit() { return Preprocess::hf_squash(224, Filter::kBilinear, kHalf, kHalf); }
Preprocess hf_fast_vit() {
  return Preprocess::hf_squash(224, Filter::kBilinear, kHalf, kHalf, PreprocessFlavour::kHfFast);
}

void count_images(benchmark::State& state, std::size_t images) {
  state.counters["images/s"] = benchmark::Counter(static_cast<double>(state.iterations()) * static_cast<double>(images),
                                                  benchmark::Counter::kIsRate);
}

void decode_all(benchmark::State& state, Decoder decoder) {
  for (auto _ : state) {
    for (const File& file : files())
      benchmark::DoNotOptimize(decode(file, "picture", {.decoder = decoder}).pixels.data());
  }
  count_images(state, files().size());
}

void resize_all(benchmark::State& state, Filter filter) {
  for (auto _ : state) {
    for (const Image& image : pictures()) {
      benchmark::DoNotOptimize(resize_pillow(image, 256, 256, filter).pixels.data());
    }
  }
  count_images(state, pictures().size());
}

void preprocess_all(benchmark::State& state, const Preprocess& preprocess) {
  const Sides size = preprocess.output_size();
  Tensor output(Shape{1, size.height, size.width, 3});
  for (auto _ : state) {
    for (const Image& image : pictures()) preprocess_image(image, preprocess, output.view());
    benchmark::DoNotOptimize(output.view().data());
  }
  count_images(state, pictures().size());
}

void decode_and_preprocess_all(benchmark::State& state, const Preprocess& preprocess) {
  const Sides size = preprocess.output_size();
  Tensor output(Shape{1, size.height, size.width, 3});
  for (auto _ : state) {
    for (const File& file : files()) preprocess_image(decode(file, "picture"), preprocess, output.view());
    benchmark::DoNotOptimize(output.view().data());
  }
  count_images(state, files().size());
}

BENCHMARK_CAPTURE(decode_all, libjpeg_turbo, Decoder::kAuto)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(decode_all, stb, Decoder::kStb)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(resize_all, bilinear, Filter::kBilinear)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(resize_all, bicubic, Filter::kBicubic)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(resize_all, lanczos, Filter::kLanczos)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(preprocess_all, timm_resnet50, timm_resnet50())->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(preprocess_all, hf_vit, hf_vit())->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(preprocess_all, hf_fast_vit, hf_fast_vit())->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(decode_and_preprocess_all, timm_resnet50, timm_resnet50())->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(decode_and_preprocess_all, hf_vit, hf_vit())->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace tessera

BENCHMARK_MAIN();
