// FeatureIndex; see feature_index.hpp.
#include "tools/select/feature_index.hpp"

#include <algorithm>
#include <cmath>

#include "dure/base/text.hpp"

namespace dure::tools {
namespace feature_index {

constexpr std::size_t most_text = 8192;   // of a description or a query, in bytes

// What a kind of feature is worth. Pieces are many, and find words in other forms and wrong spelling; topics are few, and join
// the languages. Set with the training halves of tests/data/tool_queries*.json.
constexpr float word_share = 0.8f;
constexpr float piece_share = 0.2f;
constexpr float topic_share = 2.0f;
constexpr float name_share = 1.5f;  // of the name's words beside those of the description

float share_of(llm::FeatureKind kind)
{
    return kind == llm::FeatureKind::topic ? topic_share : kind == llm::FeatureKind::word ? word_share : piece_share;
}

std::vector<llm::Feature> features_of(const FeatureIndex::Text& tool)
{
    const auto name = spelled_out(tool.name);
    auto features = llm::text_features(name);
    for (auto& feature : features)
        feature.weight *= name_share;
    const auto described = llm::text_features(utf8_prefix(tool.description, most_text));
    std::vector<llm::Feature> all;
    all.reserve(features.size() + described.size());
    std::merge(features.begin(), features.end(), described.begin(), described.end(), std::back_inserter(all),
               [](const auto& a, const auto& b) { return a.id < b.id; });
    std::vector<llm::Feature> joined;
    for (const auto& feature : all) {
        if (!joined.empty() && joined.back().id == feature.id)
            joined.back().weight = std::hypot(joined.back().weight, feature.weight);
        else
            joined.push_back(feature);
    }
    return joined;
}

}  // namespace feature_index

using namespace feature_index;

std::string spelled_out(std::string_view name)
{
    std::string words;
    const auto is_upper = [](char c) { return c >= 'A' && c <= 'Z'; };
    for (std::size_t i = 0; i < name.size(); ++i) {
        const bool hump = i > 0 && is_upper(name[i]) && !is_upper(name[i - 1]);
        if (hump)
            words += ' ';
        words += name[i] == '_' || name[i] == '-' ? ' ' : name[i];
    }
    return words;
}

FeatureIndex::FeatureIndex(const std::vector<Text>& tools) : tools_(tools.size())
{
    std::vector<std::vector<llm::Feature>> all;
    std::unordered_map<std::uint64_t, std::size_t> spread;
    for (const auto& tool : tools) {
        all.push_back(features_of(tool));
        for (const auto& feature : all.back())
            ++spread[feature.id];
    }
    for (std::size_t tool = 0; tool < all.size(); ++tool) {
        float squares = 0;
        for (auto& feature : all[tool]) {
            feature.weight = weight_of(feature, spread[feature.id]);
            squares += feature.weight * feature.weight;
        }
        for (const auto& feature : all[tool])
            postings_[feature.id].push_back({static_cast<std::uint32_t>(tool), feature.weight / std::sqrt(squares)});
    }
}

float FeatureIndex::weight_of(const llm::Feature& feature, std::size_t tools_with_it) const
{
    const auto rarity =
        std::log(1.0f + static_cast<float>(tools_) / static_cast<float>(std::max<std::size_t>(tools_with_it, 1)));
    return feature.weight * share_of(feature.kind) * rarity;
}

std::vector<float> FeatureIndex::nearness(std::string_view query) const
{
    std::vector<float> near(tools_, 0.0f);
    float squares = 0;
    for (const auto& feature : llm::text_features(utf8_prefix(query, most_text))) {
        const auto found = postings_.find(feature.id);
        const auto weight = weight_of(feature, found == postings_.end() ? 1 : found->second.size());
        squares += weight * weight;
        if (found != postings_.end())
            for (const auto& posting : found->second)
                near[posting.tool] += weight * posting.weight;
    }
    if (squares > 0)
        for (auto& value : near)
            value = std::min(1.0f, value / std::sqrt(squares));
    return near;
}

}  // namespace dure::tools
