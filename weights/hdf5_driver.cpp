#include "weights/hdf5_driver.h"

#if __has_include(<H5FDdevelop.h>)
#include <H5FDdevelop.h>  // from HDF5 1.14 on
#endif

#include <memory>
#include <new>

#include "core/error.h"
#include "weights/hdf5_chunk.h"

namespace tessera {

namespace {

struct Source {
  int descriptor;
  haddr_t bytes;
};

// libhdf5's open file: its own part comes first.
struct DriverFile {
  H5FD_t shared;
  Source source;
  haddr_t end_of_addresses;
};

const DriverFile& from(const H5FD_t* file) { return *reinterpret_cast<const DriverFile*>(file); }

H5FD_t* open_driver(const char*, unsigned flags, hid_t access, haddr_t) {
  const auto* source = static_cast<const Source*>(H5Pget_driver_info(access));
  if (source == nullptr || (flags & (H5F_ACC_RDWR | H5F_ACC_TRUNC | H5F_ACC_CREAT)) != 0) return nullptr;
  try {
    return &std::make_unique<DriverFile>(DriverFile{{}, *source, 0}).release()->shared;
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}

herr_t close_driver(H5FD_t* file) {
  const std::unique_ptr<DriverFile> owned(reinterpret_cast<DriverFile*>(file));
  return 0;
}

herr_t read_driver(H5FD_t* file, H5FD_mem_t, hid_t, haddr_t address, std::size_t size, void* to) {
  const Source& source = from(file).source;
  if (address > source.bytes || size > source.bytes - address) return -1;
  try {
    read_exactly(source.descriptor, address, {static_cast<std::byte*>(to), size});
  } catch (const ModelFileError&) {
    return -1;
  }
  return 0;
}

H5FD_class_t driver_class() {
  H5FD_class_t driver{};
#ifdef H5FD_CLASS_VERSION
  driver.version = H5FD_CLASS_VERSION;
  driver.value = static_cast<H5FD_class_value_t>(511);  // the last value for drivers that are not registered
#endif
  driver.name = "descriptor";
  driver.maxaddr = static_cast<haddr_t>(INT64_MAX);
  driver.fc_degree = H5F_CLOSE_STRONG;
  driver.fapl_size = sizeof(Source);
  driver.open = open_driver;
  driver.close = close_driver;
  driver.query = [](const H5FD_t*, unsigned long* features) -> herr_t {
    *features = 0;
    return 0;
  };
  driver.get_eoa = [](const H5FD_t* file, H5FD_mem_t) { return from(file).end_of_addresses; };
  driver.set_eoa = [](H5FD_t* file, H5FD_mem_t, haddr_t end) -> herr_t {
    reinterpret_cast<DriverFile*>(file)->end_of_addresses = end;
    return 0;
  };
  driver.get_eof = [](const H5FD_t* file, H5FD_mem_t) { return from(file).source.bytes; };
  driver.read = read_driver;
  driver.write = [](H5FD_t*, H5FD_mem_t, hid_t, haddr_t, std::size_t, const void*) -> herr_t { return -1; };
  return driver;
}

// Registered once and never unregistered: H5FD_close releases the driver before it calls the driver's own close, so a
// driver that nobody else holds would be gone by then.
hid_t driver() {
  static const hid_t registered = [] {
    const H5FD_class_t description = driver_class();
    return H5FDregister(&description);
  }();
  return registered;
}

}  // namespace

FileHandle open_hdf5(const InputFile& file) {
  const PropertiesHandle access(H5Pcreate(H5P_FILE_ACCESS));
  const Source source{file.descriptor(), file.bytes()};
  if (driver() < 0 || H5Pset_driver(access.get(), driver(), &source) < 0) {
    throw InternalError("libhdf5 does not take a file driver");
  }
  H5Pset_fclose_degree(access.get(), H5F_CLOSE_STRONG);
  return FileHandle(H5Fopen("/model", H5F_ACC_RDONLY, access.get()));
}

}  // namespace tessera
