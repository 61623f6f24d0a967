// The few types this plugin needs of a standard library. The module is freestanding: any clang
// with lld builds it, no sysroot is needed, and it stays a few kilobytes.
#pragma once

#include <stddef.h>
#include <stdint.h>

namespace proxy_wasm {

/// Selects the placement forms of `new` below; the standard ones live in <new>.
struct Place {};

}  // namespace proxy_wasm

inline void* operator new(size_t, proxy_wasm::Place, void* where) noexcept { return where; }
inline void operator delete(void*, proxy_wasm::Place, void*) noexcept {}

namespace proxy_wasm {

template <class T>
struct RemoveReference { using type = T; };
template <class T>
struct RemoveReference<T&> { using type = T; };
template <class T>
struct RemoveReference<T&&> { using type = T; };

template <class T>
constexpr typename RemoveReference<T>::type&& move(T&& value) {
  return static_cast<typename RemoveReference<T>::type&&>(value);
}

template <class T>
void swap(T& a, T& b) {
  T old = proxy_wasm::move(a);
  a = proxy_wasm::move(b);
  b = proxy_wasm::move(old);
}

/// A piece of text that somebody else owns.
class View {
 public:
  static constexpr size_t npos = SIZE_MAX;

  constexpr View() = default;
  constexpr View(const char* data, size_t size) : data_(data), size_(size) {}
  constexpr View(const char* text) : data_(text), size_(__builtin_strlen(text)) {}

  constexpr const char* data() const { return data_; }
  constexpr size_t size() const { return size_; }
  constexpr bool empty() const { return size_ == 0; }
  constexpr const char* begin() const { return data_; }
  constexpr const char* end() const { return data_ + size_; }
  constexpr char operator[](size_t at) const { return data_[at]; }

  /// From `start`, which may lie behind the end, at most `size` characters.
  constexpr View part(size_t start, size_t size = npos) const {
    if (start > size_) start = size_;
    return {data_ + start, size < size_ - start ? size : size_ - start};
  }
  constexpr size_t find(View wanted, size_t from = 0) const {
    for (size_t at = from; at <= size_ && wanted.size_ <= size_ - at; ++at) {
      if (part(at, wanted.size_) == wanted) return at;
    }
    return npos;
  }
  constexpr bool contains(View wanted) const { return find(wanted) != npos; }
  constexpr bool starts_with(View wanted) const { return part(0, wanted.size_) == wanted; }

  friend constexpr bool operator==(View a, View b) {
    if (a.size_ != b.size_) return false;
    for (size_t i = 0; i < a.size_; ++i) {
      if (a.data_[i] != b.data_[i]) return false;
    }
    return true;
  }

 private:
  const char* data_ = nullptr;
  size_t size_ = 0;
};

/// An array that grows and owns its elements.
template <class T>
class List {
 public:
  List() = default;
  List(List&& other) noexcept { swap(other); }
  List& operator=(List&& other) noexcept {
    swap(other);
    return *this;
  }
  List(const List&) = delete;
  List& operator=(const List&) = delete;
  ~List() {
    clear();
    ::operator delete(static_cast<void*>(data_));
  }

  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  T* begin() { return data_; }
  T* end() { return data_ + size_; }
  const T* begin() const { return data_; }
  const T* end() const { return data_ + size_; }
  T& operator[](size_t at) { return data_[at]; }
  const T& operator[](size_t at) const { return data_[at]; }

  T& push(T value) {
    reserve(size_ + 1);
    return *new (Place{}, data_ + size_++) T(proxy_wasm::move(value));
  }
  void reserve(size_t wanted) {
    if (wanted <= capacity_) return;
    const size_t capacity = wanted > capacity_ * 2 ? wanted : capacity_ * 2;
    T* data = static_cast<T*>(::operator new(capacity * sizeof(T)));
    for (size_t i = 0; i < size_; ++i) {
      new (Place{}, data + i) T(proxy_wasm::move(data_[i]));
      data_[i].~T();
    }
    ::operator delete(static_cast<void*>(data_));
    data_ = data;
    capacity_ = capacity;
  }
  /// Only for elements that may be copied byte by byte.
  void append(const T* items, size_t count) {
    if (count == 0) return;
    reserve(size_ + count);
    __builtin_memcpy(data_ + size_, items, count * sizeof(T));
    size_ += count;
  }
  /// The last element takes the place of the removed one.
  void remove_unordered(size_t at) {
    if (at + 1 != size_) data_[at] = proxy_wasm::move(data_[size_ - 1]);
    data_[--size_].~T();
  }
  void clear() {
    while (size_ > 0) data_[--size_].~T();
  }

