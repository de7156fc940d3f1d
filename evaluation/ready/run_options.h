#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "vision/preprocess.h"

namespace tessera {

// How to run a model: the common options of the command line.
struct RunOptions {
  std::string device = "auto";  // "auto", "cpu", "eigen", "cuda", "cuda:N"
  std::string isa = "auto";     // of the device cpu: "auto" or one of cpu_isas()
  bool exact = false;           // no algorithm that trades digits for speed
  bool tune = false;            // choose kernels by measuring them, once for each machine
  std::string dtype = "f32";    // what matrix products multiply: "f32", "bf16"; cpu: "int8"; cuda: "tf32", "f16"
  int threads = 1;
  std::int64_t max_batch = 1;
  std::string preprocess = "model";  // "model", "timm", "hf", "hf-fast"
  int pillow = 0;                    // the release whose resizing is followed, 12 or 13; 0: the model's
  std::optional<Sides> image_size;
  std::string timm_size;  // as in OpenOptions
  bool optimise = true;
  bool rewrite = true;  // as in CompileOptions
  bool verify_weights = true;
  std::vector<std::string> taps;
  // Takes a line about anything the user did not ask for: that "auto" could not use a GPU.
  std::function<void(const std::string&)> note;
};

}  // namespace tessera
