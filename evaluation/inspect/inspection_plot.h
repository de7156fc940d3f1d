#pragma once
// Figures of tessera inspect: where a model's parameters, multiply-adds and activations are, and the maps of a picture.

#include <vector>

#include "evaluation/draw/canvas.h"
#include "evaluation/inspect/inspection.h"
#include "evaluation/ready/classifier.h"

namespace tessera {

// Three bars for each stage, models side by side.
Drawing draw_stages(const std::vector<Inspection>& inspections);

// The output of a stage of the network for a picture.
struct StageMaps {
  std::string name;         // of the stage
  Shape shape;              // of its output, [1, H, W, C] or [1, T, D]
  std::vector<Image> maps;  // of single channels, the darkest value black, the lightest white
};
// Names under which the output of stages can be tapped, from the picture to the head: at most `most` of those whose
// output still has a place for each part of the picture.
std::vector<std::string> stages_with_maps(const Graph& graph, std::size_t most);
// After a run of one picture with those taps: for each stage the channels that vary the most over the picture. Tokens
// that are not patches (class, registers) are left out.
std::vector<StageMaps> maps_of(const Session& session, const std::vector<std::string>& stages, std::size_t channels);

// Turns a preprocessed picture [1, H, W, 3] back into an image.
Image picture_of(ConstView input, const Preprocess& preprocess);
// Draws the model's input picture, and below it the maps of each stage in a row.
Drawing draw_maps(const std::string& title, const Image& picture, const std::vector<StageMaps>& stages);

}  // namespace tessera
