// JavaScript objects that own a native one, which is freed when the garbage collector has taken the object. Node-API
// tells of that in a turn of the event loop, and a loop without `await` takes none: so who makes a handle also looks
// for objects that are gone.
#pragma once

#include <napi.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "../program/program.h"

namespace carillon {

// Bytes that the native objects of an environment hold, while anybody has a share of them, and what V8 knows of it: it
// collects where there is much.
struct HeldBytes {
  std::atomic<int64_t> bytes{0};
  int64_t told = 0;
  void tell(napi_env env);
};

// What a JavaScript object owns: in the list of its environment until it is freed.
class Handle {
 public:
  Handle() : previous_(this), next_(this) {}
  ~Handle() { unlink(); }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;

  void link(Handle& list);
  void unlink();
  Handle& next() const { return *next_; }

  std::shared_ptr<void> owned;
  std::shared_ptr<HeldBytes> held;
  napi_ref object = nullptr;  // weak; null: it was found gone, and only its finalizer is still to come

 private:
  Handle* previous_;
  Handle* next_;
};

// The handles of one environment, on its JavaScript thread.
class Handles {
 public:
  Handles() : held_(std::make_shared<HeldBytes>()) {}

  // A JavaScript object with this tag that owns `made`. What `made` holds counts until nobody has a share of it.
  template <typename T>
  Napi::Object add(Napi::Env env, std::unique_ptr<T> made);

  // Tells V8 of what is held now.
  void tell(Napi::Env env) { held_->tell(env); }

  // In a turn of the event loop behind one in which handles were made: if that was much, V8 is asked to collect, as
  // nobody asks when a loop has ended, and what it has dropped last would stay.
  void end_burst(Napi::Env env);

  // Frees what objects owned that are gone, where enough was made since the last time to be worth a look at all.
  void sweep_if_due(Napi::Env env);

 private:
  Napi::Object wrap(Napi::Env env, std::shared_ptr<void> owned, const napi_type_tag& tag, const char* name);
  void sweep(Napi::Env env);
  static void ask_to_collect(Napi::Env env);

  const std::shared_ptr<HeldBytes> held_;
  Handle list_;  // its neighbours are the first and the last
  // Of the last sweep, and since then.
  int64_t bytes_then_ = 0;
  int64_t count_then_ = 0;
  int64_t added_ = 0;
  int64_t burst_ = 0;  // bytes made in this turn of the event loop
  int64_t low_ = 0;    // bytes when the last object was found gone, or V8 was asked to collect
};

// Tags, so that no other object passes for one of ours.
template <typename T>
struct HandleTag;
template <>
struct HandleTag<Slab> {
  static constexpr napi_type_tag kTag{0x6c61b5e1ca711101, 0x9d1b0c5aa3d34f01};
  static constexpr const char* kName = "slab";
};
template <>
struct HandleTag<Program> {
  static constexpr napi_type_tag kTag{0x6c61b5e1ca711102, 0x9d1b0c5aa3d34f02};
  static constexpr const char* kName = "program";
};

template <typename T>
Napi::Object Handles::add(Napi::Env env, std::unique_ptr<T> made) {
  const auto bytes = static_cast<int64_t>(made->bytes());
  held_->bytes += bytes;
  burst_ += bytes;
  std::shared_ptr<T> owned(made.release(), [held = held_, bytes](T* last) {
    delete last;
    held->bytes -= bytes;
  });
  return wrap(env, std::move(owned), HandleTag<T>::kTag, HandleTag<T>::kName);
}

// What `value` owns, if it has the tag; otherwise an error that names the argument.
std::shared_ptr<void> owned_by(Napi::Value value, const napi_type_tag& tag, const char* kind, const char* name);

template <typename T>
std::shared_ptr<T> handle_of(Napi::Value value, const char* name) {
  return std::static_pointer_cast<T>(owned_by(value, HandleTag<T>::kTag, HandleTag<T>::kName, name));
}

}  // namespace carillon
