#pragma once
// A model ready to run: weights, compiled program, session, preprocessing, labels.

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "engine/program.h"
#include "vision/image.h"
#include "weights/model_source.h"

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
  std::optional<int> image_size;
  bool optimise = true;
  bool rewrite = true;  // as in CompileOptions
  bool verify_weights = true;
  std::vector<std::string> taps;
  // Takes a line about anything the user did not ask for: that "auto" could not use a GPU.
  std::function<void(const std::string&)> note;
};

// The backend for options.device, for a model with that card. Throws UsageError for an unknown name or a dtype that the
// device or model does not support, DeviceError for a device or instruction set that this build or machine does not
// have.
std::unique_ptr<Backend> make_backend(const RunOptions& options, const ModelCard& card);

// The instruction set of a device's kernels ("cpu", "eigen", "cuda"); "" for a device that has none. Logits differ in
// their last digits between instruction sets.
std::string isa_in_use(const RunOptions& options, std::string_view device);
// SHA-256 of the names of the kernels that compute the nodes. It identifies what --tune chose on this machine.
std::string kernels_sha256(const Program& program);

// The card's preprocessing. Its sizes, filter, mean and deviation always hold; "timm", "hf" and "hf-fast" replace the
// card's way of resizing and rounding; `pillow` as in RunOptions. Throws UsageError for another choice.
Preprocess choose_preprocess(const ModelCard& card, const std::string& choice, int pillow = 0);

struct ClassProbability {
  int index = -1;
  double probability = 0;  // 0 to 1
};

// "logit 3 of 1000 is nan" for the first logit that is NaN or infinite, "" where there is none.
std::string fault_of_logits(std::span<const float> logits);
// Softmax of the logits in float64. Throws ModelFileError naming the first logit that is NaN or infinite, since nothing
// follows from it.
std::vector<double> probabilities(std::span<const float> logits);
// The `count` largest, in descending order; of equal ones the smaller index first.
std::vector<ClassProbability> top(std::span<const double> probabilities, std::size_t count);

// Not thread-safe.
class Classifier {
 public:
  Classifier(const std::string& model, const RunOptions& options);
  Classifier(OpenedModel model, const RunOptions& options);
  Classifier(LoadedModel model, const RunOptions& options);

  const ModelCard& card() const noexcept { return card_; }
  const Program& program() const { return session_->program(); }
  Session& session() noexcept { return *session_; }
  // Side of the square picture that is the model's input.
  int image_size() const { return card_.preprocess.output_size(); }
  // Width of the output: classes, or features of a model without a head.
  std::int64_t outputs() const;
  bool has_classes() const { return class_count(card_.config) > 0; }
  // The time from opening the file to being ready to run, and its parts.
  double load_ms() const noexcept { return load_ms_; }

  // A buffer for `max_batch` preprocessed pictures, [max_batch, S, S, 3].
  View input(std::int64_t batch);
  // Preprocesses into place `index` of the input.
  void preprocess(const Image& image, std::int64_t index);
  // Runs the first `batch` pictures; [batch, outputs], valid until the next run.
  ConstView run(std::int64_t batch);
  // The same for pictures that were preprocessed elsewhere, of input_shape(batch), batch <= max_batch.
  ConstView run(ConstView pictures) { return session_->run(pictures); }
  Shape input_shape(std::int64_t batch) const;

 private:
  ModelCard card_;
  std::unique_ptr<Session> session_;
  Tensor input_;
  double load_ms_ = 0;
};

}  // namespace tessera
