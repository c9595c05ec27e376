// POST /auth/register, /auth/jwt/login, /auth/jwt/logout, /auth/forgot-password, /auth/reset-password,
// /auth/request-verify-token, /auth/verify: the wire behaviour of FastAPI Users.
#pragma once

#include "api/routes.hpp"

namespace dure::api {

Handler register_user(const ApiParts& parts);
Handler log_in(const ApiParts& parts);
Handler log_out(const ApiParts& parts);
Handler forgot_password(const ApiParts& parts);
Handler reset_password(const ApiParts& parts);
Handler request_verify_token(const ApiParts& parts);
Handler verify_user(const ApiParts& parts);

}  // namespace dure::api
