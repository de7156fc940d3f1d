// libhdf5 leaks a little where it gives up on a damaged header; LeakSanitizer asks for what to overlook by this name.
// The second is for a libhdf5 that is linked in (scripts/fuzz_hdf5.sh): its functions begin so.
extern "C" const char* __lsan_default_suppressions() { return "leak:libhdf5\nleak:^H5\n"; }
