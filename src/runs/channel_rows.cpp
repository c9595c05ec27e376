// See channel_rows.hpp.
#include "runs/channel_rows.hpp"

#include <algorithm>

#include "dure/base/json_write.hpp"
#include "dure/base/text.hpp"

namespace dure::runs {

namespace {

// Longer ones are kept apart, so that what is still needed of a pruned checkpoint holds little besides.
constexpr std::size_t longest_together = 1000;

bool may_be_together(const ChannelRow& row)
{
    return row.base.empty() && row.deltas == 0 && row.data.size() <= longest_together &&
           row.channel.find('\0') == std::string_view::npos && valid_utf8(row.channel);
}

void add_member(std::string& object, std::string_view name, std::string_view value)
{
    object += object.empty() ? '{' : ',';
    append_json_string(object, name);
    object += ':';
    object += value;
}

}  // namespace

std::vector<ChannelRow> channel_rows_of(const graph::Checkpoint& made)
{
    std::vector<ChannelRow> rows;
    rows.reserve(made.writes.size());
    for (const auto& write : made.writes)
        rows.push_back({write.channel, write.base, write.deltas, json_text(*write.data)});
    const auto apart = std::partition(rows.begin(), rows.end(), may_be_together);
    if (apart - rows.begin() < 2)
        return rows;
    ChannelRow together;
    for (auto row = rows.begin(); row != apart; ++row)
        add_member(together.data, row->channel, row->data);
    together.data += '}';
    rows.erase(rows.begin() + 1, apart);
    rows.front() = std::move(together);
    return rows;
}

void add_pieces(const sql::Row& row, Pieces& to)
{
    const auto& checkpoint = row.text(0);
    const auto& channel = row.text(1);
    auto data = Json::parse(row.text(4));
    if (channel.empty()) {
        for (auto& [name, value] : data.items())
            to.emplace(Place(checkpoint, name), Piece{std::make_shared<const Json>(std::move(value)), {}, false});
        return;
    }
    const auto& base = row.text(2);
    const bool delta = !base.empty() || row.integer(3) > 0;
    to.emplace(Place(checkpoint, channel), Piece{std::make_shared<const Json>(std::move(data)), base, delta});
}

std::string versions_text(const graph::Checkpoint& made)
{
    std::string object = "{";
    for (const auto& [channel, checkpoint] : made.versions) {
        if (object.size() > 1)
            object += ',';
        append_json_string(object, channel);
        object += ':';
        append_json_string(object, checkpoint == made.id ? std::string_view() : std::string_view(checkpoint));
    }
    object += '}';
    return object;
}

std::map<std::string, std::string> versions_from(const std::string& text, const std::string& own_id)
{
    auto versions = Json::parse(text).get<std::map<std::string, std::string>>();
    for (auto& [channel, checkpoint] : versions)
        if (checkpoint.empty())
            checkpoint = own_id;
    return versions;
}

}  // namespace dure::runs
