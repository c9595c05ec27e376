// Descriptions of tools as weighted features, and how near a query is to each. A feature weighs the more the fewer tools have it;
// nearness is the cosine. No model is asked, and a query costs what its features cost, however many tools there are.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "dure/llm/text_features.hpp"

namespace dure::tools {

// A tool's name as words: "getPet_by-id" is "get Pet by id".
std::string spelled_out(std::string_view name);

// Never changed once made; thread-safe.
class FeatureIndex {
public:
    struct Text {
        std::string name;
        std::string description;
    };
    explicit FeatureIndex(const std::vector<Text>& tools);

    // For each tool, in their order: 0 (nothing in common) to 1.
    std::vector<float> nearness(std::string_view query) const;

private:
    struct Posting {
        std::uint32_t tool;
        float weight;  // in the tool's vector of length 1
    };
    float weight_of(const llm::Feature& feature, std::size_t tools_with_it) const;

    std::size_t tools_;
    std::unordered_map<std::uint64_t, std::vector<Posting>> postings_;
};

}  // namespace dure::tools
