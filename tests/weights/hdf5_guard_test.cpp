// Structures that libhdf5 1.10.8 would follow out of its blocks are refused before it sees them; groups of every size
// and format are read whole.

#include <bit>
#include <cstring>
#include <string_view>

#include "tests/weights/model_file_fixture.h"

namespace tessera {
namespace {

namespace fs = std::filesystem;

class Hdf5Guarded : public ModelFile {
 protected:
  static std::uint64_t number(const std::string& bytes, std::size_t at) {
    std::uint64_t value = 0;
    std::memcpy(&value, bytes.data() + at, sizeof(value));
    return value;
  }
  static void put(std::string& bytes, std::size_t at, std::uint64_t value) {
    std::memcpy(bytes.data() + at, &value, sizeof(value));
  }
  // Where the structures with this signature begin.
  static std::vector<std::size_t> all(const std::string& bytes, const std::string& signature) {
    std::vector<std::size_t> found;
    for (std::size_t at = bytes.find(signature); at != std::string::npos; at = bytes.find(signature, at + 1)) {
      found.push_back(at);
    }
    return found;
  }
  // `change` is given a whole file and where one structure begins; each file that it makes must be refused.
  void expect_each_refused(const std::string& signature, const std::string& part,
                           const std::function<void(std::string& bytes, std::size_t at)>& change) const {
    const std::string whole = bytes();
    const std::vector<std::size_t> places = all(whole, signature);
    ASSERT_FALSE(places.empty());
    for (const std::size_t at : places) {
      std::string changed = whole;
      change(changed, at);
      write(changed);
      expect_refused(part);
    }
    write(whole);
  }

  // A file of the newer format with one dataset, of 100 bytes in chunks of four.
  void write_chunks(bool deflated, H5D_alloc_time_t when = H5D_ALLOC_TIME_INCR) const {
    const hid_t access = H5Pcreate(H5P_FILE_ACCESS), properties = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_libver_bounds(access, H5F_LIBVER_V110, H5F_LIBVER_V110);
    const hsize_t chunk = 4;
    H5Pset_chunk(properties, 1, &chunk);
    H5Pset_alloc_time(properties, when);
    if (deflated) H5Pset_deflate(properties, 6);
    const hid_t file = H5Fcreate(path_.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, access);
    const std::vector<float> values(100, 1.0F);
    create(file, H5T_STD_U8LE, {100}, properties, values.data(), kChunks);
    ASSERT_GE(H5Fclose(file), 0);
    H5Pclose(properties);
    H5Pclose(access);
    ASSERT_EQ(Hdf5Reader(path_).locate_vector(kChunks, Hdf5Type::kUint8, -1).chunks.size(), 25U);
  }
  // What is said of the file of write_chunks() once `change` has seen to it.
  std::string changed_chunks(const std::function<void(std::string& bytes)>& change) const {
    const std::string whole = bytes();
    std::string changed = whole;
    change(changed);
    EXPECT_NE(changed, whole);
    write(changed);
    const std::string text = error_of([&] { Hdf5Reader(path_).locate_vector(kChunks, Hdf5Type::kUint8, -1); });
    write(whole);
    return text;
  }
  // Where `text` stands, which is in the file once.
  static std::size_t only(const std::string& bytes, const std::string& text) {
    const std::vector<std::size_t> found = all(bytes, text);
    EXPECT_EQ(found.size(), 1U);
    return found.empty() ? 0 : found[0];
  }

