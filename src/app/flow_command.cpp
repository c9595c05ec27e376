// See flow_command.hpp; runs stand in flow_run.cpp.
#include "app/flow_command.hpp"

#include <fstream>
#include <iostream>

#include "app/flow_file.hpp"
#include "app/known_names.hpp"
#include "dure/flows/validation.hpp"

namespace dure::app {

namespace {

constexpr int flow_fine = 0;
constexpr int flow_refused = 1;
constexpr int flow_unreadable = 2;

}  // namespace

Result<flows::Reading> read_flow_file(const std::string& path, const LocalHouse& house, flows::Level unknown_names)
{
    std::ifstream file(path, std::ios::binary);
    const flows::DocumentLimits limits;
    std::string text(limits.bytes + 1, '\0');   // one byte more than is allowed: then it is too large
    if (!file.read(text.data(), static_cast<std::streamsize>(text.size())) && !file.eof())
        return Error(Errc::not_found, path + " cannot be read.");
    text.resize(static_cast<std::size_t>(file.gcount()));
    auto reading = flows::read_document(text);
    if (reading.problems.has_errors())
        return reading;
    flows::check_document(reading.document, reading.problems);
    const KnownNames known(house.gateway, house.tools);
    flows::check_references(flows::references_of(reading.document), known, unknown_names, reading.problems);
    return reading;
}

int validate_flow(const config::Settings& settings, const FlowCommand& command)
{
    const auto house = LocalHouse::make(settings);
    if (!house) {
        std::cerr << "dure: " << house.error().message() << "\n";
        return flow_refused;
    }
    const auto reading = read_flow_file(command.file, **house, flows::Level::warning);
    if (!reading) {
        std::cerr << "dure: " << reading.error().message() << "\n";
        return flow_unreadable;
    }
    const bool valid = !reading->problems.has_errors();
    std::cout << dump(OrderedJson{{"valid", valid}, {"problems", flows::problems_json(reading->problems)}})
              << std::endl;
    return valid ? flow_fine : flow_refused;
}

}  // namespace dure::app
