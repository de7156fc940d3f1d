#include "vision/prepare.h"

#include <zlib.h>

#include <new>

#include "core/clock.h"
#include "core/error.h"

namespace tessera {

namespace {

// What makes sure of the contents counts in no time: it is not the pipeline's work.
Image load(PreparedPicture& picture, const DecodeOptions& options) {
  const auto start = Clock::now();
  const std::vector<std::byte> bytes = read_picture(picture.sample);
  picture.read_ms = ms_since(start);
  Image image = decode(bytes, where(picture.sample), options);
  picture.load_ms = ms_since(start);
  picture.contents = contents_of(bytes);
  return image;
}

}  // namespace

std::int64_t contents_of(std::span<const std::byte> bytes) {
  return static_cast<std::int64_t>(::crc32_z(0, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
}

Tensor input_for(const Preprocess& preprocess, std::int64_t batch) {
  const Sides size = preprocess.output_size();
  return Tensor::zeros({batch, size.height, size.width, 3});
}

PreparedBatch make_batch(std::span<const Preprocess> models, std::int64_t pictures) {
  PreparedBatch batch;
  for (const Preprocess& preprocess : models) batch.inputs.push_back(input_for(preprocess, pictures));
  return batch;
}

void prepare_picture(std::span<const Preprocess> models, const Sample& sample, std::int64_t number,
                     const DecodeOptions& options, PreparedBatch& batch, std::size_t place) {
  PreparedPicture& picture = batch.pictures[place];
  const auto start = Clock::now();
  const auto fail = [&](const std::string& reason) {
    picture.number = number;
    picture.sample = sample;
    picture.error = reason;
    picture.preprocess_ms.clear();
    if (picture.load_ms == 0) picture.load_ms = ms_since(start);
  };
  try {
    picture = {.number = number, .sample = sample};
    const Image image = load(picture, options);
    for (std::size_t m = 0; m < models.size(); ++m) {
      const auto begin = Clock::now();
      preprocess_image(image, models[m], batch.inputs[m].view().slice(static_cast<std::int64_t>(place)));
      picture.preprocess_ms.push_back(ms_since(begin));
    }
  } catch (const InputError& error) {
    fail(error.what());
  } catch (const ResourceError& error) {  // what this picture needed is free again, and the next may need less
    fail(error.what());
  } catch (const std::bad_alloc&) {
    fail(where(sample) + ": not enough memory to prepare the picture");
  }
}

}  // namespace tessera
