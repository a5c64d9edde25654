// OpenBLAS, BLIS and MKL through cblas_sgemm; MKL also with a packed second operand.
#include <dlfcn.h>

#include <cstdlib>

#include "peers.h"
#include "runtime/memory.h"

namespace carillon::bench {
namespace {

// Values of the CBLAS interface and of MKL's extension.
enum : int { kRowMajor = 101, kPlain = 111, kTransposed = 112, kPacked = 151, kSecond = 162 };

using Sgemm = void(int order, int a_transposed, int b_transposed, int m, int n, int k, float alpha, const float* a,
                   int a_stride, const float* b, int b_stride, float beta, float* c, int c_stride);

int transpose(bool transposed) { return transposed ? kTransposed : kPlain; }
int a_stride(const Product& p) { return static_cast<int>(p.a_transposed ? p.m : p.k); }
int b_stride(const Product& p) { return static_cast<int>(p.b_transposed ? p.k : p.n); }

PeerWay plain_way(const std::string& name, Sgemm* sgemm, const Product& p) {
  return {name, "sgemm", [sgemm, p] {
            sgemm(kRowMajor, transpose(p.a_transposed), transpose(p.b_transposed), static_cast<int>(p.m),
                  static_cast<int>(p.n), static_cast<int>(p.k), 1.0f, p.a, a_stride(p), p.b, b_stride(p), 0.0f, p.c,
                  static_cast<int>(p.n));
          }};
}

class Blas final : public Peer {
 public:
  Blas(std::string name, std::string version, Sgemm* sgemm, void (*threads)(int))
      : name_(std::move(name)), version_(std::move(version)), sgemm_(sgemm), threads_(threads) {}

  std::string version() const override { return version_; }
  void set_threads(int threads) override { threads_(threads); }
  std::vector<PeerWay> ways(const Product& product, bool /*prepacked*/) override {
    return {plain_way(name_, sgemm_, product)};
  }

 private:
  std::string name_;
  std::string version_;
  Sgemm* sgemm_;
  void (*threads_)(int);
};

struct MklFunctions {
  Sgemm* sgemm;
  void (*threads)(int);
  void (*version)(char*, int);
  size_t (*pack_size)(int identifier, int m, int n, int k);
  void (*pack)(int order, int identifier, int transposed, int m, int n, int k, float alpha, const float* source,
               int stride, float* packed);
  void (*compute)(int order, int a_transposed, int b_transposed, int m, int n, int k, const float* a, int a_stride,
                  const float* b, int b_stride, float beta, float* c, int c_stride);
};

class Mkl final : public Peer {
 public:
  explicit Mkl(const MklFunctions& functions) : functions_(functions) {}

  std::string version() const override {
    char text[200] = {};
    functions_.version(text, sizeof text - 1);
    return text;
  }
  void set_threads(int threads) override { functions_.threads(threads); }

  std::vector<PeerWay> ways(const Product& p, bool prepacked) override {
    std::vector<PeerWay> all{plain_way("mkl", functions_.sgemm, p)};
    if (prepacked) all.push_back(packed_way(p));
    return all;
  }

 private:
  PeerWay packed_way(const Product& p) const {
    const int m = static_cast<int>(p.m), n = static_cast<int>(p.n), k = static_cast<int>(p.k);
    auto packed = std::make_shared<AlignedBuffer>(functions_.pack_size(kSecond, m, n, k));
    auto* b = reinterpret_cast<float*>(packed->data());
    functions_.pack(kRowMajor, kSecond, transpose(p.b_transposed), m, n, k, 1.0f, p.b, b_stride(p), b);
    const auto compute = functions_.compute;
    return {"mkl", "sgemm packed", [compute, p, packed, b, m, n, k] {
              compute(kRowMajor, transpose(p.a_transposed), kPacked, m, n, k, p.a, a_stride(p), b, b_stride(p), 0.0f,
                      p.c, n);
            }};
  }

  MklFunctions functions_;
};

}  // namespace

Library::Library(const std::string& path) : handle_(dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL)) {
  if (handle_ == nullptr) {
    const char* reason = dlerror();
    error_ = reason == nullptr ? "does not load" : reason;
  }
}

void* Library::symbol(const std::string& name) const { return dlsym(handle_, name.c_str()); }

std::unique_ptr<Peer> make_blas(const Library& library, const std::string& name, std::string& why) {
  Sgemm* sgemm = nullptr;
  void (*threads)(int) = nullptr;
  char* (*openblas_version)() = nullptr;
  const char* (*blis_version)() = nullptr;
  // The Python package of OpenBLAS marks every symbol.
  for (const std::string prefix : {"scipy_", ""}) {
    if (library.find(prefix + "cblas_sgemm", sgemm) && library.find(prefix + "openblas_set_num_threads", threads) &&
        library.find(prefix + "openblas_get_config", openblas_version)) {
      return std::make_unique<Blas>(name, openblas_version(), sgemm, threads);
    }
  }
  // BLIS counts in gint_t, 64 bits where it was built so; the register holds either.
  if (sgemm != nullptr && library.find("bli_thread_set_num_threads", threads) &&
      library.find("bli_info_get_version_str", blis_version)) {
    return std::make_unique<Blas>(name, std::string("BLIS ") + blis_version(), sgemm, threads);
  }
  why = "no cblas_sgemm with 32-bit integers and a setter of threads";
  return nullptr;
}

std::unique_ptr<Peer> make_mkl(const Library& library, std::string& why) {
  MklFunctions f{};
  if (library.find("cblas_sgemm", f.sgemm) && library.find("MKL_Set_Num_Threads", f.threads) &&
      library.find("MKL_Get_Version_String", f.version) && library.find("cblas_sgemm_pack_get_size", f.pack_size) &&
      library.find("cblas_sgemm_pack", f.pack) && library.find("cblas_sgemm_compute", f.compute)) {
    return std::make_unique<Mkl>(f);
  }
  why = "functions of MKL are missing";
  return nullptr;
}

std::unique_ptr<Peer> load_peer(const std::string& library, const std::string& path, std::string& why) {
  const Library file(path);
  if (!file.loaded()) {
    why = file.error();
    return nullptr;
  }
  if (library == "onednn") return make_onednn(file, why);
  if (library == "mkl") return make_mkl(file, why);
  return make_blas(file, library, why);
}

}  // namespace carillon::bench