  // What HDF5 calls a checksum: lookup3 of Bob Jenkins, https://burtleburtle.net/bob/c/lookup3.c.
  static std::uint32_t checksum(std::string_view bytes) {
    std::uint32_t a = 0xdeadbeef + static_cast<std::uint32_t>(bytes.size()), b = a, c = a;
    const auto word = [&](std::size_t at) {
      std::uint32_t value = 0;
      for (std::size_t i = 0; i < 4 && at + i < bytes.size(); ++i) {
        value |= std::uint32_t{static_cast<unsigned char>(bytes[at + i])} << (8 * i);
      }
      return value;
    };
    const auto add = [&] {
      a += word(0);
      b += word(4);
      c += word(8);
    };
    const auto mix = [](std::uint32_t& x, std::uint32_t& y, const std::uint32_t z, int turn) {
      x = (x - y) ^ std::rotl(y, turn);
      y += z;
    };
    for (; bytes.size() > 12; bytes.remove_prefix(12)) {
      add();
      mix(a, c, b, 4);
      mix(b, a, c, 6);
      mix(c, b, a, 8);
      mix(a, c, b, 16);
      mix(b, a, c, 19);
      mix(c, b, a, 4);
    }
    if (bytes.empty()) return c;
    add();
    const auto end = [](std::uint32_t& x, const std::uint32_t y, int turn) { x = (x ^ y) - std::rotl(y, turn); };
    end(c, b, 14);
    end(a, c, 11);
    end(b, a, 25);
    end(c, b, 16);
    end(a, c, 4);
    end(b, a, 14);
    end(c, b, 24);
    return c;
  }
  // Where the checksum of the newer header that begins at `header` stands, behind what it is of.
  static std::size_t checksum_of_header(const std::string& bytes, std::size_t header) {
    const int flags = bytes[header + 5];
    const std::size_t width = std::size_t{1} << (flags & 3);
    const std::size_t at = header + 6 + ((flags & 0x20) != 0 ? 16 : 0) + ((flags & 0x10) != 0 ? 4 : 0);
    const std::uint64_t mask = width == 8 ? UINT64_MAX : (std::uint64_t{1} << (8 * width)) - 1;
    return at + width + (number(bytes, at) & mask);
  }

