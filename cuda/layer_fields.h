#pragma once
// A layer's attributes, read by their names.

#include <array>
#include <cstdint>
#include <initializer_list>
#include <string_view>

#include "cuda/activation.h"
#include "device/plugin.h"

namespace tessera::cuda {

class LayerFields {
 public:
  // `known`: all that is done justice to. A layer with another attribute is a variant that is not: this throws.
  LayerFields(const TesseraLayer& layer, std::initializer_list<std::string_view> known);

  // Each throws where there is no field of that name and kind.
  std::int64_t integer(std::string_view key) const { return find(key, TESSERA_INTEGER).integers[0]; }
  bool flag(std::string_view key) const { return integer(key) != 0; }
  // Height, width.
  std::array<std::int64_t, 2> pair(std::string_view key) const;
  double real(std::string_view key) const { return find(key, TESSERA_REAL).real; }
  std::string_view text(std::string_view key) const { return find(key, TESSERA_TEXT).text; }
  Activation activation(std::string_view key) const { return activation_of(text(key)); }

 private:
  const TesseraField& find(std::string_view key, TesseraTag tag) const;

  const TesseraLayer& layer_;
};

}  // namespace tessera::cuda
