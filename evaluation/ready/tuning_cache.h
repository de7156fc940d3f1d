#pragma once
// Keeps the results of tuning on this machine between runs, in $TESSERA_HOME/tuning.json: one set of choices for each
// processor and version of tessera, as JSON {"processor and version": {"layer": "way"}}.

#include <filesystem>
#include <string>

#include "cpu/cpu_backend.h"

namespace tessera {

std::filesystem::path tuning_cache_path();

// The choices for this machine. A cache that is missing or cannot be read counts as empty: tuning measures again.
KernelChoices read_tuning_cache();
// Adds choices to those of this machine and leaves other machines' choices alone. Processes wait for each other. Throws
// ResourceError.
void write_tuning_cache(const KernelChoices& choices);

}  // namespace tessera
