#include "evaluation/ready/classifier.h"

#include <fmt/format.h>

#include "core/clock.h"
#include "core/error.h"
#include "evaluation/ready/backends.h"

namespace tessera {

Preprocess choose_preprocess(const ModelCard& card, const std::string& choice, int pillow) {
  Preprocess preprocess = card.preprocess;
  if (choice != "model") preprocess.flavour = flavour_from_string(choice);
  if (pillow != 0) {
    check_pillow(pillow);
    preprocess.pillow = pillow;
  }
  return preprocess;
}

OpenOptions open_options(const RunOptions& options) {
  return {.verify = options.verify_weights,
          .threads = options.threads,
          .image_size = options.image_size,
          .timm_size = options.timm_size};
}

Classifier::Classifier(const std::string& name, const RunOptions& options)
    : Classifier(open_model(name, open_options(options)), options) {}

Classifier::Classifier(LoadedModel model, const RunOptions& options)
    : Classifier(OpenedModel{.card = std::move(model.card),
                             .weights = std::make_unique<StoredWeights>(std::move(model.weights)),
                             .open_ms = model.load_ms},
                 options) {}

Classifier::Classifier(OpenedModel model, const RunOptions& options) {
  card_ = std::move(model.card);
  card_.preprocess = choose_preprocess(card_, options.preprocess, options.pillow);
  const std::unique_ptr<Backend> backend = make_backend(options, card_);
  const auto start = Clock::now();  // tuning, which is done once on a machine, is not loading
  session_ = std::make_unique<Session>(Program::compile(
      graph_of(card_, options.max_batch), *model.weights, *backend,
      {.optimise = options.optimise, .rewrite = options.rewrite, .taps = options.taps, .threads = options.threads}));
  load_ms_ = ms_since(start) + model.open_ms;
}

std::int64_t Classifier::outputs() const { return program().graph().shape(program().graph().output_id())[-1]; }

Shape Classifier::input_shape(std::int64_t batch) const {
  Shape shape = program().graph().shape(program().graph().input_id());
  shape[0] = batch;
  return shape;
}

}  // namespace tessera
