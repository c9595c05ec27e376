// Reading the folder of tool files (TOML, JSON, YAML); see tool_folder.hpp. A file with the key "openapi" as a text is an OpenAPI
// document: it becomes tools the way a tool file says, or by itself when none names it.
#include "tools/tool_folder.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>

#include "tools/http/openapi.hpp"

namespace dure::tools {
namespace tool_folder_parts {

constexpr std::uintmax_t largest_tool_file = 4u << 20;
constexpr std::size_t most_files = 500;

namespace fs = std::filesystem;

Result<std::string> read_text(const fs::path& path)
{
    std::error_code failed;
    const auto size = fs::file_size(path, failed);
    if (failed || size > largest_tool_file)
        return Error(Errc::invalid_argument, failed ? "the file cannot be read" : "the file is larger than 4 MiB");
    std::ifstream file(path, std::ios::binary);
    std::string text(static_cast<std::size_t>(size), '\0');
    if (!file.read(text.data(), static_cast<std::streamsize>(size)))
        return Error(Errc::invalid_argument, "the file cannot be read");
    return text;
}

using Parser = Result<Json> (*)(std::string_view text);

// nullptr: not a file of tools.
Parser parser_for(std::string_view name)
{
    if (name.ends_with(".toml"))
        return parse_toml;
    if (name.ends_with(".json"))
        return parse_tool_json;
    return name.ends_with(".yaml") || name.ends_with(".yml") ? parse_yaml : nullptr;
}

bool is_openapi(const Json& document)
{
    return document.is_object() &&
           ((document.contains("openapi") && document["openapi"].is_string()) || document.contains("swagger"));
}

class Folder {
public:
    Folder(const fs::path& folder, const Variables& variables) : folder_(folder), variables_(variables) {}

    FolderTools read()
    {
        read_documents();
        std::vector<OpenApiImport> imports;
        std::set<std::string> named;
        for (const auto& [name, document] : documents_) {
            if (is_openapi(document))
                continue;
            auto file = read_tool_file(document, "file:" + name, variables_);
            move_all(file.tools, out_.tools);
            move_all(file.problems, out_.problems);
            for (auto& one : file.imports) {
                named.insert(one.document);
                imports.push_back(std::move(one));
            }
        }
        for (const auto& [name, document] : documents_)
            if (is_openapi(document) && !named.contains(name))
                imports.emplace_back().document = name;
        for (const auto& one : imports)
            import(one);
        return std::move(out_);
    }

private:
    template <class T>
    static void move_all(std::vector<T>& from, std::vector<T>& to)
    {
        std::move(from.begin(), from.end(), std::back_inserter(to));
    }

    void problem(const std::string& name, std::string message)
    {
        out_.problems.push_back({"file:" + name, {}, std::move(message)});
    }

    void read_documents()
    {
        std::error_code failed;
        for (fs::directory_iterator at(folder_, failed), end; !failed && at != end; at.increment(failed)) {
            const auto name = at->path().filename().string();
            std::error_code unreadable;
            if (name.starts_with('.') || !at->is_regular_file(unreadable))
                continue;
            if (!parser_for(name))
                continue;
            if (documents_.size() >= most_files)
                return problem(name, "there are more than 500 tool files; the rest is left out");
            read_document(at->path(), name);
        }
        if (failed && failed != std::errc::no_such_file_or_directory)
            out_.problems.push_back({"file:", {}, "the folder of tool files cannot be read"});
    }

    void read_document(const fs::path& path, const std::string& name)
    {
        const auto text = read_text(path);
        if (!text)
            return problem(name, text.error().message());
        auto document = parser_for(name)(*text);
        if (!document)
            return problem(name, document.error().message());
        documents_.emplace(name, std::move(*document));
    }

    void import(const OpenApiImport& wanted)
    {
        const auto found = documents_.find(wanted.document);
        if (found == documents_.end() || !is_openapi(found->second))
            return problem(wanted.document, "there is no OpenAPI document of this name");
        auto made = read_openapi(found->second, wanted, "openapi:" + wanted.document);
        move_all(made.tools, out_.tools);
        move_all(made.problems, out_.problems);
    }

    const fs::path folder_;
    const Variables& variables_;
    std::map<std::string, Json> documents_;
    FolderTools out_;
};

}  // namespace tool_folder_parts

FolderTools read_tool_folder(const std::string& folder, const Variables& variables)
{
    return tool_folder_parts::Folder(folder, variables).read();
}

}  // namespace dure::tools
