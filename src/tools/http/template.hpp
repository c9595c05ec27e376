// Texts with places for arguments: "https://api.example.com/rates/{base}". {{ and }} stand for the braces themselves.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dure/base/error.hpp"
#include "dure/base/json.hpp"

namespace dure::tools {

// "a b/한" -> "a%20b%2F%ED%95%9C": everything but letters, digits and -._~
std::string percent_encode(std::string_view text);

// What an address cannot hold as it is: "/날씨/{city}" -> "/%EB%82%A0%EC%94%A8/{city}". Escapes that stand there stay.
std::string escape_the_rest(std::string_view text);

// An argument as plain text: strings as they are, scalars as JSON writes them, lists joined by commas, objects as JSON.
std::string argument_text(const Json& value);

class Template {
public:
    struct Piece {
        std::string text;  // or the argument's name
        bool argument = false;
    };

    Template() = default;
    // invalid_argument: a brace is not closed, or a place has no name.
    static Result<Template> parse(std::string_view text);
    static Template of_argument(std::string name);
    void append_text(std::string text);
    void append_argument(std::string name);

    // Absent arguments are empty text; encode is applied to arguments only.
    std::string fill(const Json& arguments, const std::function<std::string(std::string_view)>& encode) const;
    // The same with an argument's text as `text_of` gives it.
    std::string fill_by(const Json& arguments,
                        const std::function<std::string(const std::string& name, const Json& value)>& text_of) const;
    std::vector<std::string> arguments() const;
    // The name when the whole text is one place: "{x}".
    std::optional<std::string> only_argument() const;
    const std::vector<Piece>& pieces() const { return pieces_; }

private:
    std::vector<Piece> pieces_;
};

}  // namespace dure::tools
