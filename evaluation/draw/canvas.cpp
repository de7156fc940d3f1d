#include "evaluation/draw/canvas.h"

#include <cairo-svg.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "core/error.h"

namespace tessera {

namespace {

struct Destroy {
  void operator()(cairo_surface_t* surface) const { ::cairo_surface_destroy(surface); }
  void operator()(cairo_t* context) const { ::cairo_destroy(context); }
};
using Surface = std::unique_ptr<cairo_surface_t, Destroy>;
using Context = std::unique_ptr<cairo_t, Destroy>;

cairo_status_t append(void* text, const unsigned char* data, unsigned int length) {
  static_cast<std::string*>(text)->append(reinterpret_cast<const char*>(data), length);
  return CAIRO_STATUS_SUCCESS;
}

void check(cairo_status_t status) {
  if (status != CAIRO_STATUS_SUCCESS) {
    throw ResourceError(std::string("the figure cannot be drawn: ") + ::cairo_status_to_string(status));
  }
}

void draw_on(cairo_surface_t* surface, int width, int height, const std::function<void(Canvas&)>& draw) {
  check(::cairo_surface_status(surface));
  const Context context(::cairo_create(surface));
  Canvas canvas(context.get());
  canvas.fill({0, 0, static_cast<double>(width), static_cast<double>(height)}, kWhite);
  draw(canvas);
  check(::cairo_status(context.get()));
}

// Positions at which a character of UTF-8 begins.
std::vector<std::size_t> characters_of(const std::string& text) {
  std::vector<std::size_t> starts;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if ((static_cast<unsigned char>(text[i]) & 0xC0U) != 0x80U) starts.push_back(i);
  }
  return starts;
}

// What is no UTF-8 would put the whole drawing into an error.
std::string valid_utf8(const std::string& text) {
  std::string valid;
  for (std::size_t i = 0; i < text.size();) {
    const auto lead = static_cast<unsigned char>(text[i]);
    const std::size_t length = lead < 0x80 ? 1 : lead >= 0xC2 && lead < 0xE0 ? 2 : lead >= 0xE0 && lead < 0xF0 ? 3 : 0;
    bool good = length > 0 && i + length <= text.size() && lead >= 0x20;
    for (std::size_t k = 1; good && k < length; ++k) good = (static_cast<unsigned char>(text[i + k]) & 0xC0U) == 0x80U;
    valid += good ? text.substr(i, length) : "?";
    i += good ? length : 1;
  }
  return valid;
}

}  // namespace

Ink ink_of(std::size_t index) {
  constexpr std::array<Ink, 7> kInks{{{0.000, 0.447, 0.698},
                                      {0.902, 0.624, 0.000},
                                      {0.000, 0.620, 0.451},
                                      {0.800, 0.475, 0.655},
                                      {0.337, 0.706, 0.914},
                                      {0.835, 0.369, 0.000},
                                      {0.941, 0.894, 0.259}}};
  return kInks[index % kInks.size()];
}

void Canvas::fill(const Box& box, const Ink& ink) {
  ::cairo_set_source_rgb(context_, ink.red, ink.green, ink.blue);
  ::cairo_rectangle(context_, box.x, box.y, box.width, box.height);
  ::cairo_fill(context_);
}

void Canvas::line(double x1, double y1, double x2, double y2, const Ink& ink, double width) {
  ::cairo_set_source_rgb(context_, ink.red, ink.green, ink.blue);
  ::cairo_set_line_width(context_, width);
  ::cairo_move_to(context_, x1, y1);
  ::cairo_line_to(context_, x2, y2);
  ::cairo_stroke(context_);
}

void Canvas::set_font(const TextStyle& style) {
  ::cairo_select_font_face(context_, "DejaVu Sans", CAIRO_FONT_SLANT_NORMAL,
                           style.bold ? CAIRO_FONT_WEIGHT_BOLD : CAIRO_FONT_WEIGHT_NORMAL);
  ::cairo_set_font_size(context_, style.size);
}

