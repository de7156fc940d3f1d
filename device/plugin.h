/* The C ABI between tessera and a device's plugin (tessera_cuda.so).
 *
 * A plugin exports two functions. tessera_plugin_abi() is asked first: plugin and program work together only when it
 * returns the TESSERA_PLUGIN_ABI that the program was built with. tessera_plugin() then gives the table of all else.
 * Whoever changes anything in this file adds one to the number.
 *
 * Plain C, so that a plugin may come from another compiler; no exception passes. A function that can fail returns 0, or
 * the ErrorKind of core/error.h (7: the device) with a message in `error`. Addresses of device memory are `void*` that
 * the host must not read. Different kernels may be prepared, and different queues used, by several threads at once. */
#ifndef TESSERA_DEVICE_PLUGIN_H
#define TESSERA_DEVICE_PLUGIN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TESSERA_PLUGIN_ABI 2u
#define TESSERA_MOST_RANK 5
#define TESSERA_MOST_INPUTS 16

typedef struct TesseraError {
  char message[1024];
} TesseraError;

typedef enum TesseraDType {
  TESSERA_F32 = 0,
  TESSERA_F16 = 1,
  TESSERA_BF16 = 2,
  TESSERA_I32 = 3,
  TESSERA_I64 = 4
} TesseraDType;

typedef enum TesseraTag {
  TESSERA_INTEGER = 0, /* integers[0]; of a truth value 0 or 1 */
  TESSERA_PAIR = 1,    /* integers: height, width */
  TESSERA_REAL = 2,    /* real */
  TESSERA_TEXT = 3     /* text: the name of one of several kinds, "relu" */
} TesseraTag;

/* One attribute of a layer. */
typedef struct TesseraField {
  const char* key; /* "stride" */
  int32_t tag;
  int64_t integers[2];
  double real;
  const char* text;
} TesseraField;

/* A layer as layers/ defines it: its name there and all its attributes by their names there, those of a layer within a
 * layer as "expand.stride". An optional attribute that is not set is not among them. A plugin refuses, with code 2 and
 * in words, a layer or an attribute that it does not know: another layer, or another attribute, is no other ABI. */
typedef struct TesseraLayer {
  const char* name; /* "Conv2d" */
  int32_t field_count;
  const TesseraField* fields;
} TesseraLayer;

typedef struct TesseraTensor {
  int32_t dtype;
  int32_t rank;
  int64_t size[TESSERA_MOST_RANK];
} TesseraTensor;

typedef struct TesseraWeight {
  const float* values; /* host memory, read during prepare() alone, as is all that a request points to */
  int64_t count;
} TesseraWeight;

typedef struct TesseraRequest {
  TesseraLayer layer;
  int32_t input_count, weight_count;
  TesseraTensor inputs[TESSERA_MOST_INPUTS];
  TesseraTensor output;         /* at the largest batch */
  const TesseraWeight* weights; /* as the prepare() of the layer in layers/ leaves them */
  const char* choice; /* "": by rule; "measure": the fastest; else what kernel_facts() called the choice before */
} TesseraRequest;

typedef struct TesseraOptions {
  int32_t tf32;  /* products of float32 may be taken in TF32 */
  int32_t exact; /* no algorithm that trades digits for speed */
} TesseraOptions;

typedef struct TesseraFacts {
  char name[256];
  char libraries[256];  /* "CUDA 13.0, driver 13.0, cuBLASLt 13.1, cuDNN 9.19" */
  int32_t major, minor; /* compute capability */
  int32_t multiprocessors;
  int32_t has_bf16, has_tf32; /* it multiplies them */
  int32_t emulated;           /* not hardware: never timed, never reported as a GPU */
  int64_t memory_bytes;
} TesseraFacts;

typedef struct TesseraKernelFacts {
  char implementation[64];
  char choice[128]; /* "" where there is nothing to choose */
  int64_t scratch_bytes, weight_bytes;
} TesseraKernelFacts;

typedef struct TesseraQueueRequest {
  int64_t arena_bytes, scratch_bytes;
  int64_t input_bytes;  /* of one upload at most */
  int64_t output_bytes; /* of all downloads between two synchronisations at most */
  int32_t input_slots;  /* one for each input; twice as many where the next are copied while these are worked on */
  int32_t marks;        /* moments that can be noted */
} TesseraQueueRequest;

typedef struct TesseraDevice TesseraDevice;
typedef struct TesseraKernel TesseraKernel;
typedef struct TesseraQueue TesseraQueue;

typedef struct TesseraPlugin {
  size_t table_bytes, request_bytes; /* sizeof(TesseraPlugin), sizeof(TesseraRequest): a second look at the ABI */
  const char* name;                  /* "cuda" */

  /* Opens device `index`. Fails with 7 when there is none, no driver, or it is too old. */
  int (*open)(int32_t index, const TesseraOptions* options, TesseraDevice** device, TesseraError* error);
  void (*close)(TesseraDevice* device);
  void (*facts)(const TesseraDevice* device, TesseraFacts* facts);

  int (*prepare)(TesseraDevice* device, const TesseraRequest* request, TesseraKernel** kernel, TesseraError* error);
  void (*release_kernel)(TesseraKernel* kernel);
  void (*kernel_facts)(const TesseraKernel* kernel, TesseraKernelFacts* facts);

  int (*open_queue)(TesseraDevice* device, const TesseraQueueRequest* request, TesseraQueue** queue,
                    TesseraError* error);
  void (*release_queue)(TesseraQueue* queue);
  /* Device addresses, fixed for the queue's life. */
  void* (*arena)(const TesseraQueue* queue);
  void* (*scratch)(const TesseraQueue* queue);

  /* Begins to copy host values to input slot `slot`; `values` may be changed as soon as this returns. *address is where
   * kernels that are run after this find them. */
  int (*upload)(TesseraQueue* queue, int32_t slot, const void* values, int64_t bytes, const void** address,
                TesseraError* error);
  /* Work put into the queue after this may overwrite the slot's pictures no earlier than all before has read them. */
  int (*release_slot)(TesseraQueue* queue, int32_t slot, TesseraError* error);
  /* Puts the kernel's work for a batch into the queue and returns. */
  int (*run)(const TesseraKernel* kernel, TesseraQueue* queue, const void* const* inputs, void* output, void* scratch,
             int64_t batch, TesseraError* error);
  /* Begins to copy device memory to `values`, which are there after synchronise(). */
  int (*download)(TesseraQueue* queue, const void* from, void* values, int64_t bytes, TesseraError* error);
  int (*synchronise)(TesseraQueue* queue, TesseraError* error);
  /* Notes when, on the device's clock, all work before is done; the time between two marks, after synchronise(). */
  int (*mark)(TesseraQueue* queue, int32_t index, TesseraError* error);
  int (*between_ns)(TesseraQueue* queue, int32_t first, int32_t second, int64_t* ns, TesseraError* error);

  /* What run() is called with between these two is recorded, not done, and can then be replayed as a whole. */
  int (*begin_recording)(TesseraQueue* queue, TesseraError* error);
  int (*end_recording)(TesseraQueue* queue, int64_t id, TesseraError* error);
  int (*replay)(TesseraQueue* queue, int64_t id, TesseraError* error);
} TesseraPlugin;

uint32_t tessera_plugin_abi(void);
const TesseraPlugin* tessera_plugin(void);

#ifdef __cplusplus
}
#endif

#endif
