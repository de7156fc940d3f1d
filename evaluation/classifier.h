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

// How a model is to be run; what the common options of the command line say.
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
  std::string timm_size;  // as OpenOptions has it
  bool optimise = true;
  bool rewrite = true;  // as CompileOptions has them
  bool verify_weights = true;
  std::vector<std::string> taps;
  // Told, in one line, what the user did not ask for: that "auto" had to leave a GPU out.
  std::function<void(const std::string&)> note;
};

// The backend for options.device, for a model with that card. Throws UsageError for an unknown name or a dtype that the
// device or model does not take, DeviceError for a device or instruction set that this build or machine does not have.
std::unique_ptr<Backend> make_backend(const RunOptions& options, const ModelCard& card);

// The instruction set that the kernels of a device ("cpu", "eigen", "cuda") are taken from; "" where that says nothing.
// Logits differ in their last digits between two of them.
std::string isa_in_use(const RunOptions& options, std::string_view device);
// Of which kernels compute the nodes, SHA-256: what --tune chose on this machine, in other words.
std::string kernels_sha256(const Program& program);

// The card's own preprocessing: its sizes, filter, mean and deviation, whatever is chosen. "timm", "hf" and "hf-fast"
// say whose resizing and rounding it has instead of the card's; `pillow` as RunOptions has it. Throws UsageError for
// another choice.
Preprocess choose_preprocess(const ModelCard& card, const std::string& choice, int pillow = 0);

struct ClassProbability {
  int index = -1;
  double probability = 0;  // 0 to 1
};

// "logit 3 of 1000 is nan" for the first that is no number (infinities are none), "" where all are.
std::string fault_of_logits(std::span<const float> logits);
// Softmax of the logits in float64. Throws ModelFileError, saying which, where one is no number: nothing follows from
// it.
std::vector<double> probabilities(std::span<const float> logits);
// The `count` largest, first the larger; on a tie the smaller index.
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
  // Of the picture that the model takes.
  Sides image_size() const { return card_.preprocess.output_size(); }
  // Width of the output: classes, or features of a model without a head.
  std::int64_t outputs() const;
  bool has_classes() const { return class_count(card_.config) > 0; }
  // From opening the file to being ready to run, with what it is made of.
  double load_ms() const noexcept { return load_ms_; }

  // A buffer for `max_batch` preprocessed pictures, [max_batch, S, S, 3].
  View input(std::int64_t batch);
  // Preprocesses into place `index` of the input.
  void preprocess(const Image& image, std::int64_t index);
  // Runs the first `batch` pictures; [batch, outputs], valid until the next run.
  ConstView run(std::int64_t batch);
  // The same on pictures that were preprocessed elsewhere, of input_shape(batch), batch <= max_batch.
  ConstView run(ConstView pictures) { return session_->run(pictures); }
  Shape input_shape(std::int64_t batch) const;

 private:
  ModelCard card_;
  std::unique_ptr<Session> session_;
  Tensor input_;
  double load_ms_ = 0;
};

}  // namespace tessera
