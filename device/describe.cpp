#include "device/describe.h"

#include <algorithm>

namespace tessera {

namespace {

// Appends each value that it visits; a layer within a layer with its name before the names of its fields.
class Describe {
 public:
  Describe(std::vector<TesseraField>& fields, std::deque<std::string>& texts, std::string prefix = "")
      : fields_(fields), texts_(texts), prefix_(std::move(prefix)) {}

  void operator()(const Field& field, std::int64_t value) const { append(field, TESSERA_INTEGER).integers[0] = value; }
  void operator()(const Field& field, bool value) const { append(field, TESSERA_INTEGER).integers[0] = value ? 1 : 0; }
  void operator()(const Field& field, float value) const { append(field, TESSERA_REAL).real = double{value}; }
  void operator()(const Field& field, const Size2& value) const {
    TesseraField& made = append(field, TESSERA_PAIR);
    made.integers[0] = value.height;
    made.integers[1] = value.width;
  }
  template <NamedEnum E>
  void operator()(const Field& field, E value) const {
    append(field, TESSERA_TEXT).text = keep(to_string(value));
  }
  template <std::size_t N>
  void operator()(const Field& field, const std::array<std::int64_t, N>& values) const {
    const Describe each(fields_, texts_, prefix_ + std::string(field.name) + ".");
    for (std::size_t i = 0; i < N; ++i) each(Field{std::to_string(i)}, values[i]);
  }
  template <class T>
  void operator()(const Field& field, const std::optional<T>& value) const {
    if (value) (*this)(field, *value);
  }
  template <class L>
  requires(requires { L::kName; }) void operator()(const Field& field, const L& layer) const {
    L::fields(layer, Describe(fields_, texts_, prefix_ + std::string(field.name) + "."));
  }

 private:
  const char* keep(std::string_view text) const { return texts_.emplace_back(text).c_str(); }
  TesseraField& append(const Field& field, TesseraTag tag) const {
    return fields_.emplace_back(TesseraField{
        .key = keep(prefix_ + std::string(field.name)), .tag = tag, .integers = {}, .real = 0, .text = ""});
  }

  std::vector<TesseraField>& fields_;
  std::deque<std::string>& texts_;
  std::string prefix_;
};

std::int32_t dtype_of(DType dtype) {
  switch (dtype) {
    case DType::kF32:
      return TESSERA_F32;
    case DType::kF16:
      return TESSERA_F16;
    case DType::kBf16:
      return TESSERA_BF16;
    case DType::kI32:
      return TESSERA_I32;
    case DType::kI64:
      return TESSERA_I64;
    case DType::kU8:
      break;
  }
  throw InternalError("plugins take no " + std::string(to_string(dtype)) + " values");
}

}  // namespace

LayerDescription::LayerDescription(const Layer& layer) : name_(layer_name(layer)) {
  std::visit([&]<class L>(const L& l) { L::fields(l, Describe(fields_, texts_)); }, layer);
}

TesseraLayer LayerDescription::raw() const {
  return {.name = name_.c_str(), .field_count = static_cast<std::int32_t>(fields_.size()), .fields = fields_.data()};
}

TesseraTensor describe_tensor(const Shape& shape, DType dtype) {
  TesseraTensor tensor{};
  tensor.dtype = dtype_of(dtype);
  tensor.rank = shape.rank();
  std::ranges::copy(shape.dimensions(), tensor.size);
  return tensor;
}

}  // namespace tessera
