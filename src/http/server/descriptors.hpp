// The file descriptors that are kept back from new connections: those that stand need some for upstreams and files (threat-model §9).
#pragma once

namespace dure::http {

// Whether `descriptor` stands among the last the process may open: as the lowest free number is always given, all below it are in use.
bool is_of_reserve(int descriptor);
// Whether the next one that is opened would. Opens one, through `any` that is open.
bool only_reserve_left(int any);

}  // namespace dure::http
