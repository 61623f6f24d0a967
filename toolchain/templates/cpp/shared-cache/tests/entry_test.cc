#include "entry.h"

#include "check.h"

using proxy_wasm::String;
using proxy_wasm::View;

TEST(an_entry_comes_back_as_it_was) {
  const Entry entry{5000, "example.com/a", "text/plain", "one\ntwo"};
  const auto back = Entry::decode(entry.encode());
  CHECK(back && back->stored_ms == 5000);
  CHECK(View(back->key) == "example.com/a" && View(back->content_type) == "text/plain");
  CHECK(View(back->body) == "one\ntwo");
}

TEST(an_entry_may_be_empty) {
  const auto back = Entry::decode(Entry{1, "k", "", ""}.encode());
  CHECK(back && back->content_type.empty() && back->body.empty());
}

TEST(an_empty_or_foreign_slot_is_no_entry) {
  CHECK(!Entry::decode(""));
  CHECK(!Entry::decode("12\nkey"));
  CHECK(!Entry::decode("x\nkey\ntype\nbody"));
}

TEST(an_entry_expires_when_its_time_is_up) {
  const Entry entry{5000, "k", "", ""};
  CHECK(!entry.expired(14999, 10) && entry.expired(15000, 10));
  CHECK(!entry.expired(4000, 10));
  CHECK(entry.age(7999) == 2 && entry.age(4000) == 0);
}

TEST(every_key_has_a_slot) {
  CHECK(slot_of("a", 1) == 0);
  CHECK(slot_of("a", 128) < 128 && slot_of("a", 128) == slot_of("a", 128));
  CHECK(slot_of("example.com/a", 1 << 16) != slot_of("example.com/b", 1 << 16));
}

TEST(cache_control_may_forbid_to_keep_an_answer) {
  CHECK(forbids_storing("max-age=5, Private") && forbids_storing("no-store"));
  CHECK(!forbids_storing("public, max-age=60") && !forbids_storing(""));
}
