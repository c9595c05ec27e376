// How the channel data of a checkpoint lies in graph_channel_writes: deltas and long values in a row of their own, short whole
// values together in one row without a channel's name, whose data is a JSON object {channel: value}. A turn of the agent
// writes eleven short values at its end: one row instead of eleven, each with its long key.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "dure/graph/checkpointer.hpp"
#include "dure/sql/value.hpp"

namespace dure::runs {

struct ChannelRow {
    std::string_view channel;  // empty: several
    std::string_view base;
    std::int64_t deltas = 0;
    std::string data;  // JSON
};

// Views into `made`.
std::vector<ChannelRow> channel_rows_of(const graph::Checkpoint& made);

// A checkpoint and one of its channels.
using Place = std::pair<std::string, std::string>;

struct Piece {
    graph::Value data;
    std::string base;
    bool delta = false;
};

using Pieces = std::map<Place, Piece>;

// Columns of the row: checkpoint_id, channel, base, deltas, data.
void add_pieces(const sql::Row& row, Pieces& to);

// Version texts of a checkpoint: {channel: checkpoint that wrote it}, where its own id is left out ("").
std::string versions_text(const graph::Checkpoint& made);
std::map<std::string, std::string> versions_from(const std::string& text, const std::string& own_id);

}  // namespace dure::runs
