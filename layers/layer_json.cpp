#include "layers/layer_json.h"

#include <utility>

namespace tessera {

namespace {

using Json = nlohmann::json;

template <class T>
concept HasFields = requires(const T value) {
  T::fields(value, [](const Field&, const auto&) {});
};

// --- writing ---

struct ToJson {
  Json operator()(std::int64_t value) const { return value; }
  Json operator()(float value) const { return value; }
  Json operator()(bool value) const { return value; }
  Json operator()(const Size2& value) const { return {value.height, value.width}; }
  template <NamedEnum E>
  Json operator()(E value) const {
    return to_string(value);
  }
  template <std::size_t N>
  Json operator()(const std::array<std::int64_t, N>& values) const {
    return values;
  }
  template <class T>
  Json operator()(const std::optional<T>& value) const {
    return value ? (*this)(*value) : Json();
  }
  template <HasFields L>
  Json operator()(const L& layer) const {
    Json object = Json::object();
    L::fields(layer, [&](const Field& field, const auto& value) { object[std::string(field.name)] = (*this)(value); });
    return object;
  }
};

// --- reading ---

// Throws nlohmann's exceptions, or UsageError.
struct FromJson {
  const Json& json;

  void operator()(std::int64_t& value) const { value = json.get<std::int64_t>(); }
  void operator()(float& value) const { value = json.get<float>(); }
  void operator()(bool& value) const { value = json.get<bool>(); }
  void operator()(Size2& value) const { value = {json.at(0).get<std::int64_t>(), json.at(1).get<std::int64_t>()}; }
  template <NamedEnum E>
  void operator()(E& value) const {
    value = from_string<E>("value", json.get<std::string>());
  }
  template <std::size_t N>
  void operator()(std::array<std::int64_t, N>& values) const {
    values = json.get<std::array<std::int64_t, N>>();
  }
  template <class T>
  void operator()(std::optional<T>& value) const {
    if (json.is_null()) {
      value.reset();
    } else {
      (*this)(value.emplace());
    }
  }
  template <HasFields L>
  void operator()(L& layer) const {
    std::size_t known = 0;
    L::fields(layer, [&](const Field& field, auto& value) {
      const auto found = json.find(field.name);
      if (found == json.end()) return;
      ++known;
      FromJson{*found}(value);
    });
    if (known < json.size()) throw UsageError("a " + std::string(L::kName) + " has not all of " + json.dump());
  }
};

template <std::size_t... Kind>
Layer usual_layer(std::string_view name, std::index_sequence<Kind...>) {
  Layer layer;
  const bool known = ((std::variant_alternative_t<Kind, Layer>::kName == name &&
                       (layer = std::variant_alternative_t<Kind, Layer>{}, true)) ||
                      ...);
  if (!known) throw UsageError("no layer is called '" + std::string(name) + "'");
  return layer;
}

}  // namespace

Json layer_json(const Layer& layer) { return std::visit(ToJson(), layer); }

Layer layer_from_json(std::string_view name, const Json& attributes) {
  Layer layer = usual_layer(name, std::make_index_sequence<std::variant_size_v<Layer>>());
  try {
    std::visit(FromJson{attributes}, layer);
  } catch (const Json::exception& error) {
    throw UsageError(std::string(name) + ": " + error.what());
  }
  return layer;
}

}  // namespace tessera
