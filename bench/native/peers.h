// Libraries to compare products with, loaded by dlopen when they are there; none is linked.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace carillon::bench {

// c[m, n] = op(a) · op(b), everything contiguous: a is [m, k] or, where transposed, [k, m]; b is [k, n] or [n, k].
struct Product {
  size_t m, n, k;
  bool a_transposed, b_transposed;
  const float* a;
  const float* b;
  float* c;
};

// One way of computing a product in a library; a library may have several.
struct PeerWay {
  std::string library;  // the name in the report
  std::string way;
  std::function<void()> run;
};

class Peer {
 public:
  Peer() = default;
  virtual ~Peer() = default;
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;

  virtual std::string version() const = 0;
  virtual void set_threads(int threads) = 0;
  // What it needs is prepared here, outside of what is timed; with `prepacked` that includes b.
  virtual std::vector<PeerWay> ways(const Product& product, bool prepacked) = 0;
};

// Loads `path` (a file or a name that the loader finds). nullptr where there is none, with the reason in `why`.
std::unique_ptr<Peer> load_peer(const std::string& library, const std::string& path, std::string& why);

// A shared library; symbols of it and of what it depends on.
class Library {
 public:
  explicit Library(const std::string& path);
  bool loaded() const { return handle_ != nullptr; }
  const std::string& error() const { return error_; }

  template <typename Function>
  bool find(const std::string& name, Function*& function) const {
    function = reinterpret_cast<Function*>(symbol(name));
    return function != nullptr;
  }

 private:
  void* symbol(const std::string& name) const;

  void* handle_;  // never closed: libraries with threads of their own do not survive it
  std::string error_;
};

std::unique_ptr<Peer> make_onednn(const Library& library, std::string& why);
std::unique_ptr<Peer> make_mkl(const Library& library, std::string& why);
// OpenBLAS and BLIS.
std::unique_ptr<Peer> make_blas(const Library& library, const std::string& name, std::string& why);

}  // namespace carillon::bench