 private:
  void swap(List& other) {
    proxy_wasm::swap(data_, other.data_);
    proxy_wasm::swap(size_, other.size_);
    proxy_wasm::swap(capacity_, other.capacity_);
  }

  T* data_ = nullptr;
  size_t size_ = 0;
  size_t capacity_ = 0;
};

/// Text that is owned.
class String {
 public:
  String() = default;
  String(View text) { append(text); }
  String(const char* text) : String(View(text)) {}

  operator View() const { return {text_.begin(), text_.size()}; }
  const char* data() const { return text_.begin(); }
  size_t size() const { return text_.size(); }
  bool empty() const { return text_.empty(); }
  String copy() const { return String(View(*this)); }
  void clear() { text_.clear(); }

  String& append(View text) {
    text_.append(text.data(), text.size());
    return *this;
  }
  String& append(const char* text) { return append(View(text)); }
  String& append(const String& text) { return append(View(text)); }
  String& append(char c) {
    text_.push(c);
    return *this;
  }
  String& append(uint64_t number) {
    char digits[20];
    size_t at = sizeof digits;
    do {
      digits[--at] = static_cast<char>('0' + number % 10);
    } while (number /= 10);
    return append(View(digits + at, sizeof digits - at));
  }
  String& append(uint32_t number) { return append(static_cast<uint64_t>(number)); }

 private:
  List<char> text_;
};

/// Joins texts and numbers: join("status ", 200u).
template <class... Parts>
String join(const Parts&... parts) {
  String out;
  (out.append(parts), ...);
  return out;
}

/// A value that may be missing.
template <class T>
class Maybe {
 public:
  Maybe() = default;
  Maybe(T value) : value_(proxy_wasm::move(value)), there_(true) {}

  explicit operator bool() const { return there_; }
  T& operator*() { return value_; }
  const T& operator*() const { return value_; }
  T* operator->() { return &value_; }
  const T* operator->() const { return &value_; }

 private:
  T value_{};
  bool there_ = false;
};

/// Owns one object.
template <class T>
class Owner {
 public:
  Owner() = default;
  explicit Owner(T* object) : object_(object) {}
  template <class U>
  Owner(Owner<U>&& other) : object_(other.release()) {}
  Owner(Owner&& other) noexcept : object_(other.release()) {}
  Owner& operator=(Owner&& other) noexcept {
    proxy_wasm::swap(object_, other.object_);
    return *this;
  }
  ~Owner() { delete object_; }

  T* get() const { return object_; }
  T* operator->() const { return object_; }
  T& operator*() const { return *object_; }
  explicit operator bool() const { return object_ != nullptr; }
  T* release() {
    T* object = object_;
    object_ = nullptr;
    return object;
  }

 private:
  T* object_ = nullptr;
};

template <class T, class... Arguments>
Owner<T> make(Arguments&&... arguments) {
  return Owner<T>(new T(static_cast<Arguments&&>(arguments)...));
}

/// The number that `text` is, when it is nothing but decimal digits and at most `limit`.
inline Maybe<uint64_t> to_number(View text, uint64_t limit = UINT64_MAX) {
  uint64_t number = 0;
  for (char c : text) {
    if (c < '0' || c > '9') return {};
    const uint64_t digit = static_cast<uint64_t>(c - '0');
    if (number > (limit - digit) / 10 || limit < digit) return {};
    number = number * 10 + digit;
  }
  if (text.empty()) return {};
  return number;
}

inline char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

inline String lower(View text) {
  String out;
  for (char c : text) out.append(lower(c));
  return out;
}

}  // namespace proxy_wasm
