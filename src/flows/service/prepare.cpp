// Reading and checking documents on the service's threads: text -> tree -> Document -> problems -> what is stored.
#include "flows/service/state.hpp"

#include "dure/flows/validation.hpp"

namespace dure::flows {

namespace {

DocumentLimits limits_from(const config::Settings& settings)
{
    DocumentLimits limits;
    limits.bytes = static_cast<std::size_t>(settings.server.limits.flow_body);
    limits.nodes = static_cast<std::size_t>(settings.flows.max_nodes);
    limits.edges = limits.nodes * 4;
    return limits;
}

constexpr std::size_t cached_documents = 256;
constexpr std::size_t cached_text_bytes = 32u << 20;

Prepared refused(Problems problems)
{
    Prepared out;
    out.problems = std::move(problems);
    return out;
}

Prepared not_an_object()
{
    Problems problems;
    problems.add({"field_type", {}, "A flow document is an object."});
    return refused(std::move(problems));
}

}  // namespace

FlowService::State::State(Parts with)
    : parts(std::move(with)), limits(limits_from(parts.settings)), cache(cached_documents, cached_text_bytes),
      pool("flows", 2, 256), files(parts.settings.flows.directory)
{}

Prepared FlowService::State::prepare(const OrderedJson& tree, std::optional<FlowType> type, Level level) const
{
    auto reading = read_tree(tree, type, limits);
    Prepared out;
    out.problems = std::move(reading.problems);
    auto document = std::make_shared<Document>(std::move(reading.document));
    check_document(*document, out.problems);
    out.references = references_of(*document);
    if (parts.references)
        check_references(out.references, *parts.references, level, out.problems);
    if (!out.problems.has_errors()) {
        const auto stored = to_json(*document);
        out.text = dump(stored);
        out.data = Json(stored);
        if (out.text.size() > limits.bytes)
            out.problems.add({"too_large", {}, "A flow document may have " + std::to_string(limits.bytes) + " bytes."});
    }
    out.document = std::move(document);
    return out;
}

Task<Result<Prepared>> FlowService::State::prepare_text(std::string body, std::optional<FlowType> type)
{
    co_return co_await pool.run([&]() -> Result<Prepared> {
        if (auto problems = check_text(body, limits); !problems.empty())
            return refused(std::move(problems));
        const auto tree = OrderedJson::parse(body);
        return tree.is_object() ? prepare(tree, type, Level::warning) : not_an_object();
    });
}

Task<Result<Prepared>> FlowService::State::prepare_changes(std::string base, std::string changes, FlowType type)
{
    co_return co_await pool.run([&]() -> Result<Prepared> {
        if (auto problems = check_text(changes, limits); !problems.empty())
            return refused(std::move(problems));
        const auto tree = OrderedJson::parse(changes);
        if (!tree.is_object())
            return not_an_object();
        return prepare(with_changes(OrderedJson::parse(base), tree), type, Level::warning);
    });
}

Task<Result<Prepared>> FlowService::State::prepare_stored(std::string text, FlowType type, Level level)
{
    co_return co_await pool.run([&]() -> Result<Prepared> { return prepare(OrderedJson::parse(text), type, level); });
}

Task<Result<std::shared_ptr<const Document>>> FlowService::State::document_of(const std::string& id,
                                                                              std::int64_t version, std::string text)
{
    using Shared = std::shared_ptr<const Document>;
    if (auto known = cache.find(id, version))
        co_return known;
    auto read = co_await pool.run([&]() -> Result<Shared> {
        // It was checked when it was saved; limits may have been made narrower since.
        auto reading = read_document(text, {}, {text.size(), 256, text.size(), text.size()});
        if (reading.problems.has_errors())
            return Error(Errc::internal, "")
                .detail("stored flow " + id + " version " + std::to_string(version) + ": " +
                        reading.problems.list().front().message);
        return std::make_shared<const Document>(std::move(reading.document));
    });
    if (read)
        cache.put(id, version, *read, text.size());
    co_return read;
}

bool if_match_holds(std::string_view header, const std::string& etag)
{
    for (std::size_t from = 0; from <= header.size();) {
        const auto comma = std::min(header.find(',', from), header.size());
        auto one = header.substr(from, comma - from);
        while (one.starts_with(' ') || one.starts_with('\t'))
            one.remove_prefix(1);
        while (one.ends_with(' ') || one.ends_with('\t'))
            one.remove_suffix(1);
        if (one == "*" || one == etag)
            return true;
        from = comma + 1;
    }
    return false;
}

std::string etag_of(const store::FlowRecord& flow)
{
    return "\"" + std::to_string(flow.revision) + "\"";
}

}  // namespace dure::flows
