#pragma once
// Makes libhdf5 read through a descriptor that is already open, not by name. The library looks a name up again
// (realpath), when it may belong to another file, and files in memory (memfd) have no name. Private to weights/.

#include "weights/hdf5_handles.h"
#include "weights/input_file.h"

namespace tessera {

// An invalid handle where libhdf5 refuses the file. Reads end where the file ended when it was opened; nothing is ever
// written. `file` must outlive the handle.
FileHandle open_hdf5(const InputFile& file);

}  // namespace tessera
