// MemoryStore: the conformance suite.
#include "support/store_conformance.hpp"

namespace dure::graph {

INSTANTIATE_TEST_SUITE_P(Memory, StoreConformance,
                         testing::Values(StoreCase{"memory",
                                                   [](const Clock& clock) {
                                                       StoreUnderTest made;
                                                       made.store = std::make_unique<MemoryStore>(clock);
                                                       return made;
                                                   }}),
                         store_case_name);

}  // namespace dure::graph
