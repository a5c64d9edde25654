// oneDNN through its C interface, declared here as far as it is used: dnnl_sgemm of every version, and the matmul
// primitive of version 3, whose weights may be reordered before to the layout that it prefers.
#include <array>
#include <cstdint>

#include "peers.h"

namespace carillon::bench {
namespace {

using Status = int;    // 0: success
using Handle = void*;  // engines, streams, memory, descriptors and primitives
using Dimensions = std::array<int64_t, 12>;

constexpr int kCpu = 1;
constexpr unsigned kInOrder = 1;
constexpr int kFloat = 3;
constexpr int kAnyLayout = 1;
constexpr int kWeightsDescriptor = 131;
constexpr int kSource = 1, kDestination = 17, kWeights = 33;

struct Version {
  int major, minor, patch;
  const char* hash;
  unsigned cpu_runtime, gpu_runtime;
};

struct Operand {
  int role;
  Handle memory;
};

struct Functions {
  const Version* (*version)();
  Status (*sgemm)(char a_transposed, char b_transposed, int64_t m, int64_t n, int64_t k, float alpha, const float* a,
                  int64_t a_stride, const float* b, int64_t b_stride, float beta, float* c, int64_t c_stride);
  Status (*engine_create)(Handle*, int kind, size_t index);
  Status (*stream_create)(Handle*, Handle engine, unsigned flags);
  Status (*stream_wait)(Handle stream);
  Status (*with_strides)(Handle*, int rank, const int64_t* dimensions, int type, const int64_t* strides);
  Status (*with_tag)(Handle*, int rank, const int64_t* dimensions, int type, int tag);
  Status (*memory_create)(Handle*, Handle descriptor, Handle engine, void* data);
  Status (*matmul)(Handle*, Handle engine, Handle source, Handle weights, Handle bias, Handle destination,
                   Handle attributes);
  Status (*reorder)(Handle*, Handle from, Handle from_engine, Handle to, Handle to_engine, Handle attributes);
  Handle (*query)(Handle primitive_descriptor, int what, int index);
  Status (*primitive_create)(Handle*, Handle primitive_descriptor);
  Status (*execute)(Handle primitive, Handle stream, int count, const Operand* operands);
};

bool find_primitives(const Library& library, Functions& f) {
  return library.find("dnnl_engine_create", f.engine_create) && library.find("dnnl_stream_create", f.stream_create) &&
         library.find("dnnl_stream_wait", f.stream_wait) &&
         library.find("dnnl_memory_desc_create_with_strides", f.with_strides) &&
         library.find("dnnl_memory_desc_create_with_tag", f.with_tag) &&
         library.find("dnnl_memory_create", f.memory_create) &&
         library.find("dnnl_matmul_primitive_desc_create", f.matmul) &&
         library.find("dnnl_reorder_primitive_desc_create", f.reorder) &&
         library.find("dnnl_primitive_desc_query_md", f.query) &&
         library.find("dnnl_primitive_create", f.primitive_create) && library.find("dnnl_primitive_execute", f.execute);
}

// oneAPI TBB: an object that limits its threads while it lives (tbb::global_control, whose constructor is inline).
struct TbbLimit {
  size_t value;
  intptr_t reserved;
  int parameter;  // 0: threads
};

// Layouts that the primitive takes: element (i, j) at i·row + j·column.
Dimensions strides_of(bool transposed, size_t rows, size_t columns) {
  return transposed ? Dimensions{1, static_cast<int64_t>(rows)} : Dimensions{static_cast<int64_t>(columns), 1};
}

class OneDnn final : public Peer {
 public:
  OneDnn(const Library& library, const Functions& functions, bool primitives) : f_(functions) {
    library.find("omp_set_num_threads", omp_threads_);
    library.find("_ZN3tbb6detail2r16createERNS0_2d114global_controlE", tbb_limit_);
    primitives_ =
        primitives && f_.engine_create(&engine_, kCpu, 0) == 0 && f_.stream_create(&stream_, engine_, kInOrder) == 0;
  }

  std::string version() const override {
    const Version& v = *f_.version();
    return "oneDNN " + std::to_string(v.major) + "." + std::to_string(v.minor) + "." + std::to_string(v.patch);
  }

  void set_threads(int threads) override {
    if (omp_threads_ != nullptr) {
      omp_threads_(threads);
    } else if (tbb_limit_ != nullptr) {
      limit_ = {static_cast<size_t>(threads), 0, 0};
      tbb_limit_(limit_);
    }
  }

