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

#define TESSERA_PLUGIN_ABI 1u
#define TESSERA_MOST_RANK 5
#define TESSERA_MOST_INPUTS 16

typedef struct TesseraError {
  char message[1024];
} TesseraError;

typedef enum TesseraDType { TESSERA_F32 = 0, TESSERA_F16 = 1, TESSERA_BF16 = 2 } TesseraDType;

/* The values of tessera's ActivationKind. */
typedef enum TesseraActivation {
  TESSERA_NONE = 0,
  TESSERA_RELU = 1,
  TESSERA_RELU6 = 2,
  TESSERA_SILU = 3,
  TESSERA_HARD_SWISH = 4,
  TESSERA_GELU = 5,
  TESSERA_SIGMOID = 6
} TesseraActivation;

/* Layers as layers/ defines them; beside each the weights that it takes, as its prepare() leaves them. A patch
 * embedding is a convolution whose output is given as pixels. */
typedef enum TesseraLayerKind {
  TESSERA_CONV2D = 0,         /* [O, KH, KW, C / groups], bias [O] if `bias`; depthwise: [KH, KW, C] */
  TESSERA_LINEAR = 1,         /* [O, C], bias [O] if `bias` */
  TESSERA_ATTENTION = 2,      /* none */
  TESSERA_LAYER_NORM = 3,     /* weight [C], bias [C] */
  TESSERA_SCALE_SHIFT = 4,    /* scale [C], and shift [C] where there is one: batch norm, layer scale */
  TESSERA_TOKEN_EMBED = 5,    /* prefix [P, D], positions [T, D] */
  TESSERA_TOKEN_MEAN = 6,     /* the mean of tokens [first, first + count) */
  TESSERA_POOL2D = 7,         /* none */
  TESSERA_GLOBAL_AVERAGE = 8, /* none */
  TESSERA_ACTIVATE = 9,       /* none */
  TESSERA_SOFTMAX = 10,       /* over the last dimension */
  TESSERA_ADD = 11,           /* two inputs */
  TESSERA_MULTIPLY = 12,      /* x [N, H, W, C], gate [N, 1, 1, C] */
  TESSERA_CONCAT = 13,        /* along the last dimension */
  TESSERA_FLATTEN = 14,       /* [N, H, W, C] -> [N, C * H * W] */
  TESSERA_COPY = 15           /* the same values in the same order */
} TesseraLayerKind;

/* Which fields count is up to the kind; the others are 0. Pairs are height, width. */
typedef struct TesseraLayer {
  int32_t kind;
  int32_t activation;
  int32_t bias;
  int32_t residual; /* the last input is added before the activation */
  int32_t depthwise;
  int32_t maximum;           /* pooling: the largest, else the mean */
  int32_t count_include_pad; /* pooling */
  float epsilon;
  int64_t kernel[2], stride[2], dilation[2];
  int64_t padding[2];       /* rows above, columns left */
  int64_t padding_after[2]; /* rows below, columns right */
  int64_t groups;
  int64_t heads;
  int64_t first, count; /* tokens */
} TesseraLayer;

typedef struct TesseraTensor {
  int32_t dtype;
  int32_t rank;
  int64_t size[TESSERA_MOST_RANK];
} TesseraTensor;

typedef struct TesseraWeight {
  const float* values; /* host memory, read during prepare() alone */
  int64_t count;
} TesseraWeight;

typedef struct TesseraRequest {
  TesseraLayer layer;
  int32_t input_count, weight_count;
  TesseraTensor inputs[TESSERA_MOST_INPUTS];
  TesseraTensor output; /* at the largest batch */
  const TesseraWeight* weights;
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
  int32_t input_slots;  /* 2: the next pictures are copied while these are worked on */
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