  static constexpr const char* kChunks = "/chunks";
  static constexpr std::size_t kEndOfFile = 40;                                 // in the superblock
  static constexpr std::size_t kHeapBytes = 8, kHeapFree = 16, kHeapData = 24;  // in a local heap
};

TEST_F(Hdf5Guarded, NamesEndWithinTheirHeap) {
  expect_each_refused("HEAP", "header is damaged", [](std::string& bytes, std::size_t heap) {
    const std::size_t data = number(bytes, heap + kHeapData), length = number(bytes, heap + kHeapBytes);
    put(bytes, heap + kHeapFree, 1);  // no free blocks, which would be overwritten
    std::fill_n(bytes.begin() + static_cast<std::ptrdiff_t>(data + 8), length - 8, 'x');
  });
}

TEST_F(Hdf5Guarded, FreeBlocksLieWithinTheirHeap) {
  expect_each_refused("HEAP", "header is damaged", [](std::string& bytes, std::size_t heap) {
    put(bytes, heap + kHeapFree, number(bytes, heap + kHeapBytes) - 8);
  });
  expect_each_refused("HEAP", "header is damaged", [](std::string& bytes, std::size_t heap) {
    const std::size_t data = number(bytes, heap + kHeapData);
    put(bytes, heap + kHeapFree, 0);  // a block that follows itself
    put(bytes, data, 0);
    put(bytes, data + 8, 16);
  });
}

TEST_F(Hdf5Guarded, HeapsAndNodesLieWithinTheFile) {
  const std::uint64_t end = bytes().size();
  for (const std::uint64_t address : {end - 8, end, end + 1, UINT64_MAX}) {
    expect_each_refused("HEAP", "header is damaged",
                        [&](std::string& bytes, std::size_t heap) { put(bytes, heap + kHeapData, address); });
    expect_each_refused("TREE", "header is damaged",
                        [&](std::string& bytes, std::size_t tree) { put(bytes, tree + 32, address); });
  }
}

TEST_F(Hdf5Guarded, ANodeDoesNotLeadToItself) {
  expect_each_refused("TREE", "header is damaged", [](std::string& bytes, std::size_t tree) {
    bytes[tree + 5] = 1;  // a level above the lowest
    put(bytes, tree + 32, tree);
  });
}

TEST_F(Hdf5Guarded, TheFileEndsWhereItsSuperblockSays) {
  const std::string whole = bytes();
  std::string changed = whole;
  put(changed, kEndOfFile, whole.size() - 700);
  write(changed);
  expect_refused("goes on after the end that its superblock names");
  write(whole + "x");
  expect_refused("goes on after the end that its superblock names");
  write(whole.substr(0, whole.size() - 1));
  expect_refused("is cut off, or was not closed by its writer");
}

TEST_F(Hdf5Guarded, RefusesTwoLinksOfOneName) {
  std::string changed = bytes();
  const std::size_t at = changed.find(std::string("\0norm.bias\0", 11));  // in the heap of names
  ASSERT_NE(at, std::string::npos);
  changed.replace(at + 1, 9, "head.bias");
  write(changed);
  expect_refused("has two links of one name");
}

// libhdf5 reads the beginning of a message where as much as one byte is left.
TEST_F(Hdf5Guarded, ContinuationsHoldAWholeMessage) {
  constexpr std::size_t kEntries = 8, kHeader = 8, kMessages = 16, kPrefix = 8;
  const std::string whole = bytes();
  std::size_t tried = 0;
  for (const std::size_t node : all(whole, "SNOD")) {
    const std::size_t header = number(whole, node + kEntries + kHeader);
    std::size_t at = header + kMessages, length = 0;
    for (int i = 0; i < whole[header + 2]; ++i, at += kPrefix + length) {
      length = number(whole, at + 2) & 0xFFFFU;
      if (whole[at] != 0 || whole[at + 1] != 0 || length < 16) continue;  // room for more messages is what we look for
      for (const unsigned bytes : {1U, 4U, 7U}) {
        std::string changed = whole;
        changed[at] = 16;  // a continuation
        put(changed, at + kPrefix, whole.size() - bytes);
        put(changed, at + kPrefix + 8, bytes);
        write(changed);
        expect_refused("header is damaged");
        ++tried;
      }
    }
  }
  EXPECT_GT(tried, 0U);
}

TEST_F(Hdf5Guarded, AnArrayOfChunksHasElementsAsLongAsLibhdf5ReadsThem) {
  constexpr std::size_t kClient = 5, kElement = 6;
  write_chunks(true);
  const std::size_t filtered = only(bytes(), "FAHD");
  EXPECT_EQ(changed_chunks([&](std::string& bytes) { --bytes[filtered + kElement]; }), "its header is damaged");
  // Addresses alone, of chunks that are packed.
  EXPECT_EQ(changed_chunks([&](std::string& bytes) {
              bytes[filtered + kClient] = 0;
              bytes[filtered + kElement] = 8;
              bytes[only(bytes, "FADB") + kClient] = 0;
            }),
            "its header is damaged");
  write_chunks(false);
  const std::size_t plain = only(bytes(), "FAHD");
  EXPECT_EQ(changed_chunks([&](std::string& bytes) { ++bytes[plain + kElement]; }), "its header is damaged");
}

// 2^33 of them, in a file whose chunks lie one after the other and have no index.
TEST_F(Hdf5Guarded, DoesNotCountChunksThatAreTooMany) {
  write_chunks(false, H5D_ALLOC_TIME_EARLY);
  EXPECT_EQ(changed_chunks([](std::string& bytes) {
              const std::size_t space = only(bytes, std::string("\x02\x01\x01\x01\x64\0\0\0\0\0\0\0", 12));
              const std::size_t header = bytes.rfind("OHDR", space), end = checksum_of_header(bytes, header);
              EXPECT_EQ(checksum(std::string_view(bytes).substr(header, end - header)),
                        number(bytes, end) & UINT32_MAX);
              put(bytes, space + 4, std::uint64_t{1} << 35);
              put(bytes, space + 12, std::uint64_t{1} << 35);
              const std::uint32_t sum = checksum(std::string_view(bytes).substr(header, end - header));
              std::memcpy(bytes.data() + end, &sum, sizeof(sum));
            }),
            "has more than 8192 chunks");
}

// libhdf5 keeps 32 bits of them, and divides by what is left.
TEST_F(Hdf5Guarded, ChunksAreNotLongerThanLibhdf5Keeps) {
  write_chunks(false);
  EXPECT_EQ(changed_chunks([](std::string& bytes) {
              // The layout: version 4, chunked, no flags, two dimensions of one byte: 4 elements of 1 byte.
              const std::size_t layout = only(bytes, std::string("\x04\x02\x00\x02\x01\x04\x01", 7));
              bytes[layout + 4] = 5;
              put(bytes, layout + 5, std::uint64_t{1} << 32);
            }),
            "has chunks of 4 GiB or more");
}

// Up to eight links of the newer format stand in a group's header, more in a heap with a tree, of one level and
// several.
TEST_F(Hdf5Guarded, FindsEveryNameInGroupsOfEverySize) {
  for (const H5F_libver_t format : {H5F_LIBVER_EARLIEST, H5F_LIBVER_LATEST}) {
    for (const int count : {0, 1, 8, 9, 40, 2500}) {
      const hid_t access = H5Pcreate(H5P_FILE_ACCESS);
      H5Pset_libver_bounds(access, format, H5F_LIBVER_LATEST);
      const hid_t file = H5Fcreate(path_.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, access);
      const hid_t group = H5Gcreate2(file, "/many", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
      create(file, H5T_STD_U8LE, {7}, H5P_DEFAULT, kZeros, "/one");
      std::vector<std::string> names;
      for (int i = 0; i < count; ++i) {
        names.push_back("tensor." + std::to_string(i) + std::string(static_cast<std::size_t>(i % 50), 'x'));
        H5Lcreate_hard(file, "/one", group, names.back().c_str(), H5P_DEFAULT, H5P_DEFAULT);
      }
      std::ranges::sort(names);
      H5Gclose(group);
      ASSERT_GE(H5Fclose(file), 0);
      H5Pclose(access);
      const Hdf5Reader reader(path_);
      const Hdf5Links links = reader.links("/many", 10'000);
      EXPECT_EQ(links.count, names.size());
      EXPECT_EQ(links.names, names) << count;
      EXPECT_EQ(reader.links("/many", 3).names.size(), std::min<std::size_t>(3, names.size()));
      for (const std::string& name : names) {
        ASSERT_EQ(reader.locate_vector("/many/" + name, Hdf5Type::kUint8, 7).shape, (Shape{7})) << name;
        if (count > 1000 && name > "tensor.12") break;
      }
      EXPECT_THROW(reader.locate_vector("/many/none", Hdf5Type::kUint8, 7), ModelFileError);
    }
  }
}

// Whatever single byte of the structures is another, the file is read or refused.
TEST_F(Hdf5Guarded, OutlivesAnyChangedByte) {
  fs::copy_file(fs::path(TESSERA_TEST_DATA) / "weights" / "h5py_v110.h5", path_, fs::copy_options::overwrite_existing);
  const std::string newer = bytes();
  save_model_file(path_, tiny_model().card, tiny_model().weights);
  for (const std::string& whole : {bytes(), newer}) {
    for (std::size_t at = 0; at < whole.size(); at += at < 4096 ? 31 : 331) {
      std::string changed = whole;
      changed[at] = static_cast<char>(changed[at] ^ (at % 3 == 0 ? 0x80 : 0x11));
      write(changed);
      try {
        load_model_file(path_, {.verify = false, .threads = 1});
      } catch (const ModelFileError&) {
        continue;
      }
    }
  }
}

}  // namespace
}  // namespace tessera
