/* Plugins that must be refused, by what is defined: FAKE_ABI, another number; FAKE_LEAVES_OUT_THE_TABLE; FAKE_NEEDS_GONE,
 * a library that is not there; nothing: one whose device cannot be opened. */
#include <string.h>

#include "device/plugin.h"

#ifndef FAKE_ABI
#define FAKE_ABI TESSERA_PLUGIN_ABI
#endif

uint32_t tessera_plugin_abi(void) { return FAKE_ABI; }

#ifdef FAKE_NEEDS_GONE
int tessera_gone(void);
int call_gone(void);
int call_gone(void) { return tessera_gone(); }
#endif

#ifndef FAKE_LEAVES_OUT_THE_TABLE
static int refuse(int32_t index, const TesseraOptions* options, TesseraDevice** device, TesseraError* error) {
  (void)index;
  (void)options;
  (void)device;
  strcpy(error->message, "the device is asleep");
  return 7;
}

const TesseraPlugin* tessera_plugin(void) {
  static TesseraPlugin table;
#ifdef FAKE_TABLE_BYTES
  table.table_bytes = FAKE_TABLE_BYTES;
#else
  table.table_bytes = sizeof(TesseraPlugin);
#endif
  table.request_bytes = sizeof(TesseraRequest);
  table.name = "cuda";
  table.open = refuse;
  return &table;
}
#endif