  std::vector<PeerWay> ways(const Product& p, bool prepacked) override {
    std::vector<PeerWay> all{sgemm_way(p)};
    if (!primitives_) return all;
    for (const bool packed : {false, true}) {
      if (packed && !prepacked) continue;
      PeerWay way = matmul_way(p, packed);
      if (way.run) all.push_back(std::move(way));
    }
    return all;
  }

 private:
  PeerWay sgemm_way(const Product& p) const {
    const auto sgemm = f_.sgemm;
    return {"onednn", "sgemm", [sgemm, p] {
              const auto m = static_cast<int64_t>(p.m), n = static_cast<int64_t>(p.n), k = static_cast<int64_t>(p.k);
              sgemm(p.a_transposed ? 'T' : 'N', p.b_transposed ? 'T' : 'N', m, n, k, 1.0f, p.a, p.a_transposed ? m : k,
                    p.b, p.b_transposed ? k : n, 0.0f, p.c, n);
            }};
  }

  // nullptr where the library refuses.
  Handle descriptor(size_t rows, size_t columns, const Dimensions* strides) const {
    const Dimensions dimensions{static_cast<int64_t>(rows), static_cast<int64_t>(columns)};
    Handle made = nullptr;
    const Status status = strides != nullptr ? f_.with_strides(&made, 2, dimensions.data(), kFloat, strides->data())
                                             : f_.with_tag(&made, 2, dimensions.data(), kFloat, kAnyLayout);
    return status == 0 ? made : nullptr;
  }

  Handle memory(Handle described, void* data) const {
    Handle made = nullptr;
    return f_.memory_create(&made, described, engine_, data) == 0 ? made : nullptr;
  }

  // Weights in the layout of `wanted`, memory of the library.
  Handle reordered(Handle from_descriptor, Handle from, Handle wanted) const {
    void* const allocate = reinterpret_cast<void*>(~uintptr_t{0});
    Handle to = memory(wanted, allocate), described = nullptr, primitive = nullptr;
    if (to == nullptr || f_.reorder(&described, from_descriptor, engine_, wanted, engine_, nullptr) != 0 ||
        f_.primitive_create(&primitive, described) != 0) {
      return nullptr;
    }
    const Operand operands[] = {{kSource, from}, {kDestination, to}};
    return f_.execute(primitive, stream_, 2, operands) == 0 && f_.stream_wait(stream_) == 0 ? to : nullptr;
  }

  // Handles live as long as the process: one product a row of the benchmark.
  PeerWay matmul_way(const Product& p, bool packed) const {
    const Dimensions a = strides_of(p.a_transposed, p.m, p.k);
    const Dimensions b = strides_of(p.b_transposed, p.k, p.n);
    const Dimensions c = strides_of(false, p.m, p.n);
    Handle source = descriptor(p.m, p.k, &a), plain = descriptor(p.k, p.n, &b);
    Handle weights = packed ? descriptor(p.k, p.n, nullptr) : plain;
    Handle destination = descriptor(p.m, p.n, &c);
    Handle described = nullptr, primitive = nullptr;
    if (f_.matmul(&described, engine_, source, weights, nullptr, destination, nullptr) != 0 ||
        f_.primitive_create(&primitive, described) != 0) {
      return {};
    }
    Handle weights_memory = memory(plain, const_cast<float*>(p.b));
    if (packed) weights_memory = reordered(plain, weights_memory, f_.query(described, kWeightsDescriptor, 0));
    Handle source_memory = memory(source, const_cast<float*>(p.a));
    Handle destination_memory = memory(destination, p.c);
    if (weights_memory == nullptr || source_memory == nullptr || destination_memory == nullptr) return {};
    const std::array<Operand, 3> operands{
        {{kSource, source_memory}, {kWeights, weights_memory}, {kDestination, destination_memory}}};
    const auto execute = f_.execute;
    const auto wait = f_.stream_wait;
    Handle stream = stream_;
    return {"onednn", packed ? "matmul packed" : "matmul", [=] {
              execute(primitive, stream, 3, operands.data());
              wait(stream);
            }};
  }

  Functions f_;
  Handle engine_ = nullptr;
  Handle stream_ = nullptr;
  bool primitives_ = false;
  void (*omp_threads_)(int) = nullptr;
  void (*tbb_limit_)(TbbLimit&) = nullptr;
  TbbLimit limit_{};
};

}  // namespace

std::unique_ptr<Peer> make_onednn(const Library& library, std::string& why) {
  Functions f{};
  if (!library.find("dnnl_version", f.version) || !library.find("dnnl_sgemm", f.sgemm)) {
    why = "functions of oneDNN are missing";
    return nullptr;
  }
  const bool primitives = f.version()->major >= 3 && find_primitives(library, f);
  return std::make_unique<OneDnn>(library, f, primitives);
}

}  // namespace carillon::bench
