#pragma once
// libhdf5 reads through a descriptor that is open already, not by a name. A name is looked up again by the library
// (realpath), when another file may stand under it, and files in memory (memfd) have none. Private to weights/.

#include "weights/hdf5_handles.h"
#include "weights/input_file.h"

namespace tessera {

// Invalid where libhdf5 refuses the file. Reads end where the file ended when it was opened; nothing is ever written.
// `file` must outlive the handle.
FileHandle open_hdf5(const InputFile& file);

}  // namespace tessera
