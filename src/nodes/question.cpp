// See question.hpp.
#include "nodes/question.hpp"

#include <algorithm>

#include "dure/agents/work.hpp"
#include "dure/flows/config_values.hpp"
#include "dure/flows/expression.hpp"

namespace dure::nodes {
namespace {

constexpr std::int64_t most_history = 1000;
constexpr std::size_t most_images = 32;

bool has_model(const Shared& shared, const std::string& id)
{
    return shared.parts.gateway.serves(id);
}

// The model's name decides. A provider tells apart ids of the form "provider/model"; alone it means its first model.
Result<std::string> model_for(const Shared& shared, const std::string& provider, const std::string& model)
{
    auto& gateway = shared.parts.gateway;
    if (model.empty() && provider.empty())
        return gateway.default_model();
    if (model.empty()) {
        for (const auto& info : gateway.models())
            if (info.provider == provider)
                return info.id;
        return Error(Errc::not_found, "There is no model of the provider '" + provider + "'.")
            .reason("model_not_found")
            .param("provider");
    }
    if (!provider.empty() && has_model(shared, provider + "/" + model))
        return provider + "/" + model;
    if (has_model(shared, model))
        return model;
    return Error(Errc::not_found, "The model '" + model + "' does not exist.").reason("model_not_found").param("model");
}

std::optional<model::Role> role_named(std::string_view name)
{
    return name == "system"      ? std::optional(model::Role::system)
           : name == "user"      ? std::optional(model::Role::user)
           : name == "assistant" ? std::optional(model::Role::assistant)
                                 : std::nullopt;
}

// {role, text} or {role, content}; content may be parts in OpenAI form.
void add_message(const Json& entry, const std::string& field, ConfigReader& reader, std::vector<model::Message>& into)
{
    const auto* role = entry.is_object() && entry.contains("role") ? &entry.at("role") : nullptr;
    const auto known = role && role->is_string() ? role_named(role->get_ref<const std::string&>()) : std::nullopt;
    if (!known)
        return reader.problem(field, "must be {role: system, user or assistant, text}");
    const auto* content = entry.contains("text")      ? &entry.at("text")
                          : entry.contains("content") ? &entry.at("content")
                                                      : nullptr;
    if (!content)
        return reader.problem(field, "needs a text");
    auto message = agents::message_saying(*known, {});
    message.content = content->is_array() ? OrderedJson(*content) : OrderedJson(flows::text_of(*content));
    into.push_back(std::move(message));
}

void add_messages(const Json& value, const std::string& field, ConfigReader& reader, std::vector<model::Message>& into)
{
    if (value.is_string())
        into.push_back(agents::message_saying(model::Role::user, value.get<std::string>()));
    else if (value.is_object())
        add_message(value, field, reader, into);
    else if (value.is_array())
        for (std::size_t i = 0; i < value.size(); ++i)
            add_message(value[i], field + "[" + std::to_string(i) + "]", reader, into);
    else
        reader.problem(field, "must be a list of messages");
}

bool holds_messages(const Json& value)
{
    const auto is_message = [](const Json& one) { return one.is_object() && one.contains("role"); };
    return is_message(value) ||
           (value.is_array() && !value.empty() && std::all_of(value.begin(), value.end(), is_message));
}

// The last messages of the session. `summary`: what the session's summary says comes first, as its system messages.
void add_memory(const flows::NodeCall& call, ConfigReader& reader, std::vector<model::Message>& into)
{
    const auto* memory = reader.object("memory");
    if (!memory)
        return;
    ConfigReader fields(*memory);
    const auto type = fields.find("type") ? fields.text("type") : "buffer";
    if (type != "buffer" && type != "summary")
        return reader.problem("memory.type", "'" + type + "' is not available in this server");
    const auto most = fields.integer("max_messages", 1, most_history);
    if (auto fine = fields.done(); !fine)
        return reader.problem("memory.max_messages", "must be a whole number from 1 to 1000");
    std::vector<model::Message> history;
    add_messages(call.facts.history, "session.history", reader, history);
    const auto is_system = [](const auto& message) { return message.role == model::Role::system; };
    if (type == "summary")
        std::copy_if(history.begin(), history.end(), std::back_inserter(into), is_system);
    std::erase_if(history, is_system);
    const auto kept = std::min(history.size(), static_cast<std::size_t>(most.value_or(20)));
    into.insert(into.end(), history.end() - static_cast<std::ptrdiff_t>(kept), history.end());
}

// A URL (https, http, data), or an object that has one: a file of the run, a part in OpenAI form.
std::string image_url(const Json& image)
{
    if (image.is_string())
        return image.get<std::string>();
    if (!image.is_object())
        return {};
    for (const char* member : {"url", "data_url", "image_url"})
        if (const auto found = image.find(member); found != image.end())
            return found->is_object()   ? found->value("url", "")
                   : found->is_string() ? found->get<std::string>()
                                        : std::string();
    return {};
}

void add_images(ConfigReader& reader, std::vector<model::Message>& messages)
{
    const auto* images = reader.find("images");
    if (!images || *images == false)
        return;
    const auto list = images->is_array() ? *images : Json::array({*images});
    if (list.empty())
        return;
    if (list.size() > most_images)
        return reader.problem("images", "may have at most 32 entries");
    if (messages.empty() || messages.back().role != model::Role::user)
        return reader.problem("images", "need a message of the user as the last one");
    auto parts = OrderedJson::array();
    if (messages.back().content.is_array())
        parts = messages.back().content;
    else
        parts.push_back({{"type", "text"}, {"text", messages.back().content}});
    for (std::size_t i = 0; i < list.size(); ++i) {
        const auto url = image_url(list[i]);
        if (!flows::is_image_address(url))
            return reader.problem("images[" + std::to_string(i) + "]",
                                  "must be a URL of an image (https, http or data)");
        parts.push_back({{"type", "image_url"}, {"image_url", {{"url", url}}}});
    }
    messages.back().content = std::move(parts);
}

// Leading system messages are the system prompt.
void take_system(Question& question)
{
    auto& messages = question.messages;
    auto first = messages.begin();
    for (; first != messages.end() && first->role == model::Role::system; ++first)
        question.system += (question.system.empty() ? "" : "\n") + first->text();
    messages.erase(messages.begin(), first);
}

void read_conversation(const flows::NodeCall& call, ConfigReader& reader, Question& question)
{
    auto& messages = question.messages;
    add_memory(call, reader, messages);
    const auto remembered = messages.size();
    if (const auto* given = reader.find("messages"))
        add_messages(*given, "messages", reader, messages);
    if (const auto prompt = reader.text("prompt"); !prompt.empty())
        messages.push_back(agents::message_saying(model::Role::user, prompt));
    if (messages.size() == remembered) {
        if (holds_messages(call.input))
            add_messages(call.input, "input", reader, messages);
        else if (const auto text = flows::text_of(call.input); !text.empty())
            messages.push_back(agents::message_saying(model::Role::user, text));
        else
            reader.problem("prompt", "is empty, and so is the input: there is nothing to ask");
    }
    add_images(reader, messages);
    take_system(question);
}

void read_sampling(ConfigReader& reader, Question& question)
{
    question.system = reader.text("system");
    question.temperature = reader.number("temperature", 0, 2);
    question.max_tokens = reader.integer("max_tokens", 1, 1'000'000);
    if (const auto top_p = reader.number("top_p", 0, 1))
        question.extra["top_p"] = *top_p;
    if (const auto stop = reader.texts("stop"); !stop.empty())
        question.extra["stop"] = stop;
    question.stream = reader.boolean("stream", true);
    if (const auto* knowledge = reader.object("knowledge");
        knowledge && !knowledge->value("ids", Json::array()).empty())
        reader.problem("knowledge", "is not available in this server");
    if (const auto* wanted = reader.object("output_schema")) {
        question.schema = *wanted;
        if (auto compiled = schema::JsonSchema::compile(*wanted))
            question.form = std::move(*compiled);
        else
            reader.problem("output_schema", "cannot be used: " + compiled.error().message());
    }
}

// Of a run that a bound key started: a model the key opens, or one the flow names by itself in the version that was published.
bool may_ask(const flows::RunFacts& facts, const std::string& provider, const std::string& model, const std::string& id)
{
    return !facts.rights || facts.rights->may_ask(id) || facts.rights->may_ask(flows::model_name(provider, model)) ||
           (!model.empty() && facts.rights->may_ask(model));
}

Result<Question> finished(const Shared& shared, const flows::RunFacts& facts, const ConfigReader& reader,
                          Question question)
{
    if (auto fine = reader.done(); !fine)
        return fine.error();
    const auto provider = reader.text("provider"), named = reader.text("model");
    auto model = model_for(shared, provider, named);
    if (!model)
        return model.error();
    if (!may_ask(facts, provider, named, *model))
        return Error(Errc::permission_denied, "The key that started the run does not open the model '" + *model + "'.")
            .reason("model_not_permitted")
            .param("model");
    question.model = std::move(*model);
    return question;
}

}  // namespace

std::string Question::last_user_text() const
{
    for (auto message = messages.rbegin(); message != messages.rend(); ++message)
        if (message->role == model::Role::user)
            return message->text();
    return {};
}

Result<Question> read_question(const Shared& shared, const flows::NodeCall& call)
{
    ConfigReader reader(call.config);
    Question question;
    read_sampling(reader, question);
    read_conversation(call, reader, question);
    return finished(shared, call.facts, reader, std::move(question));
}

Result<Question> read_model_fields(const Shared& shared, const flows::RunFacts& facts, const Json& config)
{
    ConfigReader reader(config);
    Question question;
    read_sampling(reader, question);
    return finished(shared, facts, reader, std::move(question));
}

Result<Question> read_question_about(const Shared& shared, const flows::NodeCall& call, std::string text)
{
    ConfigReader reader(call.config);
    Question question;
    read_sampling(reader, question);
    add_memory(call, reader, question.messages);
    question.messages.push_back(agents::message_saying(model::Role::user, std::move(text)));
    add_images(reader, question.messages);
    take_system(question);
    return finished(shared, call.facts, reader, std::move(question));
}

llm::CompletionRequest request_for(const Question& question)
{
    llm::CompletionRequest request;
    request.model = question.model;
    request.temperature = question.temperature;
    request.max_tokens = question.max_tokens;
    request.extra = question.extra;
    if (!question.system.empty())
        request.messages.push_back(agents::message_saying(model::Role::system, question.system));
    request.messages.insert(request.messages.end(), question.messages.begin(), question.messages.end());
    return request;
}

}  // namespace dure::nodes
