// Kind `router`: a model says which class the input belongs to; corrected once. {"class", "class_name", "usage"}; class "else" where
// none is allowed.
#include <vector>

#include "dure/agents/lenient_json.hpp"
#include "dure/agents/work.hpp"
#include "dure/base/text.hpp"
#include "dure/flows/expression.hpp"
#include "nodes/asking.hpp"

namespace dure::nodes {
namespace {

constexpr int attempts_at_class = 2;
constexpr std::string_view no_class = "else";

struct RouterClass {
    std::string id;
    std::string name;
    std::string description;
};

std::vector<RouterClass> read_classes(ConfigReader& reader)
{
    std::vector<RouterClass> classes;
    const auto* list = reader.list("classes");
    for (std::size_t i = 0; list && i < list->size(); ++i) {
        const ConfigReader entry((*list)[i]);
        RouterClass one{entry.text("id"), entry.text("name"), entry.text("description")};
        if (one.id.empty())
            reader.problem("classes[" + std::to_string(i) + "]", "needs an id");
        if (one.name.empty())
            one.name = entry.find("label") ? entry.text("label") : one.id;
        classes.push_back(std::move(one));
    }
    if (classes.empty())
        reader.problem("classes", "needs at least one entry");
    return classes;
}

std::string class_lines(const std::vector<RouterClass>& classes, bool allow_none)
{
    std::string lines;
    for (const auto& one : classes)
        lines += dump(Json{{"class", one.id}, {"name", one.name}, {"description", one.description}}) + "\n";
    if (allow_none)
        lines += dump(Json{{"class", no_class}, {"name", no_class}, {"description", "none of the others"}}) + "\n";
    return lines;
}

// The class an answer names, by id or name, exactly or but for upper case; null: none of them.
const RouterClass* class_named(const std::vector<RouterClass>& classes, std::string_view said)
{
    for (const auto& one : classes)
        if (one.id == said)
            return &one;
    for (const auto& one : classes)
        if (equals_ignoring_case(one.id, said) || equals_ignoring_case(one.name, said))
            return &one;
    return nullptr;
}

// The word of an answer: {"class": …}, or all of it.
std::string said_class(std::string_view answer)
{
    if (const auto object = agents::object_in(answer, [](const Json& one) { return one.contains("class"); }))
        if (const auto found = object->find("class"); found != object->end())
            return std::string(trim(flows::text_of(*found)));
    auto word = trim(answer);
    while (!word.empty() && std::string_view("\"'`.").find(word.front()) != std::string_view::npos)
        word.remove_prefix(1);
    while (!word.empty() && std::string_view("\"'`.").find(word.back()) != std::string_view::npos)
        word.remove_suffix(1);
    return std::string(word);
}

Json routed(const std::string& id, const std::string& name, const UsageSum& used)
{
    auto output = Json::object();
    output["class"] = id;
    output["class_name"] = name;
    output["usage"] = used.json();
    return output;
}

}  // namespace

Task<Result<Json>> run_router(const Shared& shared, flows::NodeCall& call)
{
    ConfigReader reader(call.config);
    const auto classes = read_classes(reader);
    const bool allow_none = reader.boolean("allow_none", false);
    const auto* given = reader.find("input");
    const auto text = flows::text_of(given ? *given : call.input);
    if (text.empty())
        reader.problem("input", "is empty: there is nothing to classify");
    if (auto fine = reader.done(); !fine)
        co_return fine.error();
    const auto language = language_for(shared, text);
    auto question = read_question_about(shared, call, text);
    if (!question)
        co_return question.error();
    question->system +=
        (question->system.empty() ? "" : "\n") +
        agents::fill(shared.prompts.get(language, "classify"),
                     {{"instructions", reader.text("instructions")}, {"classes", class_lines(classes, allow_none)}});
    if (!question->temperature)
        question->temperature = 0;
    auto request = request_for(*question);
    const auto context = call_context(shared, call);
    UsageSum used;
    for (int attempt = 0; attempt < attempts_at_class; ++attempt) {
        model::Completion answer;
        const auto asked = co_await ask_charged(shared, call, request, context, nullptr, answer);
        used.add(answer.usage);
        if (!asked)
            co_return asked.error();
        const auto said = said_class(answer.text);
        if (const auto* chosen = class_named(classes, said))
            co_return routed(chosen->id, chosen->name, used);
        if (allow_none && equals_ignoring_case(said, no_class))
            co_return routed(std::string(no_class), "", used);
        request.messages.push_back(agents::message_saying(model::Role::assistant, std::move(answer.text)));
        request.messages.push_back(agents::message_saying(
            model::Role::system, agents::fill(shared.prompts.get(language, "repair"),
                                              {{"problem", "\"class\" must be exactly one of the listed ones."}})));
    }
    if (allow_none)
        co_return routed(std::string(no_class), "", used);
    co_return Error(Errc::upstream_failed, "The model named none of the classes.").reason("class_unknown");
}

}  // namespace dure::nodes
