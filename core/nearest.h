#pragma once
// "Did you mean": the known names nearest to one that is not known.

#include <span>
#include <string>
#include <string_view>

namespace tessera {

// "; did you mean 'resnet50'?" with up to three names within a third of the length in edits, or "" when none is near.
std::string did_you_mean(std::string_view name, std::span<const std::string> known);

// "unknown mode 'thruput'; known: latency, throughput; did you mean 'throughput'?"
std::string unknown_word(std::string_view what, std::string_view name, std::span<const std::string> known);

}  // namespace tessera
