#include "synth/shapes.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "core/random.h"

namespace tessera {

namespace {

struct Point {
  float x = 0, y = 0;
};

// Shapes, in a frame where they fill about [-1, 1] x [-1, 1]. No shape is another one rotated.

float square(float x) { return x * x; }
bool in_disc(Point p, Point centre, float radius) {
  return square(p.x - centre.x) + square(p.y - centre.y) < square(radius);
}
bool in_box(Point p, float left, float top, float right, float bottom) {
  return p.x > left && p.x < right && p.y > top && p.y < bottom;
}

bool disc(Point p) { return in_disc(p, {}, 0.85F); }
bool ring(Point p) { return in_disc(p, {}, 0.9F) && !in_disc(p, {}, 0.5F); }
bool box(Point p) { return in_box(p, -0.75F, -0.75F, 0.75F, 0.75F); }
bool frame(Point p) { return in_box(p, -0.8F, -0.8F, 0.8F, 0.8F) && !in_box(p, -0.42F, -0.42F, 0.42F, 0.42F); }
bool triangle(Point p) { return p.y < 0.7F && p.y > -0.9F && std::abs(p.x) < 0.58F * (p.y + 0.9F); }
bool cross(Point p) { return in_box(p, -0.9F, -0.28F, 0.9F, 0.28F) || in_box(p, -0.28F, -0.9F, 0.28F, 0.9F); }
bool crescent(Point p) { return in_disc(p, {}, 0.9F) && !in_disc(p, {0.45F, 0}, 0.72F); }
bool half_disc(Point p) { return in_disc(p, {0, 0.4F}, 0.95F) && p.y < 0.4F; }
bool heart(Point p) {
  const bool lobes = in_disc(p, {-0.4F, -0.35F}, 0.47F) || in_disc(p, {0.4F, -0.35F}, 0.47F);
  return lobes || (p.y > -0.3F && std::abs(p.x) < 0.85F - 0.72F * (p.y + 0.3F) && p.y < 0.9F);
}
bool arrow(Point p) {
  const bool head = p.y > -0.95F && p.y < -0.1F && std::abs(p.x) < 0.9F * (p.y + 0.95F);
  return head || in_box(p, -0.26F, -0.15F, 0.26F, 0.95F);
}
bool bar(Point p) { return in_box(p, -0.27F, -1, 0.27F, 1); }
bool angle(Point p) { return in_box(p, -0.75F, -0.85F, -0.2F, 0.85F) || in_box(p, -0.75F, 0.3F, 0.75F, 0.85F); }
bool tee(Point p) { return in_box(p, -0.85F, -0.85F, 0.85F, -0.33F) || in_box(p, -0.27F, -0.5F, 0.27F, 0.9F); }
bool hourglass(Point p) { return std::abs(p.y) < 0.9F && std::abs(p.x) < 0.12F + 0.72F * std::abs(p.y); }
bool dumbbell(Point p) {
  return in_disc(p, {0, -0.6F}, 0.42F) || in_disc(p, {0, 0.6F}, 0.42F) || in_box(p, -0.16F, -0.5F, 0.16F, 0.5F);
}
bool star(Point p) {  // of four points: between four circles
  const bool inside = in_box(p, -0.98F, -0.98F, 0.98F, 0.98F);
  return inside && !in_disc(p, {1, 1}, 0.85F) && !in_disc(p, {-1, 1}, 0.85F) && !in_disc(p, {1, -1}, 0.85F) &&
         !in_disc(p, {-1, -1}, 0.85F);
}

// Textures as functions of a point in pixels: 0 to 1, by which two colours are mixed.

float fraction(float x) { return x - std::floor(x); }
float step_of(bool on) { return on ? 1.0F : 0.0F; }
float triangle_wave(float x) { return std::abs(2 * fraction(x) - 1); }
// A number in [0, 1) for each cell of the plane.
float of_cell(float x, float y) {
  const auto i = static_cast<std::uint64_t>(static_cast<std::int64_t>(std::floor(x)));
  const auto j = static_cast<std::uint64_t>(static_cast<std::int64_t>(std::floor(y)));
  return Random(i * 0xD6E8FEB86659FD93U ^ j * 0xA0761D6478BD642FU).unit();
}

float plain(Point) { return 0.5F; }
float stripes(Point p) { return step_of(fraction(p.x / 6) < 0.5F); }
float pinstripes(Point p) { return step_of(fraction(p.x / 8) < 0.2F); }
float checks(Point p) { return step_of((fraction(p.x / 8) < 0.5F) != (fraction(p.y / 8) < 0.5F)); }
float dots(Point p) { return step_of(square(fraction(p.x / 7) - 0.5F) + square(fraction(p.y / 7) - 0.5F) < 0.09F); }
float circles(Point p) { return step_of(fraction(std::sqrt(square(p.x) + square(p.y)) / 6) < 0.5F); }
float waves(Point p) { return step_of(fraction(p.x / 6 + 0.6F * triangle_wave(p.y / 14)) < 0.5F); }
float bricks(Point p) {
  const float row = std::floor(p.y / 5);
  const float shift = fraction(row / 2) < 0.25F ? 0 : 0.5F;
  return step_of(fraction(p.y / 5) > 0.22F && fraction(p.x / 10 + shift) > 0.12F);
}
float grid(Point p) { return step_of(fraction(p.x / 8) < 0.25F || fraction(p.y / 8) < 0.25F); }
float zigzag(Point p) { return step_of(fraction(p.y / 8 + 0.5F * triangle_wave(p.x / 8)) < 0.5F); }
float blocks(Point p) { return of_cell(p.x / 5, p.y / 5); }
float spokes(Point p) {  // sixteen sectors by the slopes of their borders
  const float a = std::abs(p.x), b = std::abs(p.y);
  const float slope = std::min(a, b) / (std::max(a, b) + 1e-6F);
  return step_of((slope < 0.42F) != ((p.x > 0) != (p.y > 0)));
}
float shading(Point p) { return triangle_wave(p.x / 40); }
float mesh(Point p) { return step_of(fraction((p.x + p.y) / 9) < 0.22F || fraction((p.x - p.y) / 9) < 0.22F); }
float scales(Point p) {
  const float row = std::floor(p.y / 5);
  const float x = fraction(p.x / 8 + (fraction(row / 2) < 0.25F ? 0 : 0.5F)) - 0.5F;
  return triangle_wave(0.5F + 0.5F * std::min(1.0F, 4 * square(x) + square(fraction(p.y / 5))));
}
float speckle(Point p) { return step_of(of_cell(p.x / 2, p.y / 2) < 0.35F); }

struct Class {
  std::string_view shape, texture;
  bool (*inside)(Point p);
  float (*fill)(Point p);
};
constexpr std::array<Class, kShapeClasses> kClasses{{{"disc", "stripes", disc, stripes},
                                                     {"ring", "checks", ring, checks},
                                                     {"square", "dots", box, dots},
                                                     {"frame", "waves", frame, waves},
                                                     {"triangle", "bricks", triangle, bricks},
                                                     {"star", "circles", star, circles},
                                                     {"cross", "speckle", cross, speckle},
                                                     {"crescent", "grid", crescent, grid},
                                                     {"half_disc", "zigzag", half_disc, zigzag},
                                                     {"heart", "pinstripes", heart, pinstripes},
                                                     {"arrow", "blocks", arrow, blocks},
                                                     {"bar", "mesh", bar, mesh},
                                                     {"angle", "shading", angle, shading},
                                                     {"tee", "scales", tee, scales},
                                                     {"hourglass", "spokes", hourglass, spokes},
                                                     {"dumbbell", "plain", dumbbell, plain}}};

// A rotation by any angle, in rational numbers, so that it needs no library's sine.
struct Turn {
  float cosine = 1, sine = 0;
  Point operator()(Point p) const { return {cosine * p.x + sine * p.y, cosine * p.y - sine * p.x}; }
};
Turn random_turn(Random& random) {
  const float t = random.between(-1, 1);
  const float scale = 1 / (1 + t * t);
  Turn turn{(1 - t * t) * scale, 2 * t * scale};  // -90 to 90 degrees
  if (random.below(2) == 1) turn = {-turn.cosine, -turn.sine};
  return turn;
}

struct Colour {
  std::array<float, 3> value{};
};
Colour mix(const Colour& a, const Colour& b, float share) {
  Colour mixed;
  for (std::size_t c = 0; c < 3; ++c) mixed.value[c] = a.value[c] + (b.value[c] - a.value[c]) * share;
  return mixed;
}
float brightness(const Colour& c) { return 0.3F * c.value[0] + 0.6F * c.value[1] + 0.1F * c.value[2]; }
Colour random_colour(Random& random) { return {{random.unit(), random.unit(), random.unit()}}; }
// A colour that differs clearly from `other`.
Colour random_colour_beside(Random& random, const Colour& other, float contrast) {
  Colour colour = random_colour(random);
  for (int tries = 0; tries < 16 && std::abs(brightness(colour) - brightness(other)) < contrast; ++tries) {
    colour = random_colour(random);
  }
  return colour;
}

// Something with an outline and a filling, somewhere in the picture.
struct Thing {
  Point centre;
  float size = 1;  // pixels from the centre to the edge
  Turn turn, texture_turn;
  Point texture_shift;
  float texture_scale = 1;
  const Class* shape = nullptr;
  const Class* texture = nullptr;
  Colour dark, light;