double Canvas::width_of(const std::string& text, const TextStyle& style) {
  set_font(style);
  cairo_text_extents_t extents;
  ::cairo_text_extents(context_, text.c_str(), &extents);
  return extents.x_advance;
}

std::string Canvas::shortened(const std::string& text, const TextStyle& style, double most) {
  if (width_of(text, style) <= most) return text;
  const std::vector<std::size_t> starts = characters_of(text);
  for (std::size_t kept = starts.size(); kept-- > 2;) {
    const std::size_t tail = kept / 2;
    const std::string middle = text.substr(0, starts[kept - tail]) + "…" + text.substr(starts[starts.size() - tail]);
    if (width_of(middle, style) <= most) return middle;
  }
  return "…";
}

void Canvas::text(double x, double y, const std::string& text, const TextStyle& style, double most) {
  const std::string fitting = shortened(valid_utf8(text), style, most);
  const double width = width_of(fitting, style);
  const double left = style.align == Align::kLeft ? x : style.align == Align::kCentre ? x - width / 2 : x - width;
  ::cairo_set_source_rgb(context_, style.ink.red, style.ink.green, style.ink.blue);
  ::cairo_move_to(context_, left, y);
  ::cairo_show_text(context_, fitting.c_str());
}

void Canvas::picture(const Box& box, const Image& image) {
  const Surface surface(::cairo_image_surface_create(CAIRO_FORMAT_RGB24, image.width, image.height));
  check(::cairo_surface_status(surface.get()));
  const int stride = ::cairo_image_surface_get_stride(surface.get());
  unsigned char* const bytes = ::cairo_image_surface_get_data(surface.get());
  for (int y = 0; y < image.height; ++y) {
    for (int x = 0; x < image.width; ++x) {
      const std::uint8_t* pixel = image.row(y) + 3 * x;
      const std::uint32_t rgb = std::uint32_t{pixel[0]} << 16U | std::uint32_t{pixel[1]} << 8U | pixel[2];
      std::memcpy(bytes + std::ptrdiff_t{y} * stride + std::ptrdiff_t{4} * x, &rgb, sizeof(rgb));
    }
  }
  ::cairo_surface_mark_dirty(surface.get());
  ::cairo_save(context_);
  ::cairo_translate(context_, box.x, box.y);
  ::cairo_scale(context_, box.width / image.width, box.height / image.height);
  ::cairo_set_source_surface(context_, surface.get(), 0, 0);
  ::cairo_pattern_set_filter(::cairo_get_source(context_), CAIRO_FILTER_NEAREST);
  ::cairo_paint(context_);
  ::cairo_restore(context_);
}

Drawing draw_twice(int width, int height, const std::function<void(Canvas&)>& draw) {
  Drawing drawing;
  const Surface image(::cairo_image_surface_create(CAIRO_FORMAT_RGB24, width, height));
  draw_on(image.get(), width, height, draw);
  check(::cairo_surface_write_to_png_stream(image.get(), append, &drawing.png));
  const Surface vector(::cairo_svg_surface_create_for_stream(append, &drawing.svg, width, height));
  draw_on(vector.get(), width, height, draw);
  ::cairo_surface_finish(vector.get());
  check(::cairo_surface_status(vector.get()));
  return drawing;
}

Axis axis_to(double most) {
  if (!(most > 0) || !std::isfinite(most)) return {};
  constexpr double kTicks = 5;
  const double rough = most / kTicks;
  const double power = std::pow(10.0, std::floor(std::log10(rough)));
  const double mantissa = rough / power;
  const double nice = mantissa <= 1 ? 1 : mantissa <= 2 ? 2 : mantissa <= 5 ? 5 : 10;
  const double step = nice * power;
  const double decimals = std::max(0.0, -std::floor(std::log10(step) + 1e-9));
  return {.step = step, .top = std::ceil(most / step - 1e-9) * step, .decimals = static_cast<int>(decimals)};
}

}  // namespace tessera
