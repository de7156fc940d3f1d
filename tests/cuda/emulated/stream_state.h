#pragma once
// What streams, events and graphs are made of; shared by stream.cpp and runtime.cpp alone.

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

#include "tests/cuda/emulated/control.h"
#include "tests/cuda/emulated/stream.h"

namespace tessera::emulated {

struct Stream;

// A place in a stream's queue.
struct Marker {
  Stream* stream = nullptr;
  bool passed = false;
  std::int64_t time = 0;  // made up: operations run before it
};

// Operations and, of each, those that must have run before it.
struct GraphWork {
  struct Step {
    Operation operation;
    std::vector<std::size_t> after;
  };
  std::vector<Step> steps;
};

struct Capture {
  std::shared_ptr<GraphWork> graph = std::make_shared<GraphWork>();
  Stream* origin = nullptr;
  cudaStreamCaptureMode mode = cudaStreamCaptureModeGlobal;
  std::thread::id thread;
  std::map<Stream*, std::vector<std::size_t>> frontier;  // of each stream that takes part: its last steps
};

struct Item {
  Operation operation;                     // run() empty: none
  std::shared_ptr<GraphWork> graph;        // a graph's launch
  std::shared_ptr<Marker> record, awaits;  // an event
};

struct Stream {
  std::int64_t number = 0;
  bool blocking = false;  // with the default stream
  std::deque<Item> queue;
  std::shared_ptr<Capture> capture;
  bool destroyed = false;
};

struct Event {
  std::int64_t number = 0;
  bool timing = true;
  std::shared_ptr<Marker> marker;
  std::shared_ptr<Capture> capture;  // recorded in a capture: the steps it stands for
  std::vector<std::size_t> steps;
};

struct State {
  static State& instance();

  std::recursive_mutex mutex;
  Schedule schedule;
  Counts counts;
  Stream default_stream;
  std::vector<std::unique_ptr<Stream>> streams;  // destroyed ones as well, as their work may be queued
  std::set<Event*> events;
  std::set<GraphWork*> graphs, executables;
  std::map<GraphWork*, std::shared_ptr<GraphWork>> owned;
  std::vector<std::shared_ptr<Capture>> captures;  // under way
  std::map<const void*, std::size_t> shared_limits;
  std::map<std::string, std::int64_t> handles;  // live library handles and descriptors, by kind
  std::int64_t numbers = 0;
  std::int64_t clock = 0;
  std::uint64_t shuffles = 0;

  Stream& stream_of(cudaStream_t stream);
  void append(Stream& stream, Item item);
  void run_until(Stream& stream, const Marker* marker);
  void run_item(Item& item);
  void run_graph(const GraphWork& graph);
  void run_operation(const Operation& operation);
};

using Lock = std::lock_guard<std::recursive_mutex>;

// Counts a library handle or descriptor; `change` is 1 or -1.
void count_handle(const std::string& kind, int change);

}  // namespace tessera::emulated
