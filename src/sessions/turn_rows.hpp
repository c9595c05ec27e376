// What a turn leaves in the store, made on the core before the unit that stores it: its texts are ready when its turn comes.
#pragma once

#include "dure/sessions/service.hpp"
#include "dure/store/turns.hpp"

namespace dure::sessions {

// What a model said, as SQL takes it: U+0000 becomes U+FFFD, as every other character that cannot be stored. A turn is not lost for
// it, nor is the client blamed.
std::string storable(std::string text);

class TurnRows {
public:
    // Takes the texts out of the record.
    TurnRows(TurnRecord& record, UnixMillis now, UnixMillis expires_at);
    TurnRows(const TurnRows&) = delete;  // its turn refers to it
    TurnRows& operator=(const TurnRows&) = delete;

    const store::NewTurn& turn() const { return turn_; }
    // See NewTurn. In the unit: only there nothing comes between it and the turn.
    void set_key_is_new(bool is_new) { turn_.key_is_new = is_new; }
    model::Event event(const store::StoredTurn& stored) const;
    // The turn's messages as a live copy has them. Once: the texts are moved out.
    std::vector<LiveMessage> live_messages(const store::StoredTurn& stored);

private:
    // Of TurnRecorded: the texts between which stands what the unit has counted.
    void make_event(const TurnRecord& record);
    std::string event_data(const store::RecordedTurn& turn) const;

    std::string event_facts_;
    store::NewTurn turn_;
};

}  // namespace dure::sessions
