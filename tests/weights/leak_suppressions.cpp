// libhdf5 leaks a little where it gives up on a damaged header; LeakSanitizer asks for what to overlook by this name.
extern "C" const char* __lsan_default_suppressions() { return "leak:libhdf5\n"; }
