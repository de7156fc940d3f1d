#pragma once
// A picture's way from its file to the inputs of one or several models, with what each step took.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/tensor.h"
#include "vision/decode.h"
#include "vision/picture_files.h"
#include "vision/preprocess.h"

namespace tessera {

struct PreparedPicture {
  std::int64_t number = 0;  // in the data set
  Sample sample;
  std::string error;           // not empty: it could not be read, and this is why; its inputs are not to be looked at
  std::int64_t contents = -1;  // contents_of() its file; -1 where it could not be read
  double read_ms = 0;
  double load_ms = 0;                 // read and decode
  std::vector<double> preprocess_ms;  // by model
};

// Pictures that run together, with the input of each model.
struct PreparedBatch {
  std::vector<PreparedPicture> pictures;
  std::vector<Tensor> inputs;  // by model, [batch, H, W, 3]; the last batch fills only its first rows
};

// CRC-32 (zlib) of a picture's file.
std::int64_t contents_of(std::span<const std::byte> bytes);

// Zeros for `batch` pictures, [batch, H, W, 3].
Tensor input_for(const Preprocess& preprocess, std::int64_t batch);
// No pictures, and inputs with room for so many; `models` says how each wants them.
PreparedBatch make_batch(std::span<const Preprocess> models, std::int64_t pictures);

// Reads, decodes and preprocesses one picture into place `place` of the batch, which has a place for it. A picture that
// cannot be read, or for which there is not enough memory, gets an error.
void prepare_picture(std::span<const Preprocess> models, const Sample& sample, std::int64_t number,
                     const DecodeOptions& options, PreparedBatch& batch, std::size_t place);

}  // namespace tessera
