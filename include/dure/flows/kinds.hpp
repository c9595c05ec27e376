// The kinds of nodes (flow-format §3) as data: handles, fields of their config, outputs. Validation, the compiler and a
// designer read the same table.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "dure/flows/document.hpp"

namespace dure::flows {

enum class FieldForm { any, text, texts, boolean, integer, number, choice, list, object, conditions };

struct ConfigField {
    std::string name;
    FieldForm form = FieldForm::any;
    bool required = false;
    double least = 0, most = 0;  // of numbers
    std::vector<std::string> allowed;  // of a choice
};

struct Kind {
    std::string name;
    bool available = true;  // false: known, refused by name (kind_not_available)
    std::vector<std::string> in, out;  // without the handles a config makes
    std::string cases;  // field whose entries' ids are handles, before those of `out`
    bool may_branch_on_error = false;  // "+error": takes a policy, has the handle error with on_error branch
    bool container = false;  // nodes may name it as parent
    bool open_outputs = false;  // its config names more of them
    std::vector<std::string> outputs;
    std::string main_output;
    std::vector<ConfigField> config;
};

// Null: there is no such kind.
const Kind* find_kind(std::string_view name);
// By name; they live as long as the program.
std::vector<const Kind*> all_kinds();

std::vector<std::string> source_handles(const Kind& kind, const Node& node);

}  // namespace dure::flows
