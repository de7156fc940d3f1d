#pragma once
// HDF5 as untrusted input: a reader that looks up only the names it is asked for and accepts only plain datasets, and a
// writer whose file appears whole or not at all.
//
// A dataset is read only when it is behind hard links, of exactly the type and shape that the caller expects,
// contiguous or chunked, stored in the file itself, and packed with nothing but shuffle, deflate and fletcher32. We
// read the bytes at offsets that have been checked, and inflate compressed chunks with a bound. Debian 12's libhdf5
// 1.10.8 has known faults in parsing, so we look up names ourselves (hdf5_guard.h) and leave to it only the headers of
// datasets, each checked before.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "core/shape.h"

namespace tessera {

class OutputFile;

enum class Hdf5Type { kUint8, kInt64, kFloat32, kFloat64 };
std::size_t size_of(Hdf5Type type);

// Where a dataset lies. Made by Hdf5Reader::locate, used by read(); thread-safe to read.
struct Hdf5Dataset {
  struct Chunk {
    std::vector<std::int64_t> start;  // of its first element
    std::uint64_t offset = 0, bytes = 0;
  };
  std::string path;
  Shape shape;
  Hdf5Type type = Hdf5Type::kFloat32;
  std::uint64_t offset = 0;               // contiguous
  std::vector<Chunk> chunks;              // chunked
  std::vector<std::int64_t> chunk_shape;  // empty: contiguous
  bool shuffle = false, deflate = false, fletcher32 = false;
};

struct Hdf5Links {
  std::uint64_t count = 0;
  std::vector<std::string> names;
};

class Hdf5Reader {
 public:
  // Throws ModelFileError when the file is missing, empty or not HDF5.
  explicit Hdf5Reader(const std::filesystem::path& path);
  ~Hdf5Reader();
  Hdf5Reader(const Hdf5Reader&) = delete;
  Hdf5Reader& operator=(const Hdf5Reader&) = delete;

  const std::string& file() const noexcept { return file_; }
  std::uint64_t file_bytes() const noexcept;
  // Throw ModelFileError("<reason>") without the file's name, so that several faults can be listed: "missing", "wrong
  // shape: expected [..], found [..]". Not thread-safe (libhdf5 is not).
  Hdf5Dataset locate(const std::string& path, Hdf5Type type, const Shape& shape) const;
  // A one-dimensional dataset of any length up to `most`.
  Hdf5Dataset locate_vector(const std::string& path, Hdf5Type type, std::int64_t most) const;
  // Fills `to` (shape.count() elements). Thread-safe.
  void read(const Hdf5Dataset& dataset, void* to) const;

  // A JSON text kept as a vector of bytes. Throws ModelFileError naming the file.
  std::string read_text(const std::string& path, std::int64_t most) const;
  // The links of a group and up to so many of their names, in order. Nothing behind them is opened. Throws
  // ModelFileError without the file's name, as locate() does.
  Hdf5Links links(const std::string& group, std::uint64_t most_names) const;

 private:
  struct Handles;
  std::string file_;
  std::unique_ptr<Handles> handles_;
};

// Writes as OutputFile does (core/output_file.h); without commit() nothing is left behind.
class Hdf5Writer {
 public:
  explicit Hdf5Writer(const std::filesystem::path& path);
  ~Hdf5Writer();
  Hdf5Writer(const Hdf5Writer&) = delete;
  Hdf5Writer& operator=(const Hdf5Writer&) = delete;

  // Groups on the way are made. Throw ResourceError when the disk is full.
  void write(const std::string& path, Hdf5Type type, const Shape& shape, const void* values);
  void write_text(const std::string& path, const std::string& text);
  // Adds a text to a dataset that was written, for people who open the file with other tools.
  void write_attribute(const std::string& path, const std::string& name, const std::string& text);
  void commit();

 private:
  struct Handles;
  std::filesystem::path path_;
  std::unique_ptr<OutputFile> output_;
  std::unique_ptr<Handles> handles_;
};

}  // namespace tessera
