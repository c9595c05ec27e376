// events: what the event store and the sessions over it do on one database.
//   events load DATABASE              8 writers × 10,000 appends, wrong versions, repeats, followers that reconnect: checked
//   events append DATABASE            appends a second with 1, 8 and 64 callers
//   events grow DATABASE              appends, pages and replays of aggregates with 10, 1,000 and 100,000 events: table rows
//   events session DATABASE [REDIS]   one turn: what a session remembers is read, then the turn is written
// DATABASE is empty: a postgresql:// address, or the path of a SQLite file.
#include <string_view>

#include "events/common.hpp"

int main(int argc, char** argv)
{
    const std::string_view what = argc >= 3 ? argv[1] : "";
    if (what == "load")
        bench::measure_load(argv[2]);
    else if (what == "append")
        bench::measure_appends(argv[2]);
    else if (what == "grow")
        bench::measure_growth(argv[2]);
    else if (what == "session")
        bench::measure_sessions(argv[2], argc > 3 ? argv[3] : "");
    else {
        std::fprintf(stderr, "usage: events load|append|grow|session DATABASE [REDIS]\n");
        return 2;
    }
    return 0;
}
