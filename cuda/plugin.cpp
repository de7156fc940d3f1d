// The C ABI of device/plugin.h over the plugin's C++: no exception gets through.

#include "device/plugin.h"

#include <cstdio>
#include <exception>
#include <new>

#include "cuda/prepared.h"

namespace tessera::cuda {

namespace {

template <class Call>
int guarded(TesseraError* error, const Call& call) noexcept {
  const auto tell = [&](int code, const char* message) {
    std::snprintf(error->message, sizeof(error->message), "%s", message);
    return code;
  };
  try {
    call();
    return 0;
  } catch (const Failure& failure) {
    return tell(failure.code(), failure.what());
  } catch (const std::bad_alloc&) {
    return tell(kResource, "out of memory");
  } catch (const std::exception& exception) {
    return tell(kInternal, exception.what());
  }
}

template <std::size_t Size>
void copy_text(const std::string& from, char (&to)[Size]) {
  std::snprintf(to, Size, "%s", from.c_str());
}

int open_device(std::int32_t index, const TesseraOptions* options, TesseraDevice** device, TesseraError* error) {
  return guarded(error, [&] { *device = new TesseraDevice(index, *options); });
}
void close_device(TesseraDevice* device) { delete device; }
void facts(const TesseraDevice* device, TesseraFacts* facts) { *facts = device->facts(); }

int prepare_kernel(TesseraDevice* device, const TesseraRequest* request, TesseraKernel** kernel, TesseraError* error) {
  return guarded(error, [&] {
    device->use();
    *kernel = prepare(*device, *request).release();
  });
}
void release_kernel(TesseraKernel* kernel) { delete kernel; }
void kernel_facts(const TesseraKernel* kernel, TesseraKernelFacts* facts) {
  copy_text(kernel->implementation, facts->implementation);
  copy_text(kernel->choice, facts->choice);
  facts->scratch_bytes = kernel->scratch_bytes;
  facts->weight_bytes = kernel->weight_bytes;
}

int open_queue(TesseraDevice* device, const TesseraQueueRequest* request, TesseraQueue** queue, TesseraError* error) {
  return guarded(error, [&] {
    device->use();
    *queue = new TesseraQueue(*device, *request);
  });
}
void release_queue(TesseraQueue* queue) { delete queue; }
void* arena(const TesseraQueue* queue) { return queue->arena(); }
void* scratch(const TesseraQueue* queue) { return queue->scratch(); }

// What a queue does, on its device: calls may come from any thread.
template <class Call>
int on_queue(TesseraQueue* queue, TesseraError* error, const Call& call) noexcept {
  return guarded(error, [&] {
    queue->device().use();
    call();
  });
}

int upload(TesseraQueue* queue, std::int32_t slot, const void* values, std::int64_t bytes, const void** address,
           TesseraError* error) {
  return on_queue(queue, error, [&] { *address = queue->upload(slot, values, static_cast<std::size_t>(bytes)); });
}
int release_slot(TesseraQueue* queue, std::int32_t slot, TesseraError* error) {
  return on_queue(queue, error, [&] { queue->release_slot(slot); });
}
int run(const TesseraKernel* kernel, TesseraQueue* queue, const void* const* inputs, void* output, void* scratch,
        std::int64_t batch, TesseraError* error) {
  return on_queue(queue, error, [&] {
    kernel->run({.inputs = inputs,
                 .output = output,
                 .scratch = static_cast<std::byte*>(scratch),
                 .batch = batch,
                 .queue = *queue});
  });
}
int download(TesseraQueue* queue, const void* from, void* values, std::int64_t bytes, TesseraError* error) {
  return on_queue(queue, error, [&] { queue->download(from, values, static_cast<std::size_t>(bytes)); });
}
int synchronise(TesseraQueue* queue, TesseraError* error) {
  return on_queue(queue, error, [&] { queue->synchronise(); });
}
int mark(TesseraQueue* queue, std::int32_t index, TesseraError* error) {
  return on_queue(queue, error, [&] { queue->mark(index); });
}
int between_ns(TesseraQueue* queue, std::int32_t first, std::int32_t second, std::int64_t* ns, TesseraError* error) {
  return on_queue(queue, error, [&] { *ns = queue->between_ns(first, second); });
}
int begin_recording(TesseraQueue* queue, TesseraError* error) {
  return on_queue(queue, error, [&] { queue->begin_recording(); });
}
int end_recording(TesseraQueue* queue, std::int64_t id, TesseraError* error) {
  return on_queue(queue, error, [&] { queue->end_recording(id); });
}
int replay(TesseraQueue* queue, std::int64_t id, TesseraError* error) {
  return on_queue(queue, error, [&] { queue->replay(id); });
}

constexpr TesseraPlugin kPlugin{
    .table_bytes = sizeof(TesseraPlugin),
    .request_bytes = sizeof(TesseraRequest),
    .name = "cuda",
    .open = open_device,
    .close = close_device,
    .facts = facts,
    .prepare = prepare_kernel,
    .release_kernel = release_kernel,
    .kernel_facts = kernel_facts,
    .open_queue = open_queue,
    .release_queue = release_queue,
    .arena = arena,
    .scratch = scratch,
    .upload = upload,
    .release_slot = release_slot,
    .run = run,
    .download = download,
    .synchronise = synchronise,
    .mark = mark,
    .between_ns = between_ns,
    .begin_recording = begin_recording,
    .end_recording = end_recording,
    .replay = replay,
};

}  // namespace

}  // namespace tessera::cuda

#define TESSERA_EXPORT extern "C" __attribute__((visibility("default")))

TESSERA_EXPORT std::uint32_t tessera_plugin_abi() { return TESSERA_PLUGIN_ABI; }
TESSERA_EXPORT const TesseraPlugin* tessera_plugin() { return &tessera::cuda::kPlugin; }
