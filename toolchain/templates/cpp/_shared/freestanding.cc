// What a C library would bring: memory, and the four functions that compilers call on their own.
// A build against a WASI sysroot (--target=wasm32-wasi) has its own.
#include <stddef.h>
#include <stdint.h>

#define CALLBACK(name) extern "C" __attribute__((export_name(#name)))
// Without it the compiler may see through a loop and make it a call to the very function.
#define NO_BUILTIN __attribute__((no_builtin))

#ifdef __wasi__

#include <stdlib.h>

#else

extern "C" {

extern unsigned char __heap_base;
void __wasm_call_ctors();

NO_BUILTIN void* memcpy(void* to, const void* from, size_t size) {
  auto* t = static_cast<unsigned char*>(to);
  auto* f = static_cast<const unsigned char*>(from);
  for (; size >= 8; size -= 8, t += 8, f += 8) {
    uint64_t word;
    __builtin_memcpy_inline(&word, f, 8);
    __builtin_memcpy_inline(t, &word, 8);
  }
  while (size-- > 0) *t++ = *f++;
  return to;
}

NO_BUILTIN void* memmove(void* to, const void* from, size_t size) {
  auto* t = static_cast<unsigned char*>(to);
  auto* f = static_cast<const unsigned char*>(from);
  if (t <= f) return memcpy(to, from, size);
  while (size-- > 0) t[size] = f[size];
  return to;
}

NO_BUILTIN void* memset(void* to, int value, size_t size) {
  auto* t = static_cast<unsigned char*>(to);
  while (size-- > 0) *t++ = static_cast<unsigned char>(value);
  return to;
}

NO_BUILTIN size_t strlen(const char* text) {
  size_t size = 0;
  while (text[size] != 0) ++size;
  return size;
}

}  // extern "C"

namespace {

/// A free block; one in use keeps only `kind`.
struct Block {
  size_t kind;  ///< The block holds 16 << kind bytes after `kind`'s own eight.
  alignas(8) Block* next;
};

constexpr size_t head_size = 8;
constexpr size_t kinds = 27;
constexpr size_t page = 65536;

Block* free_blocks[kinds];
uintptr_t top = 0;

/// Takes fresh memory from the end, and asks for more pages when there is not enough.
Block* take(size_t size) {
  if (top == 0) top = (reinterpret_cast<uintptr_t>(&__heap_base) + 7) & ~uintptr_t{7};
  const size_t have = __builtin_wasm_memory_size(0) * page - top;
  if (size > have) {
    const size_t pages = (size - have + page - 1) / page;
    if (__builtin_wasm_memory_grow(0, pages) == SIZE_MAX) __builtin_trap();
  }
  auto* block = reinterpret_cast<Block*>(top);
  top += size;
  return block;
}

}  // namespace

/// Sizes are rounded up to a power of two, and every size has its list of free blocks: constant
/// time, and a long-lived VM does not fragment.
extern "C" void* malloc(size_t size) {
  size_t kind = 0;
  while (kind < kinds && (size_t{16} << kind) < size) ++kind;
  if (kind == kinds) __builtin_trap();
  Block* block = free_blocks[kind];
  if (block) {
    free_blocks[kind] = block->next;
  } else {
    block = take(head_size + (size_t{16} << kind));
    block->kind = kind;
  }
  return reinterpret_cast<char*>(block) + head_size;
}

extern "C" void free(void* data) {
  if (!data) return;
  auto* block = reinterpret_cast<Block*>(static_cast<char*>(data) - head_size);
  block->next = free_blocks[block->kind];
  free_blocks[block->kind] = block;
}

CALLBACK(_initialize) void initialize() { __wasm_call_ctors(); }

void* operator new(size_t size) { return malloc(size); }
void operator delete(void* data) noexcept { free(data); }
void operator delete(void* data, size_t) noexcept { free(data); }

extern "C" void __cxa_pure_virtual() { __builtin_trap(); }

// Globals are never destroyed: the host just drops the VM.
extern "C" int __cxa_atexit(void (*)(void*), void*, void*) { return 0; }

#endif

CALLBACK(proxy_on_memory_allocate) void* proxy_on_memory_allocate(size_t size) {
  return malloc(size);
}
