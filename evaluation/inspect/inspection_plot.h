#pragma once
// Figures of tessera inspect: where a model's parameters, multiply-adds and activations are; a picture's way through
// it.

#include <vector>

#include "evaluation/draw/canvas.h"
#include "evaluation/inspect/inspection.h"
#include "evaluation/ready/classifier.h"

namespace tessera {

// Three bars a stage, of models beside each other.
Drawing draw_stages(const std::vector<Inspection>& inspections);

// What a stage of the network makes of a picture.
struct StageMaps {
  std::string name;         // of the stage
  Shape shape;              // of what it gives, [1, H, W, C] or [1, T, D]
  std::vector<Image> maps;  // of single channels, the darkest value black, the lightest white
};
// Names under which the output of stages can be tapped, from the picture to the head: at most `most` of those whose
// output still has a place for each part of the picture.
std::vector<std::string> stages_with_maps(const Graph& graph, std::size_t most);
// After a run of one picture with those taps: of each stage the channels that differ the most over the picture.
// Tokens that are not patches (class, registers) are left out.
std::vector<StageMaps> maps_of(const Session& session, const std::vector<std::string>& stages, std::size_t channels);

// A preprocessed picture [1, H, W, 3] as a picture again.
Image picture_of(ConstView input, const Preprocess& preprocess);
// The picture as the model takes it, and the maps of each stage in a row below.
Drawing draw_maps(const std::string& title, const Image& picture, const std::vector<StageMaps>& stages);

}  // namespace tessera