  bool covers(Point pixel) const {
    const Point p = turn({(pixel.x - centre.x) / size, (pixel.y - centre.y) / size});
    return shape->inside(p);
  }
  Colour colour_at(Point pixel) const {
    const Point p = texture_turn({(pixel.x - centre.x) * texture_scale, (pixel.y - centre.y) * texture_scale});
    return mix(dark, light, texture->fill({p.x + texture_shift.x, p.y + texture_shift.y}));
  }
};

Thing random_thing(Random& random, Point centre, float size, int shape, int texture, float contrast) {
  Thing thing;
  thing.centre = centre;
  thing.size = size;
  thing.turn = random_turn(random);
  thing.texture_turn = random_turn(random);
  // Rings and spokes have a centre, which must stay inside the shape.
  thing.texture_shift = {random.between(-2, 2), random.between(-2, 2)};
  thing.texture_scale = random.between(0.8F, 1.3F);
  thing.shape = &kClasses[static_cast<std::size_t>(shape)];
  thing.texture = &kClasses[static_cast<std::size_t>(texture)];
  thing.dark = random_colour(random);
  thing.light = random_colour_beside(random, thing.dark, contrast);
  return thing;
}

constexpr float kSide = kShapeSide;
Point random_point(Random& random, float margin) {
  const float x = random.between(margin, kSide - margin);
  return {x, random.between(margin, kSide - margin)};
}

// The parts of a picture, from back to front.
struct Scene {
  Colour ground, far_ground;
  Turn ground_turn;
  std::vector<Thing> clutter;
  Thing object;
  std::vector<Thing> covers;  // in front of the object, in the background's colours
  Turn light_turn;
  float light = 0;  // how much darker one side is
  float noise = 0;
};

Scene random_scene(Random& random, ShapePicture what) {
  Scene scene;
  scene.ground = random_colour(random);
  scene.far_ground = random_colour(random);
  scene.ground_turn = random_turn(random);
  const int clutter = random.below(5);
  for (int i = 0; i < clutter; ++i) {
    const Point at = random_point(random, 0);
    const float size = random.between(3, 9);
    const int shape = random.below(kShapeClasses);
    scene.clutter.push_back(random_thing(random, at, size, shape, random.below(kShapeClasses), 0.05F));
  }
  const float size = random.between(13, 27);
  const Point at = random_point(random, 22);
  scene.object = random_thing(random, at, size, what.shape, what.texture, 0.12F);
  const int covers = random.below(3);
  for (int i = 0; i < covers; ++i) {
    const Point where = random_point(random, 12);
    const float width = random.between(3, 8);
    const int shape = random.below(kShapeClasses);
    scene.covers.push_back(random_thing(random, where, width, shape, random.below(kShapeClasses), 0.05F));
  }
  scene.light_turn = random_turn(random);
  scene.light = random.between(0, 0.6F);
  scene.noise = random.between(0.02F, 0.2F);
  return scene;
}

Colour ground_at(const Scene& scene, Point pixel) {
  const Point p = scene.ground_turn({pixel.x - kSide / 2, pixel.y - kSide / 2});
  return mix(scene.ground, scene.far_ground, std::clamp(0.5F + p.x / kSide, 0.0F, 1.0F));
}

// Blends the thing's colour over the background by the share of the pixel's four points that it covers.
void put(const Thing& thing, Point pixel, Colour& colour) {
  const float reach = thing.size * 1.5F + 1;
  if (std::abs(pixel.x - thing.centre.x) > reach || std::abs(pixel.y - thing.centre.y) > reach) return;
  constexpr std::array<Point, 4> kPoints{{{-0.25F, -0.25F}, {0.25F, -0.25F}, {-0.25F, 0.25F}, {0.25F, 0.25F}}};
  float covered = 0;
  for (const Point& point : kPoints) covered += thing.covers({pixel.x + point.x, pixel.y + point.y}) ? 0.25F : 0;
  if (covered > 0) colour = mix(colour, thing.colour_at(pixel), covered);
}

Colour colour_at(const Scene& scene, Point pixel) {
  Colour colour = ground_at(scene, pixel);
  for (const Thing& thing : scene.clutter) put(thing, pixel, colour);
  put(scene.object, pixel, colour);
  for (const Thing& thing : scene.covers) put(thing, pixel, colour);
  const Point lit = scene.light_turn({pixel.x - kSide / 2, pixel.y - kSide / 2});
  const float shade = 1 - scene.light * std::clamp(0.5F + lit.x / kSide, 0.0F, 1.0F);
  for (float& value : colour.value) value *= shade;
  return colour;
}

std::uint8_t to_byte(float value) {
  constexpr float kLargest = 255;
  return static_cast<std::uint8_t>(std::clamp(value * kLargest + 0.5F, 0.0F, kLargest));
}

// Neighbouring seeds and numbers give unrelated streams.
Random stream_of(std::uint64_t seed, std::int64_t number) {
  Random by_seed(seed);
  return Random(by_seed.bits() ^ static_cast<std::uint64_t>(number) * 0xD1342543DE82EF95U);
}

}  // namespace

std::string_view shape_name(int shape) { return kClasses.at(static_cast<std::size_t>(shape)).shape; }
std::string_view texture_name(int texture) { return kClasses.at(static_cast<std::size_t>(texture)).texture; }

ShapePicture shape_picture(std::uint64_t seed, std::int64_t number, bool cue_conflict) {
  const auto shape = static_cast<int>(number % kShapeClasses);
  if (!cue_conflict) return {shape, shape};
  constexpr std::uint64_t kOther = 0x5851F42D4C957F2DU;  // a stream separate from the picture's own
  const int other = stream_of(seed ^ kOther, number).below(kShapeClasses - 1);
  return {shape, (shape + 1 + other) % kShapeClasses};
}

Image draw_shape_picture(std::uint64_t seed, std::int64_t number, ShapePicture what) {
  Random random = stream_of(seed, number);
  const Scene scene = random_scene(random, what);
  Image image{kShapeSide, kShapeSide, std::vector<std::uint8_t>(std::size_t{kShapeSide} * kShapeSide * 3)};
  std::uint8_t* to = image.pixels.data();
  for (int y = 0; y < kShapeSide; ++y) {
    for (int x = 0; x < kShapeSide; ++x) {
      const Colour colour = colour_at(scene, {static_cast<float>(x) + 0.5F, static_cast<float>(y) + 0.5F});
      for (const float value : colour.value) {
        *to++ = to_byte(value + scene.noise * (random.unit() + random.unit() - 1));
      }
    }
  }
  return image;
}

}  // namespace tessera
