#pragma once

#include "config.h"

/// Whether a body of this content-type is text that may be searched.
bool is_text(proxy_wasm::View content_type);

/// One line that no terminal or log reader trips over: anything but printable ASCII is a dot.
proxy_wasm::String printable(proxy_wasm::View bytes);

/// Puts the replacements in, in one pass: what has been put in is not searched again. Where
/// several texts begin at the same place, the first of them counts. Nothing when none is there.
proxy_wasm::Maybe<proxy_wasm::String> replace_all(proxy_wasm::View text,
                                                  const proxy_wasm::List<Pair>& replacements);
