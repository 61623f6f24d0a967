// As much of a test framework as these tests need: TEST(name) { CHECK(condition); }
#pragma once

#include <cstdio>
#include <initializer_list>

inline int failures = 0;

/// Runs `body` when it is defined, which is before main().
struct Test {
  Test(const char* name, void (*body)()) {
    const int before = failures;
    body();
    std::printf("%s %s\n", failures == before ? "ok    " : "FAILED", name);
  }
};

#define TEST(name)                           \
  static void name();                        \
  static const Test name##_test(#name, name); \
  static void name()

#define CHECK(condition)                                                  \
  do {                                                                    \
    if (!(condition)) {                                                   \
      ++failures;                                                         \
      std::printf("%s:%d: %s\n", __FILE__, __LINE__, #condition);         \
    }                                                                     \
  } while (false)
