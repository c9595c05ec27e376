// GET /api/usage?group_by=day,model,user,key&from=&to=: what was used, the caller's own or, with users:manage, everybody's.
// Costs are added up as whole billionths of a dollar and shown as decimal USD.
#include "api/chat/usage.hpp"

#include "api/audit.hpp"
#include "api/dates.hpp"
#include "api/wrong_together.hpp"
#include "dure/base/text.hpp"
#include "dure/chat/usage.hpp"
#include "dure/schema/fields.hpp"

namespace dure::api {

namespace usage_route {

constexpr UnixMillis default_span = 30LL * 86'400'000;

struct Input {
    std::string group_by = "day";
    std::string from;
    std::string to;
};

const auto& fields()
{
    static const auto table = schema::object<Input>(schema::UnknownFields::refuse)
                                  .optional("group_by", &Input::group_by, schema::length(0, 100))
                                  .optional("from", &Input::from, schema::length(0, 40))
                                  .optional("to", &Input::to, schema::length(0, 40));
    return table;
}

Error wrong_group(std::string_view name)
{
    const auto message = "group_by is a list of day, model, user, key; there is no \"" +
                         to_valid_utf8(utf8_prefix(name, 40)) + "\"";
    return Error(Errc::invalid_argument, message + ".")
        .param("group_by")
        .problem({{"query", "group_by"}, message, "enum"});
}

Result<void> read_groups(std::string_view list, chat::UsageQuestion& question)
{
    while (!list.empty()) {
        const auto comma = list.find(',');
        const auto name = trim(list.substr(0, comma));
        if (name == "day")
            question.by_day = true;
        else if (name == "model")
            question.by_model = true;
        else if (name == "user")
            question.by_user = true;
        else if (name == "key")
            question.by_key = true;
        else
            return wrong_group(name);
        list.remove_prefix(comma == std::string_view::npos ? list.size() : comma + 1);
    }
    return {};
}

Result<chat::UsageQuestion> read(const RequestContext& context)
{
    const auto input = fields().read_query(context.query);
    chat::UsageQuestion question;
    const auto groups = read_groups(input ? input->group_by : parameter_of(context.query, "group_by"), question);
    const auto from = read_time(parameter_of(context.query, "from"), "from", DayMeans::its_start);
    const auto to = read_time(parameter_of(context.query, "to"), "to", DayMeans::its_end);
    if (auto refused = wrong_together(input, groups, from, to))
        return *refused;
    question.to = to->value_or(SystemClock().now() + 1);
    question.from = from->value_or(question.to - default_span);
    if (auto span = check_span(question.from, question.to, "from"); !span)
        return span.error();
    if (!context.principal().may("users:manage"))
        question.user_id = context.principal().user_id;
    return question;
}

OrderedJson row_json(const model::UsageTotal& total, const chat::UsageQuestion& question)
{
    OrderedJson row;
    if (question.by_day)
        row["day"] = total.day;
    if (question.by_model)
        row["model"] = total.model;
    if (question.by_user)
        row["user_id"] = total.user_id;
    if (question.by_key)
        row["key_id"] = total.key_id.empty() ? OrderedJson(nullptr) : OrderedJson(total.key_id);
    row["requests"] = total.requests;
    row["prompt_tokens"] = total.prompt_tokens;
    row["completion_tokens"] = total.completion_tokens;
    row["total_tokens"] = total.prompt_tokens + total.completion_tokens;
    row["cached_tokens"] = total.cached_tokens;
    row["reasoning_tokens"] = total.reasoning_tokens;
    // Exact up to 15 digits: the shortest decimal that reads back as this double is the sum itself.
    row["cost_usd"] = static_cast<double>(total.cost_nano) / 1e9;
    return row;
}

}  // namespace usage_route

Handler get_usage(const ApiParts& parts)
{
    return [&reports = parts.usage, &audit = parts.audit](RequestContext& context) -> Task<Result<void>> {
        const auto question = usage_route::read(context);
        if (!question)
            co_return question.error();
        const auto totals = co_await reports.totals(*question);
        if (!totals)
            co_return totals.error();
        if (!question->user_id)
            if (auto recorded = co_await record_read_of_others(audit, context, {}); !recorded)
                co_return recorded.error();
        auto rows = OrderedJson::array();
        for (const auto& total : *totals)
            rows.push_back(usage_route::row_json(total, *question));
        OrderedJson body{{"from", rfc3339(question->from)}, {"to", rfc3339(question->to)}};
        body["rows"] = std::move(rows);
        co_return co_await context.respond_json(200, body);
    };
}

}  // namespace dure::api
