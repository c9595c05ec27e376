// A mail as it stands on the wire behind DATA: headers, body, the closing dot.
#pragma once

#include <string>

#include "dure/base/clock.hpp"
#include "dure/mail/mail.hpp"

namespace dure::mail {

std::string render_message(const Mail& mail, const std::string& from, UnixMillis now);

}  // namespace dure::mail
