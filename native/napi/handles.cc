#include "handles.h"

#include <algorithm>
#include <string>
#include <utility>

#include "args.h"

namespace carillon {
namespace {

// A sweep is due after this much was made, where a handle counts as a page; or more, for the handles that it has to
// look at: so its cost is a small share of what they cost to make.
constexpr int64_t kDueBytes = int64_t{4} << 20;
constexpr int64_t kBytesAHandle = int64_t{4} << 10;
constexpr int64_t kBytesALook = int64_t{1} << 10;

// V8 begins to collect when it is told of 64 MB more than it left the last time. It is asked sooner, as it takes its
// time.
constexpr int64_t kAskBytes = int64_t{16} << 20;
constexpr int64_t kAskShare = 4;
constexpr int64_t kPretended = int64_t{64} << 20;
constexpr int64_t kBurst = int64_t{64} << 20;

// Looking at an object takes a place in the handle scope.
constexpr size_t kLooksAScope = 256;

}  // namespace

void HeldBytes::tell(napi_env env) {
  const int64_t now = bytes.load();
  int64_t total = 0;
  if (now != told) napi_adjust_external_memory(env, now - told, &total);
  told = now;
}

void Handle::link(Handle& list) {
  previous_ = list.previous_;
  next_ = &list;
  previous_->next_ = this;
  next_->previous_ = this;
}

void Handle::unlink() {
  previous_->next_ = next_;
  next_->previous_ = previous_;
  previous_ = next_ = this;
}

Napi::Object Handles::wrap(Napi::Env env, std::shared_ptr<void> owned, const napi_type_tag& tag, const char* name) {
  Napi::Object object = Napi::Object::New(env);
  auto handle = std::make_unique<Handle>();
  handle->owned = std::move(owned);
  handle->held = held_;
  const auto finalize = [](napi_env raw, void* data, void* /*hint*/) {
    std::unique_ptr<Handle> last(static_cast<Handle*>(data));
    if (last->object != nullptr) napi_delete_reference(raw, last->object);
    const std::shared_ptr<HeldBytes> held = last->held;
    last.reset();
    held->tell(raw);
  };
  if (napi_wrap(env, object, handle.get(), finalize, nullptr, nullptr) != napi_ok) {
    throw_error(env, "ERR_NATIVE", std::string("cannot wrap a ") + name);
  }
  Handle& wrapped = *handle.release();
  napi_type_tag_object(env, object, &tag);
  if (napi_create_reference(env, object, 0, &wrapped.object) == napi_ok) wrapped.link(list_);
  ++added_;
  tell(env);
  return object;
}

void Handles::sweep_if_due(Napi::Env env) {
  const int64_t before = held_->bytes;
  if (before - bytes_then_ + added_ * kBytesAHandle < std::max(kDueBytes, count_then_ * kBytesALook)) return;
  sweep(env);
  const int64_t left = held_->bytes;
  if (left < before) low_ = left;
  tell(env);
  if (left - low_ < std::max(kAskBytes, low_ / kAskShare)) return;
  low_ = left;
  ask_to_collect(env);
}

void Handles::end_burst(Napi::Env env) {
  if (std::exchange(burst_, 0) >= kBurst) ask_to_collect(env);
}

void Handles::ask_to_collect(Napi::Env env) {
  int64_t total = 0;
  napi_adjust_external_memory(env, kPretended, &total);
  napi_adjust_external_memory(env, -kPretended, &total);
}

void Handles::sweep(Napi::Env env) {
  count_then_ = 0;
  for (Handle* at = &list_.next(); at != &list_;) {
    const Napi::HandleScope scope(env);
    for (size_t look = 0; look < kLooksAScope && at != &list_; ++look) {
      Handle& handle = *at;
      at = &handle.next();
      napi_value object = nullptr;
      if (napi_get_reference_value(env, handle.object, &object) != napi_ok || object != nullptr) {
        ++count_then_;
        continue;
      }
      handle.unlink();
      napi_delete_reference(env, handle.object);
      handle.object = nullptr;
      handle.owned.reset();
    }
  }
  bytes_then_ = held_->bytes;
  added_ = 0;
}

std::shared_ptr<void> owned_by(Napi::Value value, const napi_type_tag& tag, const char* kind, const char* name) {
  const Napi::Env env = value.Env();
  bool matches = false;
  if (value.IsObject()) napi_check_object_type_tag(env, value, &tag, &matches);
  void* data = nullptr;
  if (!matches || napi_unwrap(env, value, &data) != napi_ok) {
    throw_error(env, "ERR_NATIVE", std::string("expected a ") + kind + " for '" + name + "'");
  }
  return static_cast<Handle*>(data)->owned;
}

}  // namespace carillon
